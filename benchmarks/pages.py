"""What one visitor waits for: the start, another page, a drag, a photo; with the real server and a real browser.

Milliseconds of this machine, and beside them what UI and network cannot change: a photo's bare forward passes.
"""

import io
import shutil
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from app.services import family, resources, samples
from app.services.resources import Exhibit
from app.services.samples import Picture
from benchmarks.clock import machine, table
from benchmarks.visitors import server

PAGES = {
    "Outlier prior": ".prior .panel .row",
    "Clusters": ".points .panel canvas",
    "Fine-tune": "button:has-text('Start')",
    "Blocks": ".st-key-figure-block-norms .js-plotly-plot",
    "Benchmark": ".matrix tbody button",
    "Learn": ".st-key-learn-cards h3",
    "Checkpoints": "[class*=st-key-tile-]",
    "Score": ".board .card",
}
DRAGS = {
    "Score: threshold": ("/", "#keep"),
    "Outlier prior: γ": ("/outlier-prior", "#gamma"),
    "Learn: γ": ("/learn?lesson=balance&step=4", "#dial-gamma"),
}
ROUNDS, FRAMES, PHOTOS = 5, 60, 15
DRAG = """async (input) => {
  const frame = () => new Promise(requestAnimationFrame), times = [];
  const painted = () => new Promise((done) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = done;
    port2.postMessage(0);
  });
  const low = Number(input.min), step = (Number(input.max) - low) / FRAMES;
  for (let turn = 0; turn <= FRAMES; turn++) {
    await frame();
    const start = performance.now();
    input.value = low + turn * step;
    input.dispatchEvent(new Event("input", { bubbles: true, composed: true }));
    const answered = performance.now() - start, drawing = await frame();
    await painted();
    times.push(answered + performance.now() - drawing);
  }
  return times;
}""".replace("FRAMES", str(FRAMES))


def milliseconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def changed(page: Page, title: str) -> float:
    """From the click on a page's name until what matters there is drawn."""
    link = page.get_by_role("navigation").get_by_role("link", name=title, exact=True)
    took = milliseconds(lambda: (link.click(), page.wait_for_selector(PAGES[title])))
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_timeout(300)
    return took


def dragged(page: Page, url: str, dial: str) -> tuple[float, float]:
    """Median and 95th percentile of what the browser works for one frame of a drag: script, layout and paint."""
    page.goto(url)
    handle = page.locator(dial).first
    handle.wait_for()
    page.wait_for_timeout(1500)
    times = sorted(handle.evaluate(DRAG))
    return times[len(times) // 2], times[int(0.95 * len(times))]


def in_the_browser() -> tuple[float, dict[str, list[float]], dict[str, tuple[float, float]]]:
    """Seconds from starting the server to a usable first page; page changes; drags."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        start = time.perf_counter()
        with server() as (port, _):
            page = browser.new_page(base_url=f"http://127.0.0.1:{port}", viewport={"width": 1280, "height": 900})
            page.goto("/")
            page.wait_for_selector(PAGES["Score"])
            usable = time.perf_counter() - start
            for title in PAGES:
                changed(page, title)
            waits: dict[str, list[float]] = {title: [] for title in PAGES}
            for _ in range(ROUNDS):
                for title in PAGES:
                    waits[title].append(changed(page, title))
            drags = {what: dragged(page, *where) for what, where in DRAGS.items()}
        browser.close()
    return usable, waits, drags


def photo(seed: int) -> Picture:
    """A visitor's JPEG of three megapixels that no cache has seen."""
    noise = np.random.default_rng(seed).integers(0, 255, (32, 24, 3), dtype=np.uint8)
    data = io.BytesIO()
    Image.fromarray(noise).resize((1536, 2048), Image.Resampling.BICUBIC).save(data, "JPEG", quality=90)
    return Picture(f"photo {seed}", f"{seed}.jpg", "yours", None, "lossless", partial(opened, data.getvalue()))


def opened(content: bytes) -> Image.Image:
    """As the app opens it."""
    return samples.decode(content, "photo.jpg")


def uploads() -> tuple[float, float]:
    """Median milliseconds of one photo under the first page's networks: everything, and the bare passes alone."""
    torch.set_num_threads(1)
    found = resources.folders()
    main = next(iter(found))
    shown = [resources.exhibit(found[name]) for name in [main, *family.usual(found, main)]]
    whole, bare = [], []
    for seed in range(PHOTOS):
        picture = photo(seed)
        whole.append(milliseconds(partial(looked_at, shown, picture)))
        view = samples.prepared(picture, shown[0].model.transform)
        assert isinstance(view, samples.Prepared)  # noqa: S101
        bare.append(milliseconds(partial(passed, shown, view.pixels[None])))
    return statistics.median(whole[3:]), statistics.median(bare[3:])


def looked_at(shown: list[Exhibit], picture: Picture) -> None:
    """Decoded, prepared, scored by everything that needs no gradients."""
    for one in shown:
        good, _ = samples.prepare([picture], one.model.transform)
        resources.answers(one, good, waiting=lambda ahead: None)


@torch.inference_mode()
def passed(shown: list[Exhibit], pixels: torch.Tensor) -> None:
    """The same networks' answers and nothing else."""
    for one in shown:
        one.model(one.model.transform.normalise(pixels), norms=False)


def main() -> None:
    """Measure and print."""
    usable, waits, drags = in_the_browser()
    whole, bare = uploads()
    print(machine())
    table(
        ("what", "median", "longest"),
        [
            ("from starting the server to a usable first page", f"{usable:.1f} s", ""),
            *(
                (f"another page: {title}", f"{statistics.median(took):.0f} ms", f"{max(took):.0f} ms")
                for title, took in waits.items()
            ),
        ],
    )
    print()
    table(
        ("work for one frame of a drag (60 a second leave 16.7 ms)", "median", "95 %"),
        [(what, f"{median:.1f} ms", f"{most:.1f} ms") for what, (median, most) in drags.items()],
    )
    print(
        f"\nA photo of three megapixels under three networks: {whole:.0f} ms; their bare passes: {bare:.1f} ms; "
        f"beyond 1.5 passes: {whole - 1.5 * bare:.0f} ms."
    )
