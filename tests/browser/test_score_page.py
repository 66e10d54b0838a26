"""The first page in a real browser: what a visitor sees, drags and drops."""

import csv
import io
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

SHOTS = Path(__file__).with_name("shots")
pytestmark = [pytest.mark.browser, pytest.mark.slow]


def names(page: Page, lane: str) -> list[str]:
    return [str(card.get_attribute("title")).split("\n")[0] for card in page.locator(f".{lane} .card").all()]


def dial(page: Page) -> Locator:
    return page.get_by_label("Known images to keep")


ALONE = "/?with="
"""One checkpoint, nothing beside it."""


def line_at(page: Page, panel: int = 0) -> tuple[float, float]:
    box = page.locator(".threshold").nth(panel).bounding_box()
    assert box is not None
    return box["x"], box["y"] + box["height"] / 2


def picture(colour: str) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (80, 60), colour).save(data, "PNG")
    return data.getvalue()


def file(name: str, content: bytes) -> dict[str, object]:
    return {"name": name, "mimeType": "image/png", "buffer": content}


def test_both_outcomes_are_seen_at_once_and_nothing_comes_from_elsewhere(visit, app_url: str) -> None:
    here = visit()
    page = here.open()
    own = (app_url, app_url.replace("http", "ws"), "data:", "blob:")
    assert [url for url in here.asked if not url.startswith(own)] == []
    for lane in ("kept", "differ"):
        assert len(names(page, lane)) >= 1
        expect(page.locator(f".{lane} .count")).to_have_text(str(len(names(page, lane))))
    expect(page.locator(".flips")).to_have_text(f"{len(names(page, 'differ'))} decisions")
    expect(page.get_by_role("heading", level=1)).to_have_text("Does it know what it doesn’t know?")
    assert page.title() == "OOD Explorer"
    here.shot("score-light-1280")


def test_one_checkpoint_alone_has_two_lanes_and_its_rates_on_top(visit) -> None:
    here = visit()
    page = here.open(ALONE)
    kept, flagged = names(page, "kept"), names(page, "flagged")
    assert kept
    assert flagged
    assert len(kept) + len(flagged) == page.locator(".card").count()
    expect(page.locator(".shown")).to_have_text(f"{len(kept)} kept, {len(flagged)} flagged")
    expect(page.locator(".lane.differ")).to_be_hidden()
    expect(page.locator(".caught")).to_have_text(re.compile(r"\d\d\.\d %"))
    here.shot("score-alone-1280")


def strips(page: Page) -> dict[str, list[bool]]:
    """Name of every card → whether each checkpoint flags it, as its strip of marks says."""
    found = page.locator(".card").evaluate_all(
        "cards => cards.map(card => [card.title.split('\\n')[0] + card.getAttribute('aria-label').split('.')[0], "
        "[...card.querySelectorAll('.rank')].map(row => row.classList.contains('flagged'))])"
    )
    return dict(found)


def test_one_dial_moves_every_checkpoint_and_the_flips_stand_together(visit) -> None:
    here = visit()
    page = here.open()
    chips = page.locator(".chip text")
    before, told = chips.all_text_contents(), strips(page)
    assert len(before) == 3
    x, y = line_at(page, 1)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 120, y, steps=15)
    after = strips(page)
    assert after != told
    assert all(one != other for one, other in zip(before, chips.all_text_contents(), strict=True))
    differing = [flags for flags in after.values() if len(set(flags)) > 1]
    assert len(names(page, "differ")) == len(differing) > 0
    expect(page.locator(".flips")).to_have_text(re.compile(rf"^{len(differing)} decision"))
    assert page.locator(".panel").first.locator(".mark.differs").count() == len(differing)
    page.mouse.up()
    here.settled()
    page.wait_for_url(re.compile(r"keep=[\d.]+"))
    flagged_by_main = sum(flags[0] for flags in after.values())
    expect(page.locator(".shown")).to_have_text(f"{len(after) - flagged_by_main} kept, {flagged_by_main} flagged")


def test_the_dial_as_a_p_value_decides_the_same(visit) -> None:
    here = visit()
    page = here.open("/?keep=90")
    before = strips(page)
    page.get_by_role("button", name="p-value", exact=True).click()
    expect(page.get_by_label("Flag when the p-value is at most")).to_be_visible()
    expect(page.locator("#keep-value")).to_have_text("0.100")
    expect(page.locator("#dial-hint")).to_contain_text("Flagging p ≤ 0.100 keeps 90.0 % of them")
    assert strips(page) == before
    page.wait_for_url(re.compile("by=p"))
    here.settled()
    page = here.open("/?keep=80&by=p")
    expect(page.locator("#keep-value")).to_have_text("0.200")


