"""The Blocks page in a real browser: another picture, another shuffle, another set of outliers."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DRAWN = ".tray button"
STRIP = ".st-key-figure-block-norms .js-plotly-plot svg.main-svg"


def picture(page: Page, group: str) -> Locator:
    return page.locator(".tray section", has=page.get_by_role("heading", name=group)).locator("button").first


def norm(page: Page) -> str:
    place = page.locator("[data-testid=stMetric]", has_text="This picture’s norm there")
    return place.locator("[data-testid=stMetricValue]").inner_text()


def test_another_picture_has_another_norm_and_the_link_keeps_it(visit) -> None:
    here = visit()
    page = here.open("/blocks", drawn=STRIP)
    before = norm(page)
    picture(page, "textures").click()
    expect(page.locator("[data-testid=stMetric]", has_text="norm there")).not_to_contain_text(before)
    here.settled()
    page.wait_for_url(re.compile("photo=[0-9a-f]{12}"))
    expect(picture(page, "textures")).to_have_attribute("aria-checked", "true")
    after = norm(page)
    here.open(page.url, drawn=STRIP)
    assert norm(page) == after
    expect(picture(page, "textures")).to_have_attribute("aria-checked", "true")


def test_arrow_keys_walk_through_the_tray(visit) -> None:
    here = visit()
    page = here.open("/blocks", drawn=STRIP)
    first, second = page.locator(DRAWN).nth(0), page.locator(DRAWN).nth(1)
    first.focus()
    page.keyboard.press("ArrowRight")
    expect(second).to_have_attribute("aria-checked", "true")
    here.settled()
    expect(second).to_be_focused()
    name = str(second.get_attribute("title"))
    expect(page.locator("[data-testid=stColumn] strong", has_text=re.compile(f"^{name}$"))).to_be_visible()


def test_the_selected_block_is_marked_in_words_and_shuffling_changes_the_jigsaws(visit) -> None:
    here = visit()
    page = here.open("/blocks", drawn=STRIP)
    expect(page.locator(".js-plotly-plot").get_by_text("▼ selected")).to_be_visible()
    jigsaws = page.locator(".gallery li img")
    expect(jigsaws).to_have_count(10)
    before = jigsaws.nth(3).get_attribute("src")
    page.get_by_role("button", name="Shuffle again").click()
    here.settled()
    page.wait_for_url(re.compile("seed=1"))
    assert jigsaws.nth(3).get_attribute("src") != before
    here.shot("blocks-light-1280")


def test_odin_is_added_on_request_from_drawn_pictures(visit) -> None:
    here = visit(scheme="dark")
    page = here.open("/blocks", drawn=STRIP)
    page.get_by_role("button", name=re.compile("Add ODIN")).click()
    expect(page.get_by_text("ODIN: 200 pictures of each.")).to_be_visible(timeout=60_000)
    here.settled()
    here.shot("blocks-dark-1280")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_on_a_phone(visit, scheme: str) -> None:
    here = visit(width=390, scheme=scheme)
    page = here.open("/blocks", drawn=STRIP)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    here.shot(f"blocks-{scheme}-390")
