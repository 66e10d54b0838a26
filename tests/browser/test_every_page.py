"""What holds on every page: nothing is cut on a phone, and buttons are readable in both themes."""

import re

import pytest
from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = {
    "/": ".board .card",
    "/outlier-prior": ".prior .panel .row",
    "/clusters": ".points .panel canvas",
    "/fine-tune": "button:has-text('Start')",
    "/blocks": ".st-key-figure-block-norms .js-plotly-plot",
    "/benchmark": ".matrix tbody button",
    "/learn": ".st-key-learn-cards",
    "/learn?lesson=balance&step=3": ".stage .views svg",
    "/checkpoints": "[class*=st-key-tile-]",
    "/checkpoints?view=one&checkpoint=shapes-resnet20w4": "[data-testid=stTabs]",
    "/checkpoints?view=two&checkpoint=shapes-resnet20w4&beside=shapes-resnet20w4-energy": ".js-plotly-plot",
    "/checkpoints?view=own": "[data-testid=stFileUploader], [data-testid=stButtonGroup]",
}
CUT = """() => {
  const found = [], above = (part) => part.parentElement ?? part.getRootNode().host ?? null;
  const scrolls = (part) => ["auto", "scroll"].includes(getComputedStyle(part).overflowX);
  const wide = (part) => part.scrollWidth > part.clientWidth + 1 && !part.matches("[data-testid=stMain]");
  const ELSEWHERE = "svg, style, script, canvas, [data-testid=stDataFrame], [data-testid=stHeader]";
  const window_ = (part) => {  // what of the page it may be seen through; null where it is not meant to be seen
    let [left, right] = [0, innerWidth];
    for (let each = part; each; each = above(each)) {
      const style = getComputedStyle(each), box = each.getBoundingClientRect();
      if (style.clipPath !== "none" || style.position === "fixed" || (scrolls(each) && wide(each))) return null;
      if (!["hidden", "clip"].includes(style.overflowX) || style.display === "inline") continue;
      if (box.width < 2 || box.height < 2 || (style.textOverflow === "ellipsis" && each.title)) return null;
      [left, right] = [Math.max(left, box.left), Math.min(right, box.right)];
    }
    return [left, right];
  };
  const look = (root) => {
    for (const part of root.querySelectorAll("*")) {
      if (part.shadowRoot) look(part.shadowRoot);
      if (part.closest(ELSEWHERE)) continue;
      if (!part.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
      for (const words of part.childNodes) {
        if (words.nodeType !== Node.TEXT_NODE || !words.textContent.trim()) continue;
        const range = document.createRange();
        range.selectNodeContents(words);
        const box = range.getBoundingClientRect(), seen = window_(part);
        if (box.width < 2 || !seen || (box.left > seen[0] - 1.5 && box.right < seen[1] + 1.5)) continue;
        found.push(`${words.textContent.trim()} from ${box.left} to ${box.right} in ${seen}`);
      }
    }
  };
  look(document);
  return found;
}"""
"""Words that are cut at a side, other than in what scrolls, and where beside the pointer they are told in full."""


@pytest.mark.parametrize(("path", "drawn"), PAGES.items(), ids=list(PAGES))
def test_no_words_are_cut_on_a_phone(visit, path: str, drawn: str) -> None:
    page = visit(width=390).open(path, drawn=drawn)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    assert page.evaluate(CUT) == []


def channels(colour: str) -> list[float]:
    found = re.findall(r"[\d.]+", colour)
    return [float(part) for part in found[:3]]


def luminance(colour: str) -> float:
    parts = [part / 255 for part in channels(colour)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(page: Page, words: str, back: str) -> float:
    """Of the words of one element on the fill of another."""
    colour = page.locator(words).first.evaluate("part => getComputedStyle(part).color")
    fill = page.locator(back).first.evaluate("part => getComputedStyle(part).backgroundColor")
    low, high = sorted([luminance(colour), luminance(fill)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_buttons_and_tabs_are_readable(visit, scheme: str) -> None:
    page = visit(scheme=scheme).open("/learn", drawn="[data-testid=stBaseButton-primary]")
    button = "[data-testid=stBaseButton-primary]"
    assert contrast(page, button, button) >= 4.5
    page = visit(scheme=scheme).open("/checkpoints?view=one&checkpoint=shapes-resnet20w4", drawn="[role=tab]")
    assert contrast(page, "[role=tab][data-selected]", "[data-testid=stApp]") >= 4.5
    assert contrast(page, "[role=tab][data-selected] p", "[data-testid=stApp]") >= 4.5


def test_the_first_page_is_found_under_its_own_name_too(visit) -> None:
    page = visit().open("/score?keep=80", drawn=PAGES["/"])
    assert page.url.endswith("/?keep=80")
    assert page.get_by_text("Page not found").count() == 0
