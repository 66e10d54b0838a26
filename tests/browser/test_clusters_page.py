"""The maps in a real browser: lasso, linked selection, pictures by id, hidden points, keyboard, files to take home."""

import csv
import io
import re

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from oodcore.data.procedural import procedural
from oodcore.evaluate.pictures import image_rows

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DRAWN = ".points .panel canvas"
URL = "/clusters"


def stage(page: Page, side: int = 0) -> Locator:
    return page.locator(".points canvas.top").nth(side)


def drag(page: Page, spots: list[tuple[float, float]], side: int = 0) -> None:
    """Along these places, given as shares of the map's width and height."""
    stage(page, side).evaluate("canvas => canvas.scrollIntoView({ block: 'center' })")
    box = stage(page, side).bounding_box()
    assert box is not None
    places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in spots]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def everything(page: Page, side: int = 0) -> None:
    drag(page, [(0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99)], side)


def counted(page: Page) -> int:
    return int(page.locator(".status b").inner_text())


def saved(page: Page, kind: str) -> bytes:
    with page.expect_download() as waiting:
        page.locator(f".saves [data-save={kind}]").last.click()
    return waiting.value.path().read_bytes()


def ink(page: Page, side: int = 0) -> int:
    """Pixels that something is drawn on."""
    return int(
        page.locator(".points canvas.base")
        .nth(side)
        .evaluate(
            "c => { const pen = new OffscreenCanvas(c.width, c.height).getContext('2d'); pen.drawImage(c, 0, 0);"
            " const d = pen.getImageData(0, 0, c.width, c.height).data; let n = 0;"
            " for (let i = 3; i < d.length; i += 4) if (d[i]) n++; return n; }"
        )
    )


def test_two_maps_open_at_once_and_share_one_selection(visit, app_url: str) -> None:
    here = visit()
    page = here.open(URL, drawn=DRAWN)
    expect(page.locator(".points .panel")).to_have_count(2)
    expect(page.locator(".points figcaption").nth(0)).to_contain_text("UMAP, seed 0")
    expect(page.locator(".points figcaption").nth(1)).to_contain_text("embeddings")
    assert min(ink(page, 0), ink(page, 1)) > 5_000
    own = (app_url, app_url.replace("http", "ws"), "data:", "blob:")
    assert [url for url in here.asked if not url.startswith(own)] == []
    expect(page.locator(".status")).to_contain_text("Nothing selected")
    here.shot("clusters-light-1280-empty")
    drag(page, [(0.3, 0.05), (0.55, 0.05), (0.55, 0.35), (0.3, 0.35)])
    some = counted(page)
    assert 10 < some < 2000
    lines = page.locator(".points .card").first.locator(".facts .line")
    expect(lines).to_have_count(2)
    expect(lines.nth(1)).to_contain_text("R ")
    counts = [text.split(" / ") for text in page.locator(".sets .chip .n").all_inner_texts()]
    assert sum(int(one) for one, _ in counts) == some
    assert sum(int(all_) for _, all_ in counts) == 4000
    here.settled()
    expect(page.get_by_role("heading", name="The selected images in numbers")).to_be_visible()
    page.wait_for_function(
        "performance.getEntriesByType('resource').filter(({ name }) => name.includes('/sheets/')).length >= 4"
    )
    here.shot("clusters-light-1280")


def test_pictures_are_those_of_the_images_whatever_the_order(visit) -> None:
    page = visit().open(f"{URL}?two=false", drawn=DRAWN)
    everything(page)
    assert counted(page) == 4000
    page.locator(".sort select").select_option("0 energy -1")
    thumb = page.locator(".points .card .thumb[data-id^='shapes:']").first
    set_, _, row = str(thumb.get_attribute("data-id")).rpartition("/")
    name, _, measured = set_.partition(":")
    found = thumb.evaluate(
        """async (box) => {
            const style = getComputedStyle(box), source = style.backgroundImage.slice(5, -2), image = new Image();
            image.src = source; await image.decode();
            const [x, y] = style.backgroundPosition.split(' ').map(parseFloat);
            const one = image.naturalWidth / (parseFloat(style.backgroundSize) / 60);
            const canvas = new OffscreenCanvas(one, one), pen = canvas.getContext('2d');
            pen.drawImage(image, -x / 60 * one, -y / 60 * one, one, one, 0, 0, one, one);
            return [...pen.getImageData(0, 0, one, one).data];
        }"""
    )
    images = procedural(name, "test")
    wanted = images[int(image_rows(int(measured), len(images))[int(row)])].image
    seen = Image.frombytes("RGBA", (32, 32), bytes(found)).convert("RGB")
    pixels = list(wanted.movedim(0, -1).reshape(-1).tolist())
    apart = sum(abs(a - b) for a, b in zip(seen.tobytes(), pixels, strict=True)) / len(pixels)
    assert apart < 12  # the sheet is compressed; another image of the set is 40 and more away


