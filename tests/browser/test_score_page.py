"""The first page in a real browser: what a visitor sees, drags and drops."""

import io
import re

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]


def names(page: Page, lane: str) -> list[str]:
    return [str(card.get_attribute("title")).split("\n")[0] for card in page.locator(f".{lane} .card").all()]


def dial(page: Page) -> Locator:
    return page.get_by_label("Known images to keep")


def line_at(page: Page) -> tuple[float, float]:
    box = page.locator(".threshold").bounding_box()
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
    assert len(names(page, "kept")) >= 1
    assert len(names(page, "flagged")) >= 1
    expect(page.locator(".kept .count")).to_have_text(str(len(names(page, "kept"))))
    expect(page.get_by_role("heading", level=1)).to_have_text("Does it know what it doesn’t know?")
    assert page.title() == "OOD Explorer"
    here.shot("score-light-1280")


def test_dragging_the_line_decides_anew_at_once_and_tells_python_on_release(visit) -> None:
    here = visit()
    page = here.open()
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
    page = here.open("/?keep=60")
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
    assert "red.png" in names(page, "kept") + names(page, "flagged")
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
    card = page.locator(".flagged .card").first
    name = str(card.get_attribute("title")).split("\n")[0]
    card.click()
    here.settled()
    expect(card).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-testid=stColumn] strong", has_text=re.compile(f"^{re.escape(name)}$"))).to_be_visible()
    expect(page.get_by_role("figure", name=re.compile("The network answers"))).to_be_visible()


def test_another_score_moves_the_line(visit) -> None:
    here = visit()
    page = here.open()
    before = page.locator(".handle span").inner_text()
    page.get_by_role("combobox", name=re.compile("Score that decides")).click()
    page.keyboard.type("KNN")  # the list holds only what is in sight
    page.get_by_role("option", name="KNN", exact=True).click()
    expect(page.locator("figcaption")).to_contain_text("KNN score", timeout=30_000)
    assert page.locator(".handle span").inner_text() != before
    assert "scorer=" in here.settled().url


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
