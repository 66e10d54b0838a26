"""Fine-tuning in a real browser: started, watched, left, found again, stopped, kept and opened elsewhere."""

import json
import os
import re
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATIENCE = 150_000  # milliseconds: the machine may be busy with something else


def number(page: Page, label: str) -> Locator:
    return page.get_by_label(label, exact=True)


def order(page: Page, steps: int) -> None:
    number(page, "Steps").fill(str(steps))
    number(page, "Steps").press("Enter")
    button = page.get_by_role("button", name=re.compile(f"Start {steps}"))
    expect(button).to_be_visible(timeout=30_000)
    button.click()


def points(page: Page) -> int:
    paths = page.locator(".figure path.curve").evaluate_all("paths => paths.map(path => path.getAttribute('d') ?? '')")
    return max((path.count("L") for path in paths), default=0)


def flipped(page: Page) -> list[str]:
    """What is said below the pictures that flipped."""
    gallery = page.get_by_role("list", name="Pictures whose decision flipped")
    expect(gallery.locator("> *").first).to_be_visible(timeout=30_000)
    return gallery.locator("> *").all_inner_texts()


def test_a_run_from_start_to_score(visit) -> None:
    here = visit()
    page = here.open("/fine-tune?numbers=train.lr:0.1", drawn="button:has-text('Start 60 steps')")
    expect(page.get_by_text("No run yet. Pick a loss and press Start.")).to_be_visible()
    expect(number(page, "Learning rate")).to_have_value("0.1")
    here.shot("finetune-empty-light-1280")

    order(page, 8)
    page.wait_for_url(re.compile(r"run=finetune-[0-9a-f]{10}"), timeout=30_000)
    url = page.url
    expect(page.locator(".figure path.curve").first).to_have_attribute("d", re.compile("^M"), timeout=PATIENCE)
    page.goto(url)  # in the middle of it
    expect(page.get_by_text("Started by somebody else")).to_have_count(0)
    expect(page.get_by_role("heading", name="Before and after")).to_be_visible(timeout=PATIENCE)
    here.settled()
    assert points(page) >= 2
    expect(page.locator("[data-testid=stMetric]")).to_have_count(4)
    assert re.search(r"AUROC ↑\s*\d", page.locator("[data-testid=stMetric]").first.inner_text())
    expect(page.get_by_text(re.compile(r"– [1-9]\d* are decided differently"))).to_be_visible(timeout=30_000)
    assert flipped(page)
    page.get_by_role("radio", name="Drawn textures").click()
    page.wait_for_url(re.compile("outliers=shapes-far"))
    here.settled()
    here.shot("finetune-done-light-1280")

    page.get_by_label("Keep it as").fill("Browser Run!")
    page.get_by_label("Keep it as").press("Enter")
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(page.get_by_text("Kept as 'browser-run'")).to_be_visible(timeout=30_000)
    page.goto(page.url)
    expect(page.get_by_text("Kept as 'browser-run'")).to_be_visible(timeout=60_000)

    dark = visit(scheme="dark")
    watched = dark.open(page.url, drawn="h3:has-text('Take it along')")
    expect(watched.get_by_text("are decided differently")).to_be_visible(timeout=60_000)
    assert flipped(watched) == flipped(page)
    dark.shot("finetune-done-dark-1280")

    page.locator("[class*=st-key-onward]").get_by_role("button", name="Score").click()
    page.wait_for_url(re.compile(r"/\?.*checkpoint=browser-run"), timeout=30_000)
    expect(page.locator(".board .card").first).to_be_visible(timeout=60_000)


def test_a_run_is_stopped_and_only_its_own_browser_may(visit, browser, app_url: str) -> None:
    here = visit(scheme="dark")
    page = here.open("/fine-tune?loss=balanced_energy", drawn="button:has-text('Start 60 steps')")
    order(page, 900)
    page.wait_for_url(re.compile(r"run=finetune-"), timeout=30_000)
    expect(page.locator(".figure path.curve").first).to_have_attribute("d", re.compile("L"), timeout=PATIENCE)

    with page.expect_download() as waiting:  # while it goes on, what is drawn is taken home
        page.get_by_role("group", name=re.compile("Save curves")).get_by_role("button", name="CSV").click()
    lines = waiting.value.path().read_text("utf-8-sig").splitlines()
    assert lines[0] == "panel,curve,step,value"
    assert sum(",cross entropy," in line for line in lines) > 1

    other = browser.new_context(base_url=app_url).new_page()
    other.goto(page.url)
    expect(other.get_by_text("Started by somebody else")).to_be_visible(timeout=60_000)
    expect(other.get_by_role("button", name="Cancel")).to_be_disabled(timeout=PATIENCE)
    other.context.close()

    here.shot("finetune-live-dark-1280")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Stopped on request. It can go on from here.")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("button", name="Go on")).to_be_enabled()


def test_a_run_outlives_a_kill_and_its_server(server, browser, tmp_path: Path) -> None:
    page = browser.new_context().new_page()
    with server(tmp_path) as url:
        page.goto(f"{url}/fine-tune")
        expect(number(page, "Steps")).to_be_visible(timeout=PATIENCE)
        order(page, 24)
        page.wait_for_url(re.compile(r"run=finetune-"), timeout=30_000)
        address = page.url
        expect(page.locator(".figure path.curve").first).to_have_attribute("d", re.compile("L"), timeout=PATIENCE)

        (process,) = (tmp_path / "cache" / "jobs").glob("finetune-*/process.json")
        os.kill(json.loads(process.read_text())["pid"], signal.SIGKILL)
        expect(page.get_by_text("was killed").first).to_be_visible(timeout=30_000)
        expect(page.get_by_role("button", name="Discard")).to_be_visible()
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_role("button", name="Cancel")).to_be_enabled(timeout=PATIENCE)

    page.goto("about:blank")
    with server(tmp_path):
        page.goto(address)
        expect(page.get_by_text("Energy from").first).to_be_visible(timeout=PATIENCE)
        expect(page.get_by_role("heading", name="Before and after")).to_be_visible(timeout=PATIENCE)
        expect(page.get_by_role("button", name="Keep", exact=True)).to_be_enabled()  # known as its owner
        page.goto("about:blank")
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_on_a_phone_and_the_run_stands_under_its_button(visit, scheme: str) -> None:
    here = visit(width=390, scheme=scheme)
    page = here.open("/fine-tune", drawn="button:has-text('Start 60 steps')")
    here.settled()
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    places = [
        page.locator(f".st-key-{key}").first.bounding_box()
        for key in ("start", "finetune-run-place", "finetune-numbers")
    ]
    button, run, numbers = (place["y"] for place in places if place is not None)
    assert button < run < button + 150
    assert run < numbers
    here.shot(f"finetune-{scheme}-390")