def test_hidden_points_are_left_alone_and_recolouring_keeps_the_selection(visit) -> None:
    here = visit()
    page = here.open(f"{URL}?two=false", drawn=DRAWN)
    page.locator(".sets .chip", has_text="textures").click()
    page.wait_for_url(re.compile("hidden=shapes-far"))
    before = ink(page)
    everything(page)
    assert counted(page) == 3000
    page.locator(".colour select").select_option("energy")
    assert counted(page) == 3000
    expect(page.locator(".scale")).to_contain_text("higher = more out-of-distribution")
    here.settled()
    page.wait_for_url(re.compile("colour=energy"))
    assert counted(page) == 3000
    page.locator(".sets .chip", has_text="textures").click()
    assert counted(page) == 3000
    assert ink(page) > before
    page.locator(".points .clear").click()
    expect(page.locator(".status")).to_contain_text("Nothing selected")
    expect(page).not_to_have_url(re.compile("hidden="))


def test_a_link_hides_sets_and_places_others(visit) -> None:
    here = visit()
    page = here.open(f"{URL}?two=false&hidden=shapes-far&placed=textures", drawn=DRAWN)
    expect(page.locator(".sets .chip", has_text="textures")).to_have_attribute("aria-pressed", "false")
    everything(page)
    assert counted(page) == 3004  # three sets, four placed textures
    here.settled()
    expect(page.get_by_role("heading", name="The selected images in numbers")).to_be_visible()


def test_a_selected_class_and_its_order_travel_in_the_link(visit) -> None:
    here = visit()
    page = here.open(URL, drawn=DRAWN)
    page.locator(".classes .chip", has_text="ring").click()
    page.locator(".sort select").select_option("0 energy -1")
    here.settled()
    assert "selected-class=ring" in page.url
    assert "order=a-energy-lowest" in page.url
    some, first = counted(page), page.locator(".points .card").first.inner_text()
    other = visit().open(page.url[page.url.index(URL) :], drawn=DRAWN)
    expect(other.locator(".status b")).to_have_text(str(some))
    expect(other.locator(".points .card").first).to_have_text(first, use_inner_text=True)
    expect(other.get_by_role("heading", name="The selected images in numbers")).to_be_visible()


def test_cards_end_on_whole_rows_and_nothing_on_them_is_cut(visit) -> None:
    page = visit().open(URL, drawn=DRAWN)
    everything(page)
    cards = page.locator(".points .cards")
    across = len({round(left) for left in cards.locator(".card").evaluate_all(
        "cards => cards.map((card) => card.getBoundingClientRect().x)"
    )})  # fmt: skip
    assert across > 2
    assert cards.locator(".card").count() == 4 * across
    assert cards.evaluate("cards => cards.scrollHeight <= cards.clientHeight + 1")
    cut = cards.evaluate(
        "cards => [...cards.querySelectorAll('.from, .facts, .line, .near')]"
        ".filter((part) => part.scrollWidth > part.clientWidth + 1 || part.scrollHeight > part.clientHeight + 2)"
        ".filter((part) => getComputedStyle(part).display !== 'inline').map((part) => part.textContent)"
    )
    assert cut == []


def test_a_click_selects_one_and_the_keyboard_goes_on_from_there(visit) -> None:
    here = visit()
    page = here.open(f"{URL}?two=false&colour=set", drawn=DRAWN)
    stage(page).focus()
    page.keyboard.press("ArrowRight")
    first = page.locator(".status").inner_text()
    assert "E " in first
    page.keyboard.press("ArrowRight")
    assert page.locator(".status").inner_text() != first
    page.keyboard.press("Enter")
    assert counted(page) == 1
    expect(page.locator(".points .card")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator(".status")).to_contain_text("Nothing selected")
    page.keyboard.press("+")
    page.keyboard.press("0")
    here.settled()


