"""Benchmark in a real browser: the heat table, a chosen cell, and an evaluation that runs as a job."""

import io
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOTS = Path(__file__).with_name("shots")
DRAWN = ".matrix tbody button"
SHAPES = "/benchmark?results=cards-shapes"


def cell(page: Page, row: str, column: int) -> Locator:
    line = page.locator(f".matrix tbody tr:has(> th[data-title='{row}'])")
    return line.locator("td").nth(column).locator("button")


def number(cell: Locator) -> float:
    return float(re.search(r"\d+\.\d", cell.inner_text()).group())  # type: ignore[union-attr]


def test_the_table_opens_with_answers_and_a_click_opens_a_cell_with_its_curves(visit) -> None:
    here = visit()
    page = here.open(SHAPES, drawn=DRAWN)
    expect(page.locator(".matrix .answers li")).to_have_count(4)
    before = page.get_by_role("heading", level=3).first.inner_text()
    far = cell(page, "shapes-resnet20w4-balanced", 1)
    stored = number(far)
    far.click()
    page.wait_for_url(re.compile("cell=shapes-resnet20w4-balanced"))
    expect(page.get_by_role("heading", name=re.compile("balanced with energy on shapes-far"))).to_be_visible()
    assert before != "shapes-resnet20w4-balanced with energy on shapes-far"
    here.settled()
    expect(far).to_have_attribute("aria-pressed", "true")
    said = page.get_by_text("AUROC ↑ of exactly these:")
    expect(said).to_be_visible(timeout=30_000)
    drawn, table = (float(text) for text in re.findall(r"(\d+\.\d+) %", said.inner_text()))
    assert abs(table - stored) < 0.06
    assert abs(drawn - table) < 0.05  # the energy of every image is kept
    expect(page.locator(".st-key-figure-roc .js-plotly-plot")).to_be_visible()
    here.shot("benchmark-light-1280")


def test_the_other_class_and_another_metric_change_numbers_and_words(visit) -> None:
    here = visit()
    page = here.open(f"{SHAPES}&metric=fpr&cell=shapes-resnet20w4|energy|shapes-near", drawn=DRAWN)
    caption = page.locator("[data-testid=stCaptionContainer]", has_text="In-distribution: shapes")
    expect(caption).to_contain_text("FPR95 (OOD positive, first)")
    first = number(cell(page, "shapes-resnet20w4", 0))
    page.get_by_role("radio", name="ID", exact=True).or_(
        page.get_by_role("button", name="ID", exact=True)
    ).first.click()
    expect(caption).to_contain_text("FPR95 (ID positive, first)", timeout=30_000)
    here.settled()
    assert number(cell(page, "shapes-resnet20w4", 0)) != first
    assert "found=id" in page.url


def test_arrow_keys_move_and_enter_opens(visit) -> None:
    here = visit()
    page = here.open(SHAPES, drawn=DRAWN)
    cell(page, "shapes-resnet20w4", 0).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"cell=.*shapes-far"))
    here.settled()
    expect(page.locator(".matrix tbody tr").nth(1).locator("td button").nth(1)).to_have_attribute(
        "aria-pressed", "true"
    )


def test_scores_down_and_differences(visit) -> None:
    here = visit(scheme="dark")
    page = here.open("/benchmark?rows=scorer&columns=network&minus=baseline", drawn=DRAWN)
    expect(page.locator(".matrix.diverging")).to_be_visible()
    few = page.locator(".matrix tbody tr").count()
    here.shot("benchmark-difference-dark-1280")
    page.get_by_text(re.compile(r"All \d+ scores")).click()
    expect(page.locator(".matrix tbody tr").nth(few + 5)).to_be_visible(timeout=30_000)


def test_the_table_is_taken_home_as_a_picture(visit) -> None:
    page = visit().open(SHAPES, drawn=DRAWN)
    kept = {}
    for kind in ("svg", "png"):
        with page.expect_download() as waiting:
            page.locator(f".matrix [data-save={kind}]").click()
        assert waiting.value.suggested_filename == f"cards-shapes-auroc.{kind}"
        kept[kind] = waiting.value.path().read_bytes()
    drawing = kept["svg"].decode()
    said = re.findall(r">([^<]+)</text>", drawing)
    for line in page.locator(".matrix tbody tr").all():
        assert line.locator("th").get_attribute("data-title") in " ".join(said)
        assert [text for text in line.locator("button > span").all_inner_texts() if text.lstrip("●○") not in said] == []
    fills = set(re.findall(r'fill="(#[0-9a-f]{6})"', drawing))
    assert len(fills) > 8
    assert "color(" not in drawing
    picture = Image.open(io.BytesIO(kept["png"]))
    assert picture.width > 1200
    SHOTS.mkdir(exist_ok=True)
    picture.save(SHOTS / "benchmark-taken-home.png")


def test_dark(visit) -> None:
    here = visit(scheme="dark")
    page = here.open(SHAPES, drawn=DRAWN)
    page.get_by_role("button", name="Its densities, ROC").click()
    expect(page.locator(".st-key-figure-roc .js-plotly-plot")).to_be_visible(timeout=30_000)
    here.shot("benchmark-dark-1280")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_on_a_phone(visit, scheme: str) -> None:
    here = visit(width=390, scheme=scheme)
    page = here.open("/benchmark", drawn=DRAWN)
    page.wait_for_timeout(1500)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    here.shot(f"benchmark-{scheme}-390")


def test_an_evaluation_runs_as_a_job_and_its_results_open(visit) -> None:
    here = visit()
    page = here.open(SHAPES, drawn=DRAWN)
    page.get_by_role("radio", name="500").click()
    here.settled()
    page.get_by_role("button", name="Measure").click()
    expect(page.get_by_role("button", name="Show its results")).to_be_visible(timeout=120_000)
    page.get_by_role("button", name="Show its results").click()
    page.wait_for_url(re.compile("results=evaluate-"))
    expect(page.get_by_text("shapes (500 images)").first).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Its densities, ROC").click()
    expect(page.get_by_text(re.compile("Every image that .* scored on this server"))).to_be_visible(timeout=30_000)
    here.settled()
    drawn, table = (
        float(text) for text in re.findall(r"(\d+\.\d+) %", page.get_by_text("of exactly these:").inner_text())
    )
    assert abs(drawn - table) < 0.02
    here.shot("benchmark-evaluated-1280")
