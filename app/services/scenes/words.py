"""Numbers inside formulas: short, with a true minus sign, raised and lowered as the stage writes them."""

from collections.abc import Sequence

__all__ = ["exponentials", "number", "signed"]

SHOWN = 3  # terms of a sum that are written out


def number(value: float, digits: int = 2) -> str:
    """`−7.10`."""
    text = f"{value:.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}") if float(text) else text.lstrip("-")


def signed(value: float, digits: int = 1) -> str:
    """`+ 2.5` or `− 2.5`, to be written behind something."""
    return f"{'+' if value >= 0 else chr(0x2212)} {abs(value):.{digits}f}"


def exponentials(values: Sequence[float], divisor: str = "", digits: int = 1) -> str:
    """`e^{7.1} + e^{0.3} + e^{−1.2} + 7 more`, largest first.

    Args:
        values: Exponents.
        divisor: What each is divided by, as it is written.
        digits: After the point.
    """
    first = sorted(values, reverse=True)[:SHOWN]
    terms = [f"e^{{{number(value, digits)}{divisor}}}" for value in first]
    rest = len(values) - len(first)
    return " + ".join([*terms, *([f"{rest} more"] if rest else [])])
