"""What balanced energy makes of one picture, under a network that was trained with it."""

from typing import NamedTuple

from app.services.memory import Memory
from app.services.resources import Answer, Exhibit
from oodcore.losses.balanced_energy import BalancedEnergyObjective, trained_with

__all__ = ["Balance", "balance"]


class Balance(NamedTuple):
    """One picture.

    Args:
        crowding: Z, how much it looks like the classes that outliers crowd into.
        alike: Z of every picture if outliers crowded nowhere.
        margin: What its energy would have to reach as an outlier of the training.
        energy: HIGH = out-of-distribution.
    """

    crowding: float
    alike: float
    margin: float
    energy: float


def balance(shown: Exhibit, answer: Answer) -> Balance | None:
    """None where the network was trained with another loss, or has no energy."""
    (objective,) = _OBJECTIVES.find(shown.key, lambda: (_objective(shown),))
    if objective is None or "energy" not in answer.scores:
        return None
    return Balance(
        float(objective.crowding(answer.shares)),
        1 / len(shown.model.classes),
        float(objective.margins(answer.shares)),
        answer.scores["energy"],
    )


_OBJECTIVES: Memory[str, tuple[BalancedEnergyObjective | None]] = Memory(64)


def _objective(shown: Exhibit) -> BalancedEnergyObjective | None:
    card = shown.model.card
    return None if card is None else trained_with(card.recipe, len(shown.model.classes))
