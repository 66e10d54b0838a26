"""What a fitted panel consists of, before it can do anything."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Float64
from torch import Tensor

from oodcore.panel.members import needs
from oodcore.scorers import Fitted, GradientFitted
from oodcore.thresholds import Calibration

Scores = dict[str, Float64[Tensor, " n"]]
"""Name → one score per row."""


@dataclass(frozen=True)
class Contents:
    """Fitted scorers by name.

    Args:
        members: Name → fitted scorer.
        settings: Name → the scorer it came from and its numbers.
        about: What it was fitted on.
        classes: Logits per row that it was fitted on; None without a bank.
        width: Features per row, likewise.
        calibrations: Name → in-distribution scores that decisions compare with.
    """

    members: Mapping[str, Fitted]
    settings: Mapping[str, Mapping[str, Any]]
    about: Mapping[str, Any]
    classes: int | None = None
    width: int | None = None
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """In the order of the scores."""
        return tuple(self.members)

    @property
    def gradient_names(self) -> tuple[str, ...]:
        """Those that look at the images again, so that outputs do not suffice."""
        return tuple(name for name, member in self.members.items() if isinstance(member, GradientFitted))

    @property
    def reads_norms(self) -> bool:
        """Whether the network is to be asked for its block norms."""
        return any("norms" in needs(shown) for shown in self.settings.values())