def test_what_is_compared_is_chosen_and_stands_in_the_link(visit) -> None:
    here = visit()
    page = here.open("/?with=semantic")
    expect(page.locator(".who")).to_have_text(["1  baseline", "2  semantic"])
    page.get_by_role("combobox", name=re.compile("Compare with")).click()
    page.keyboard.type("balanced")
    page.get_by_role("option", name="balanced", exact=True).click()
    page.keyboard.press("Escape")
    expect(page.locator(".who")).to_have_text(["1  baseline", "2  semantic", "3  balanced"], timeout=30_000)
    here.settled()
    assert "with=semantic" in page.url
    assert "with=balanced" in page.url


def test_the_energy_map_shows_what_raises_and_lowers_under_every_checkpoint(visit) -> None:
    here = visit()
    page = here.open()
    assert page.locator("[class*='st-key-figure-energy-map']").count() == 0
    page.locator(".differ .card").first.click()
    here.settled()
    page.get_by_text("Energy map: what in the picture").click()
    maps = page.locator("[class*='st-key-figure-energy-map']")
    expect(maps).to_have_count(3, timeout=60_000)
    expect(maps.first.get_by_role("figure", name=re.compile("baseline: energy −.* plain picture has"))).to_be_visible()
    here.settled()
    assert "map=true" in page.url
    assert page.locator("img[alt][style*='56px']").count() == 24  # eight known pictures under each checkpoint
    here.shot("score-energy-map-1280")


def test_the_report_and_the_table_hold_every_checkpoint_and_ask_for_nothing(visit, tmp_path) -> None:
    here = visit()
    page = here.open("/?keep=90")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download CSV").click()
    lines = list(csv.DictReader(io.StringIO(waiting.value.path().read_text(encoding="utf-8"))))
    assert len(lines) == 3 * page.locator(".card").count()
    assert {line["checkpoint"].rpartition("-")[2] for line in lines} == {"resnet20w4", "energy", "balanced"}
    differing = {line["sha256"] for line in lines if line["checkpoints_differ"] == "True"}
    assert len(differing) == len(names(page, "differ"))
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download report").click()
    waiting.value.save_as(tmp_path / "report.html")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "report.html").as_uri())
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert page.locator("tr.differs").count() == len(differing)
    assert page.locator("img").evaluate_all("all => all.every(image => image.naturalWidth > 0)")
    page.set_viewport_size({"width": 1280, "height": 2200})
    page.screenshot(path=SHOTS / "score-report.png")


def test_the_histograms_are_saved_as_a_picture_and_as_numbers(visit) -> None:
    here = visit()
    page = here.open()
    place = page.get_by_role("group", name="Save score histograms")
    with page.expect_download() as waiting:
        place.get_by_role("button", name="SVG").click()
    drawn = waiting.value.path().read_text(encoding="utf-8")
    assert drawn.count("baseline") >= 1
    assert drawn.count("<image") == 3 * page.locator(".card").count()
    with page.expect_download() as waiting:
        place.get_by_role("button", name="CSV").click()
    assert {line.split(",")[0] for line in waiting.value.path().read_text("utf-8-sig").splitlines()[1:]} == {
        "baseline", "energy", "balanced"}  # fmt: skip


def test_dragging_the_line_decides_anew_at_once_and_tells_python_on_release(visit) -> None:
    here = visit()
    page = here.open(ALONE)
    before, flagged = names(page, "kept"), names(page, "flagged")
    most_unusual = before[-1]
    x, y = line_at(page)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 400, y, steps=20)
    assert most_unusual in names(page, "flagged")
    assert set(flagged) < set(names(page, "flagged"))
    assert "keep=" not in page.url
    page.mouse.up()
    here.settled()
    page.wait_for_url(re.compile(r"keep=[\d.]+"))
    kept = float(page.url.rpartition("keep=")[2])
    assert kept < 95
    expect(page.get_by_text(f"The line is your setting, {kept:.1f} %")).to_be_visible()
    assert most_unusual in names(page, "flagged")


def test_a_link_restores_the_dial_which_answers_to_the_keyboard(visit) -> None:
    here = visit()
    page = here.open(f"{ALONE}&keep=60")
    expect(page.locator("#keep-value")).to_have_text("60.0 %")
    flagged = len(names(page, "flagged"))
    dial(page).focus()
    page.keyboard.press("End")
    expect(page.locator("#keep-value")).to_have_text("99.5 %")
    assert len(names(page, "flagged")) < flagged
    here.settled()
    page.wait_for_url(re.compile(r"keep=99\.5"))


