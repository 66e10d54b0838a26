import tomllib
from pathlib import Path

import pytest

from app import theme
from app.widgets.points import CLASSES, MIDDLE

CONFIG = tomllib.loads((Path(theme.__file__).parent / ".streamlit" / "config.toml").read_text("utf-8"))


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def over(colour: str, below: str, share: float) -> str:
    """What is seen of a colour that lets some of what lies below it through."""
    pairs = [(int(colour[at : at + 2], 16), int(below[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(share * one + (1 - share) * other):02X}" for one, other in pairs)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_and_pages_share_their_colours(scheme: str) -> None:
    page, chart = CONFIG["theme"][scheme], theme.palette(scheme)
    assert (chart.id, chart.ood) == (page["blueColor"], page["orangeColor"])
    assert page["chartCategoricalColors"][:2] == [chart.id, chart.ood]
    assert (chart.text, chart.line, chart.page) == (page["textColor"], page["borderColor"], page["backgroundColor"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_are_readable(scheme: str) -> None:
    page, chart = CONFIG["theme"][scheme], theme.palette(scheme)
    back = page["backgroundColor"]
    for words in (page["textColor"], chart.mute, page["blueTextColor"], page["orangeTextColor"], page["linkColor"]):
        assert contrast(words, back) >= 4.5
    assert contrast(page["blueTextColor"], page["blueBackgroundColor"]) >= 4.5
    assert contrast(page["orangeTextColor"], page["orangeBackgroundColor"]) >= 4.5
    assert min(contrast(chart.id, back), contrast(chart.ood, back)) >= 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_points_on_a_map_stand_out_from_the_page(scheme: str) -> None:
    """They are drawn without letting the page through; the browser tests look at that."""
    chart = theme.palette(scheme)
    steps = [
        over(MIDDLE[scheme], end, share / 24) for end in (chart.id, chart.ood) for share in range(25)
    ]  # the colours of a score
    for colour in (chart.id, chart.ood, chart.aux, chart.mute, *CLASSES[scheme], *steps):
        assert contrast(colour, chart.page) >= 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_primary_button_is_readable_and_stands_out(scheme: str) -> None:
    page = CONFIG["theme"][scheme]
    for shade in (page["primaryColor"], over("#000000", page["primaryColor"], 0.25)):  # at hand, Streamlit darkens it
        assert contrast("#FFFFFF", shade) >= 4.5  # Streamlit writes on it in white, whatever the theme
    assert contrast(page["primaryColor"], page["backgroundColor"]) >= 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_in_the_accent_are_readable_or_take_the_colour_of_the_text(scheme: str) -> None:
    page = CONFIG["theme"][scheme]
    back = page["backgroundColor"]
    chosen = over(page["primaryColor"], back, 0.2)  # the fill of chosen pills and segments at hand
    assert contrast(page["textColor"], chosen) >= 4.5
    look = (Path(theme.__file__).parent / "static" / "look.css").read_text("utf-8")
    inherited = look[: look.index('color: inherit !important; }\n[data-testid="stBaseButton-tertiary"]')]
    for words in ('[aria-checked="true"] *', '[role="tab"][data-selected] *', "stSliderThumbValue", ":hover"):
        assert words in inherited


def test_protections_stay_on_and_nothing_is_reported_home() -> None:
    assert CONFIG["server"]["enableXsrfProtection"]
    assert CONFIG["server"]["enableCORS"]
    assert not CONFIG["browser"]["gatherUsageStats"]
    assert CONFIG["server"]["fileWatcherType"] == "none"


def test_fonts_are_served_from_here() -> None:
    for face in CONFIG["theme"]["fontFaces"]:
        file = Path(theme.__file__).parents[1] / face["url"]
        assert file.read_bytes()[:4] == b"wOF2"
        assert file.with_suffix(".LICENSE.txt").exists()


@pytest.mark.parametrize(
    ("value", "text"),
    [(-4.138, "−4.14"), (0.0, "0.00"), (0.0312, "0.0312"), (152.31, "152"), (2.5e-5, "2.50e−05"), (-3e7, "−3.00e+07")],
)
def test_numbers_are_short_and_have_a_true_minus(value: float, text: str) -> None:
    assert theme.number(value) == text


def test_small_p_values_are_not_rounded_to_zero() -> None:
    assert theme.p_value(0.0002) == "p < 0.001"
    assert theme.p_value(0.05) == "p 0.050"
