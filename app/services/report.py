"""What is on the board as one HTML file that needs nothing else: pictures, settings, thresholds, decisions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from app.services.decisions import Dial
from app.services.table import Row, Side
from oodcore.models.fingerprint import weights_hash

__all__ = ["Curve", "Settings", "report"]

HERE = Path(__file__).parent


class Curve(Protocol):
    """Histograms as paths of an SVG, and where the threshold is in it."""

    @property
    def width(self) -> float: ...
    @property
    def height(self) -> float: ...
    @property
    def id(self) -> str: ...
    @property
    def ood(self) -> str | None: ...
    @property
    def line(self) -> float: ...
    @property
    def ends(self) -> tuple[float, float]: ...


@dataclass(frozen=True, slots=True)
class Settings:
    """What the decisions follow from.

    Args:
        scorer: Decides.
        names: Scorers in the tables, the deciding one among them.
        acceptance: Share of known images to keep, 0..1.
        level: The same as a setting of the dials.
        outliers: What is compared with, in words; empty without.
    """

    scorer: str
    names: Sequence[str]
    acceptance: float
    level: int
    outliers: str


def report(
    found: Sequence[Row],
    sides: Sequence[Side],
    dials: Sequence[Dial],
    curves: Sequence[Curve],
    settings: Settings,
    number: Callable[[float], str],
) -> str:
    """The file. Names of pictures and classes are text in it, whatever they hold.

    Args:
        found: Pictures, in the order in which they are listed.
        sides: The checkpoints, the main one first.
        dials: One per checkpoint.
        curves: One per checkpoint.
        settings: See there.
        number: How scores are written.
    """
    return _template().render(
        rows=found,
        sides=list(zip(sides, dials, curves, strict=True)),
        weights={side.shown.name: weights_hash(side.shown.model)[:16] for side in sides},
        settings=settings,
        guarantee=sides[0].shown.calibration(settings.scorer).guarantee(settings.acceptance),
        differing=[row for row in found if row.differs(settings.scorer)],
        number=number,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


@cache
def _template() -> Template:
    found = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return found.get_template("report.html")
