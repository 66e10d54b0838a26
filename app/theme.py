"""Colours and numbers as the pages write them. The colours are those of `.streamlit/config.toml`."""

from dataclasses import dataclass

__all__ = ["DARK", "LIGHT", "Palette", "number", "p_value", "palette", "percent"]

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class Palette:
    """What a chart needs; blue is always in-distribution, orange out-of-distribution, `aux` auxiliary outliers."""

    id: str
    ood: str
    aux: str
    text: str
    mute: str
    line: str
    page: str


LIGHT = Palette(
    id="#084B8A", ood="#C2410C", aux="#0EA5A4", text="#17202A", mute="#5B6B7B", line="#D8DEE4", page="#FFFFFF"
)
DARK = Palette(
    id="#4C9BE8", ood="#FF9B54", aux="#DDE3EA", text="#E6EBF0", mute="#A3B0BC", line="#313B47", page="#12171E"
)


def palette(scheme: str | None) -> Palette:
    """The colours of "light" or "dark"; light where the browser has not said."""
    return DARK if scheme == "dark" else LIGHT


def number(value: float) -> str:
    """Three significant digits at least, no exponent below a million, with a true minus sign."""
    size = abs(value)
    text = f"{value:.2e}" if size >= 1e6 or 0 < size < 1e-3 else f"{value:.{2 if size < 100 else 0}f}"
    if 0 < size < 1:
        text = f"{value:.3g}" if size >= 1e-3 else text
    return text.replace("-", MINUS)


def percent(share: float) -> str:
    """`0.9512` as `95.1 %`."""
    return f"{100 * share:.1f} %"


def p_value(value: float) -> str:
    """`p 0.031`; below a thousandth only that it is."""
    return "p < 0.001" if value < 0.001 else f"p {value:.3f}"