def test_the_dial_is_where_it_was_after_the_board_was_empty(visit) -> None:
    here = visit()
    page = here.open("/?keep=90")
    dial(page).focus()
    page.keyboard.press("Home")
    page.wait_for_url(re.compile("keep=50"))
    for group in ("Known shapes", "New shapes", "Textures"):
        page.get_by_role("button", name=group).click()
        here.settled()
    expect(page.get_by_text("No pictures yet.")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Textures").click()
    expect(page.locator("#keep-value")).to_have_text("50.0 %", timeout=30_000)


def test_good_and_broken_files_together(visit) -> None:
    here = visit()
    page = here.open()
    files = [file("red.png", picture("red")), file("broken.png", b"this is no picture")]
    page.locator("input[type=file]").set_input_files(files)  # type: ignore[arg-type]
    expect(page.get_by_text("'broken.png' is not a picture that can be read here.")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("The other one was added.")).to_be_visible()
    here.settled()
    assert "red.png" in names(page, "kept") + names(page, "differ") + names(page, "flagged")
    here.shot("score-upload-1280")


def test_photographs_in_one_click(visit) -> None:
    here = visit()
    page = here.open()
    before = len(page.locator(".card").all())
    page.get_by_role("button", name="Photographs").click()
    expect(page.locator(".from", has_text="photograph").first).to_be_visible(timeout=30_000)
    here.settled()
    assert len(page.locator(".card").all()) >= before + 8
    expect(page.get_by_text("show something else, so a good score flags them")).to_be_visible()
    expect(page.locator(".card .pair .seen img").first).to_have_js_property("naturalWidth", 32)
    here.shot("score-photographs-1280")


def test_a_clicked_picture_is_looked_at_closely(visit) -> None:
    here = visit()
    page = here.open()
    card = page.locator(".differ .card").first
    name = str(card.get_attribute("title")).split("\n")[0]
    card.click()
    here.settled()
    expect(card).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-testid=stColumn] strong", has_text=re.compile(f"^{re.escape(name)}$"))).to_be_visible()
    expect(page.get_by_role("figure", name=re.compile("The network answers"))).to_be_visible()


def test_another_score_moves_the_line(visit) -> None:
    here = visit()
    page = here.open()
    chip = page.locator(".chip text").first
    before = chip.text_content() or ""
    choice = page.get_by_role("combobox", name=re.compile("Score that decides"))
    choice.click()
    choice.press_sequentially("KNN")  # the list holds only what is in sight
    page.get_by_role("option", name="KNN", exact=True).click()
    expect(page.locator("figcaption")).to_contain_text("KNN score", timeout=30_000)
    expect(chip).not_to_have_text(before)
    page.wait_for_url(re.compile("scorer=knn"))
    here.settled()


def test_the_picture_that_is_looked_at_is_in_the_link_and_opens_with_it(visit) -> None:
    here = visit()
    page = here.open()
    card = page.locator(".differ .card").first
    name = str(card.get_attribute("title")).split("\n")[0]
    card.click()
    page.wait_for_url(re.compile("photo=[0-9a-f]{12}"))
    again = visit()
    again.open(page.url)
    expect(again.page.locator(".card[aria-pressed=true]")).to_have_attribute("title", re.compile(f"^{re.escape(name)}"))
    expect(
        again.page.locator("[data-testid=stColumn] strong", has_text=re.compile(f"^{re.escape(name)}$"))
    ).to_be_visible()


def test_photos_and_dial_after_another_page(visit) -> None:
    here = visit()
    page = here.open("/?with=&keep=80")
    files = [file("red.png", picture("red")), file("blue.png", picture("blue"))]
    page.locator("input[type=file]").set_input_files(files)  # type: ignore[arg-type]
    expect(page.locator(".card .from", has_text="yours")).to_have_count(2, timeout=30_000)
    for place, drawn in (("Learn", "Begin"), ("Score", "Download report")):
        page.get_by_role("link", name=place, exact=True).first.click()
        expect(page.get_by_role("button", name=drawn).first).to_be_visible(timeout=30_000)
    here.settled()
    assert "keep=" not in page.url
    expect(page.locator("#keep-value")).to_have_text("95.0 %")
    expect(page.get_by_text("The line is your setting, 95.0 %")).to_be_visible()
    expect(page.locator(".card .from", has_text="yours")).to_have_count(2)
    here.shot("score-own-photos-1280")
    page.locator("input[type=file]").set_input_files([file("green.png", picture("green"))])  # type: ignore[list-item]
    expect(page.locator(".card .from", has_text="yours")).to_have_count(3, timeout=30_000)
    page.get_by_role("button", name="Remove green.png").click()
    expect(page.locator(".card .from", has_text="yours")).to_have_count(2, timeout=30_000)
    page.get_by_role("button", name="Forget my 2 photos").click()
    expect(page.locator(".card .from", has_text="yours")).to_have_count(0, timeout=30_000)
    expect(page.get_by_role("button", name=re.compile("Forget my"))).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_on_a_phone(visit, scheme: str) -> None:
    here = visit(width=390, scheme=scheme)
    page = here.open()
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    outside = page.locator(".board").evaluate(
        "board => [...board.querySelectorAll('*')].filter(part => part.getBoundingClientRect().right > 391).length"
    )
    assert outside == 0
    here.shot(f"score-{scheme}-390")


def test_dark_pages_use_the_dark_colours(visit) -> None:
    here = visit(scheme="dark")
    page = here.open()
    line = page.locator(".id-area").last.evaluate("path => getComputedStyle(path).stroke")
    assert line == "rgb(76, 155, 232)"
    here.shot("score-dark-1280")
