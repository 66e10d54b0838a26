"""The Outlier prior page in a real browser: dials that answer while they are dragged, and a class that is clicked."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from oodcore.checkpoint import folder_of, read_card
from oodcore.evaluate.census import load_censuses
from oodcore.losses.balanced_energy import BalancedEnergy
from oodcore.priors import temper

pytestmark = [pytest.mark.browser, pytest.mark.slow]
BASE = "shapes-resnet20w4"
DRAWN = ".prior .panel .row"


def rows(page: Page, panel: int = 0) -> dict[str, str]:
    """Class → what its row says to those who do not see it, in the order in which they are drawn."""
    said = [str(row.get_attribute("aria-label")) for row in page.locator(".panel").nth(panel).locator(".hit").all()]
    return dict(line.split(": ", 1) for line in said)  # type: ignore[misc]


def numbers(words: str) -> tuple[float, float, float]:
    """Share in per cent, margin and weight of a row."""
    found = re.fullmatch(r"([\d.]+) % of the outliers, margin (−?[\d.]+), weight ×([\d.]+)", words)
    assert found, words
    return float(found[1]), float(found[2].replace("−", "-")), float(found[3])


def drag(page: Page, dial: Locator, share: float) -> None:
    """Press on a dial and hold it at a share of its length."""
    box = dial.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    page.mouse.move(box["x"] + 11 + share * (box["width"] - 22), y, steps=8)


def test_a_dragged_exponent_redraws_at_once_and_tells_python_on_release(visit) -> None:
    here = visit()
    page = here.open("/outlier-prior", drawn=DRAWN)
    before = rows(page)
    here.shot("prior-light-1280")
    drag(page, page.get_by_label("Exponent γ", exact=True), 0)
    flat = rows(page)
    assert len({numbers(words)[1] for words in flat.values()}) == 1
    assert {numbers(words)[2] for words in flat.values()} == {1.0}
    assert flat != before
    assert "gamma=" not in page.url
    page.mouse.up()
    page.wait_for_url(re.compile("gamma=0"))
    here.settled()
    assert rows(page) == flat


def test_the_numbers_drawn_are_the_losses(visit) -> None:
    here = visit()
    page = here.open(
        f"/outlier-prior?checkpoint={BASE}-balanced&outliers=shapes-aux-50&gamma=0.5&alpha=4&weight-gamma=1",
        drawn=DRAWN,
    )
    counts = load_censuses(f"{BASE}-balanced")["shapes-aux-50"].counts
    said = page.locator(".tick", has_text="m = ").text_content()
    loss = BalancedEnergy(margin_in=-100, margin_out=0, alpha=4, gamma=0.5, gamma_weight=1.0).fit(counts)
    base = float(str(said).removeprefix("m = ").replace("−", "-"))
    share, weight = temper(counts, 1.0), loss.class_weights
    names = read_card(folder_of(f"{BASE}-balanced")).classes
    drawn = rows(page)
    assert list(drawn) == [names[i] for i in counts.argsort(descending=True, stable=True).tolist()]
    for i, name in enumerate(names):
        percent, margin, times = numbers(drawn[name])
        assert percent == pytest.approx(100 * float(share[i]), abs=0.051)
        assert margin == pytest.approx(base + float(loss.class_margins[i]), abs=0.011)
        assert times == pytest.approx(float(weight[i]), abs=0.006)
    expect(page.get_by_label("two exponents")).to_be_checked()


def test_more_crowding_tilts_the_prior_while_it_is_dragged(visit) -> None:
    here = visit()
    page = here.open("/outlier-prior?imbalance=1", drawn=DRAWN)
    most = max(numbers(words)[0] for words in rows(page).values())
    drag(page, page.get_by_label("Crowding of the outliers"), 1)
    crowded = max(numbers(words)[0] for words in rows(page).values())
    page.mouse.up()
    assert crowded > most + 5
    page.wait_for_url(re.compile("imbalance=100"))


def test_a_clicked_class_shows_its_outliers_and_its_formula(visit) -> None:
    here = visit()
    page = here.open("/outlier-prior", drawn=DRAWN)
    first = next(iter(rows(page)))
    page.locator(".hit").first.click()
    expect(page.locator(".read")).to_contain_text(f"{first} takes")
    expect(page.locator(".read code").nth(1)).to_contain_text("m + αZ = ")
    page.wait_for_url(re.compile(f"class={first}"))
    expect(page.get_by_role("heading", name=f"Taken for {first}")).to_be_visible(timeout=30_000)
    picture = page.locator(".gallery img").first
    expect(picture).to_have_js_property("naturalWidth", 32)
    here.settled()
    here.shot("prior-class-light-1280")
    dim = page.locator(".point.dim").last.get_attribute("d")
    page.locator(".hit").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    second = list(rows(page))[1]
    expect(page.locator(".read")).to_contain_text(f"{second} takes")
    assert page.locator(".point.dim").last.get_attribute("d") != dim
    here.settled()


def test_a_point_tells_what_it_is(visit) -> None:
    here = visit()
    page = here.open("/outlier-prior", drawn=DRAWN)
    cloud = page.locator(".cloud").first
    box = cloud.bounding_box()
    assert box is not None
    found = page.locator(".tip")
    for share in (0.5, 0.45, 0.55, 0.4, 0.6):
        cloud.hover(position={"x": share * box["width"], "y": box["height"] * 0.6})
        if found.is_visible():
            break
    expect(found).to_contain_text("taken for")
    expect(found).to_contain_text(re.compile("pushed up|left alone"))
    expect(found.locator("img")).to_have_js_property("naturalWidth", 32)


def test_arrow_keys_go_from_point_to_point(visit) -> None:
    here = visit()
    page = here.open("/outlier-prior", drawn=DRAWN)
    page.locator(".cloud").first.focus()
    told = page.locator(".tip")
    page.keyboard.press("ArrowRight")
    expect(told).to_contain_text("taken for")
    first = told.inner_text()
    page.keyboard.press("ArrowRight")
    assert told.inner_text() != first
    name = told.locator("b").inner_text().removeprefix("taken for ")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(f"class={name}"))
    expect(page.locator(".read")).to_contain_text(f"{name} takes")
    here.settled()
    page.keyboard.press("ArrowUp")
    assert told.locator("b").inner_text() == f"taken for {name}"
    page.keyboard.press("Escape")
    expect(told).to_be_hidden()


def test_two_networks_side_by_side_in_the_dark(visit) -> None:
    here = visit(scheme="dark")
    page = here.open("/outlier-prior?side-by-side=true", drawn=DRAWN)
    expect(page.locator(".panel")).to_have_count(2)
    assert rows(page, 0) != rows(page, 1)
    page.get_by_role("button", name="by class").click()
    assert list(rows(page, 0)) == sorted(rows(page, 0))
    assert list(rows(page, 0)) == list(rows(page, 1))
    here.settled()
    here.shot("prior-dark-1280")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_on_a_phone(visit, scheme: str) -> None:
    here = visit(width=390, scheme=scheme)
    page = here.open("/outlier-prior?class=disc", drawn=DRAWN)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    outside = page.locator(".prior").evaluate(
        "prior => [...prior.querySelectorAll('*')].filter(part => part.getBoundingClientRect().right > 391).length"
    )
    assert outside == 0
    here.shot(f"prior-{scheme}-390")
