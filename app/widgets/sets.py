"""Image sets that networks train against, in words."""

from app.services.outliers import DRAWN
from app.widgets.page import set_title

__all__ = ["auxiliary_title"]


def auxiliary_title(name: str) -> str:
    """A crowded variant of the drawn ones says how crowded it is."""
    head, _, times = name.rpartition("-")
    if name == DRAWN:
        return "Drawn look-alikes, all kinds alike"
    return f"Drawn look-alikes, {times} : 1" if head == DRAWN and times.isdigit() else set_title(name)