def test_what_is_taken_home(visit) -> None:
    page = visit().open(URL, drawn=DRAWN)
    rows = list(csv.DictReader(io.StringIO(saved(page, "csv").decode("utf-8-sig"))))
    assert len(rows) == 8000
    assert {row["map"] for row in rows} == {"shapes-resnet20w4, features", "shapes-resnet20w4-semantic, embeddings"}
    assert all(0 <= float(row["x"]) <= 1 for row in rows)
    drawing = saved(page, "svg").decode()
    assert drawing.count("<path") > 20
    assert "A · shapes-resnet20w4, features" in drawing
    assert "B · shapes-resnet20w4-semantic, embeddings" in drawing
    assert [
        name for name in page.locator(".classes .chip .name").all_inner_texts() if f">{name}</text>" not in drawing
    ] == []
    assert {float(share) for share in re.findall(r' opacity="([^"]+)"', drawing)} == {1.0}
    page.locator(".colour select").select_option("energy")
    scales = re.findall(r">(.) *: ([−0-9.]+)</text>", saved(page, "svg").decode())
    ends = page.locator(".scale .one .n:first-child").all_inner_texts()
    assert [f"{letter}: {low}" for letter, low in scales] == ends
    assert len(ends) == 2
    picture = Image.open(io.BytesIO(saved(page, "png")))
    assert picture.width > 1500
    assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 30


def test_own_photos_are_placed_with_a_warning_when_far(visit) -> None:
    here = visit()
    page = here.open(URL, drawn=DRAWN)
    page.get_by_role("button", name="Add your photos").click()
    data = io.BytesIO()
    Image.effect_noise((90, 90), 200).convert("RGB").save(data, "PNG")
    page.locator("input[type=file]").set_input_files(
        [{"name": "noise.png", "mimeType": "image/png", "buffer": data.getvalue()}]
    )
    expect(page.get_by_role("button", name=re.compile(r"Your photos \(1\)"))).to_be_visible(timeout=30_000)
    here.settled()
    page.keyboard.press("Escape")
    page.locator(".modes [data-mode=box]").click()
    drag(page, [(0.0, 0.0), (0.999, 0.999)])
    assert counted(page) == 4001
    card = page.locator(".points .card", has_text="noise.png")
    while card.count() == 0:
        page.locator(".points .more").click()
    expect(card).to_contain_text("farther out than")
    card.click()
    assert counted(page) == 1
    here.settled()
    expect(page.get_by_role("heading", name="The selected images in numbers")).to_be_visible()
    here.shot("clusters-photo-1280")


def test_the_wheel_scrolls_the_page_and_zooms_only_when_asked(visit) -> None:
    page = visit().open(f"{URL}?two=false", drawn=DRAWN)
    box = stage(page).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    before, top = ink(page), box["y"]
    page.mouse.wheel(0, 120)
    page.wait_for_timeout(400)
    moved = stage(page).bounding_box()
    assert moved is not None
    assert moved["y"] == pytest.approx(top - 120, abs=2)
    assert ink(page) == before
    page.keyboard.down("Control")
    page.mouse.wheel(0, -120)
    page.keyboard.up("Control")
    page.wait_for_timeout(200)
    assert ink(page) != before
    still = stage(page).bounding_box()
    assert still is not None
    assert still["y"] == pytest.approx(moved["y"], abs=2)


def test_a_finger_scrolls_past_the_map_until_a_tool_is_chosen(browser: Browser, app_url: str) -> None:
    phone = browser.new_context(
        base_url=app_url, has_touch=True, is_mobile=True, viewport={"width": 390, "height": 800}
    )
    page = phone.new_page()
    page.goto(f"{URL}?two=false")
    page.wait_for_selector(DRAWN, timeout=60_000)
    expect(page.get_by_role("button", name="Scroll", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".points .hint")).to_contain_text("A finger scrolls the page")
    action = "frame => getComputedStyle(frame).touchAction"
    assert page.locator(".points .stage").evaluate(action) == "manipulation"
    page.locator(".modes [data-mode=lasso]").tap()
    assert page.locator(".points .stage").evaluate(action) == "none"
    phone.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_on_a_phone(visit, scheme: str) -> None:
    here = visit(width=390, scheme=scheme)
    page = here.open(URL, drawn=DRAWN)
    drag(page, [(0.3, 0.05), (0.7, 0.05), (0.7, 0.4), (0.3, 0.4)])
    here.settled()
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    outside = page.locator(".points").evaluate(
        "points => [...points.querySelectorAll('*')].filter(part => part.getBoundingClientRect().right > 391).length"
    )
    assert outside == 0
    here.shot(f"clusters-{scheme}-390")


def test_dark(visit) -> None:
    here = visit(scheme="dark")
    page = here.open(f"{URL}?checkpoint=cifar10-resnet20&beside=cifar10-resnet20-semantic", drawn=DRAWN)
    drag(page, [(0.3, 0.3), (0.6, 0.3), (0.6, 0.6), (0.3, 0.6)])
    here.settled()
    here.shot("clusters-dark-1280")
