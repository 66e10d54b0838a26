"""The Checkpoints page in a real browser: look inside, compare, bring, fit, delete."""

import io
import re

import pytest
import torch
from playwright.sync_api import Page, expect

from oodcore.models import build

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TILE = "[class*=st-key-tile-]"


def weights(seed: int) -> bytes:
    torch.manual_seed(seed)
    file = io.BytesIO()
    torch.save(build("resnet-8-w4", 10).state_dict(), file)
    return file.getvalue()


def give(page: Page, name: str, content: bytes) -> None:
    page.locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    )


def test_the_gallery_opens_one_and_the_link_keeps_it(visit) -> None:
    here = visit()
    page = here.open("/checkpoints", drawn=TILE)
    assert page.locator(TILE).count() >= 10
    here.shot("checkpoints-light-1280")
    tile = page.locator(".st-key-tile-shapes-resnet20w4-energy")
    expect(tile).to_contain_text("Drawn look-alikes, 50 : 1")
    expect(page.get_by_role("heading", name="Ten drawn figures")).to_be_visible()
    tile.get_by_role("button", name="Look inside").click()
    here.settled()
    page.wait_for_url(re.compile("checkpoint=shapes-resnet20w4-energy"))
    expect(page.get_by_role("heading", name="Drawn shapes, energy")).to_be_visible()
    expect(page.get_by_text("energy margins against outliers").last).to_be_visible()
    here.shot("checkpoints-inside-1280")
    page.get_by_role("tab", name="Blocks").click()
    expect(page.get_by_role("tabpanel").locator("[data-testid=stDataFrame]").last).to_be_visible()
    assert "tab=Blocks" in page.url
    page.locator("[class*=st-key-onward]").get_by_role("button", name="Blocks").click()
    page.wait_for_url(re.compile("/blocks.*checkpoint=shapes-resnet20w4-energy"))


def test_a_tile_beats_the_link_that_one_came_with(visit) -> None:
    here = visit(scheme="dark")
    page = here.open("/checkpoints?checkpoint=shapes-resnet20w4-oe", drawn=TILE)
    here.shot("checkpoints-dark-1280")
    page.locator(".st-key-tile-shapes-resnet20w4-energy").get_by_role("button", name="Look inside").click()
    page.wait_for_url(re.compile("checkpoint=shapes-resnet20w4-energy"))
    expect(page.get_by_role("heading", name="Drawn shapes, energy")).to_be_visible()


def test_two_side_by_side(visit) -> None:
    here = visit(scheme="dark")
    page = here.open(
        "/checkpoints?view=two&checkpoint=shapes-resnet20w4&beside=shapes-resnet20w4-energy", drawn=".js-plotly-plot"
    )
    expect(page.get_by_role("heading", name="Settings that differ")).to_be_visible()
    here.shot("checkpoints-two-dark-1280")


def test_weights_are_recognised_kept_and_deleted_by_their_owner_alone(visit) -> None:
    here = visit(scheme="dark")
    page = here.open("/checkpoints?view=own", drawn="[data-testid=stFileUploader]")
    give(page, "evil.pt", b"this is no network" * 20)
    expect(page.get_by_text("damaged or not a PyTorch checkpoint")).to_be_visible(timeout=30_000)
    give(page, "mine.pt", weights(7))
    expect(page.get_by_text("tried on one picture")).to_be_visible(timeout=30_000)
    here.settled()
    here.shot("checkpoints-own-dark-1280")
    page.get_by_role("combobox", name="Class names").click()
    page.get_by_role("option", name="Drawn shapes").click()
    here.settled()
    page.get_by_label("What to call it").fill("A network of mine")
    page.keyboard.press("Enter")
    here.settled()
    page.get_by_role("button", name="Keep it on this server").click()
    expect(page.get_by_text("Kept as own-resnet-8-w4")).to_be_visible(timeout=30_000)
    here.settled()
    expect(page.get_by_role("heading", name="A network of mine")).to_be_visible()
    expect(page.get_by_role("button", name="Fit its scorers")).to_be_visible()
    name = re.search(r"checkpoint=([\w-]+)", page.url)
    assert name is not None
    here.shot("checkpoints-kept-1280")

    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_text("'A network of mine' is deleted.")).to_be_visible(timeout=30_000)
    expect(page.locator(f".st-key-tile-{name[1]}")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_on_a_phone(visit, scheme: str) -> None:
    here = visit(width=390, scheme=scheme)
    page = here.open("/checkpoints", drawn=TILE)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    here.shot(f"checkpoints-{scheme}-390")
