"""What a fine-tuning is told: a published setting adapted to a checkpoint, the images at hand and a small budget.

Nothing is changed silently: every departure from a published setting is a sentence, shown on the page and kept on the
card of the result.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any

from oodcore.config import Experiment, flattened, read_experiment, recipes, usual_margins
from oodcore.data import Entry, entries, entry
from oodcore.errors import OODError
from oodcore.losses import losses

__all__ = ["LOSSES", "Adapted", "Basis", "adapted", "auxiliary_beside", "differing", "evaluation_of", "presets"]

LOSSES = ("outlier_exposure", "energy", "balanced_energy", "semantic_energy")
DRAWN_STEPS, STEPS = 60, 40  # a minute of one core at most, for the shipped networks
VALIDATIONS, VALIDATED = 6, 500
BANK, MEASURED = 1000, 1000  # images that scorers learn from, and of each set that is measured
WITHOUT = ("odin",)  # differentiates the network: longer than all others together
RATE = 0.01
MADE_FOR = "published settings count on many thousands of steps"


@dataclass(frozen=True, slots=True)
class Basis:
    """A checkpoint, and images for it.

    Args:
        checkpoint: Its name.
        inside: What it knows.
        outliers: Auxiliary outliers.
        tests: OOD test sets.
        long_tail: Of its training; None where all classes are alike.
    """

    checkpoint: str
    inside: Entry
    outliers: str
    tests: tuple[str, ...]
    long_tail: float | None = None

    @property
    def drawn(self) -> bool:
        """Whether code draws the images."""
        return not self.inside.needs


@dataclass(frozen=True, slots=True)
class Adapted:
    """A setting for this checkpoint.

    Args:
        experiment: Ready to run.
        changes: What differs from the published setting, in sentences.
        source: Where it is from.
    """

    experiment: Experiment
    changes: tuple[str, ...] = field(default_factory=tuple)
    source: str = ""


def presets(loss: str, basis: Basis) -> list[str]:
    """Recipes that fine-tune with this loss, for as many classes and a tail where there is one; own ones come first."""
    found = {name: known for name, known in _known().items() if known.loss == loss and _applies(known, basis)}
    return sorted(found, key=lambda name: (found[name].model.checkpoint != basis.checkpoint, name))


def auxiliary_beside(inside: Entry) -> list[Entry]:
    """Auxiliary outliers of the catalogue, of the same coding and as drawn or as photographed; those at hand first."""
    found = [
        each
        for each in entries()
        if each.role == "auxiliary" and each.coding == inside.coding and bool(each.needs) == bool(inside.needs)
    ]
    return sorted(found, key=lambda each: not each.present())


def adapted(basis: Basis, loss: str, source: str | None = None) -> Adapted:
    """A recipe of the package, or without one this project's short setting, for a checkpoint and a few dozen steps.

    Raises:
        UnknownNameError: no such recipe or loss.
        DataError: see `Experiment`.
    """
    known = None if source is None else read_experiment(source)
    if known is not None and known.loss != loss:
        raise OODError(f"'{source}' is a setting for another loss, '{known.loss}'.")
    values = _plain(basis, loss) if known is None else known.to_json()
    changes = (
        [] if known is None else [*_start(values, basis), *_images(values, basis), *_margins(values, basis, known)]
    )
    changes += _budget(values, basis, known)
    values |= {
        "title": f"{losses[loss].about.title} from {basis.checkpoint}",
        "model": {"checkpoint": basis.checkpoint},
        "source": "own setting: Fine-tune page" if source is None else f"recipe {source}",
        "notes": changes,
    }
    return Adapted(Experiment.from_json(values), tuple(changes), "" if known is None else known.source)


def evaluation_of(basis: Basis) -> dict[str, Any]:
    """How the result is completed; see `oodcore.jobs.complete`."""
    return {
        "id_set": basis.inside.name,
        "ood_sets": list(basis.tests),
        "without": list(WITHOUT),
        "bank_rows": BANK,
        "limit": MEASURED,
    }


def differing(experiments: Mapping[str, Experiment]) -> dict[str, dict[str, Any]]:
    """Setting → run → value, of settings that are not the same in all; what is only told of a run is left out."""
    flat = {name: flattened(experiment.to_json()) for name, experiment in experiments.items()}
    settings = dict.fromkeys(setting for values in flat.values() for setting in values)
    return {
        setting: {name: values.get(setting) for name, values in flat.items()}
        for setting in settings
        if setting.partition(".")[0] not in ("title", "source", "notes")
        and len({repr(values.get(setting)) for values in flat.values()}) > 1
    }


def _applies(known: Experiment, basis: Basis) -> bool:
    data = known.data
    fine_tunes = known.model.checkpoint is not None and data.outliers is not None
    alike = (data.long_tail is None) == (basis.long_tail is None)
    return fine_tunes and alike and entry(data.inliers).classes == basis.inside.classes


@cache
def _known() -> dict[str, Experiment]:
    return {name: read_experiment(name) for name in recipes()}


def _plain(basis: Basis, loss: str) -> dict[str, Any]:
    """The loss's defaults, margins from this network's energies."""
    options = losses[loss].__dataclass_fields__  # type: ignore[attr-defined]
    values: dict[str, Any] = {
        "data": {"inliers": basis.inside.name, "outliers": basis.outliers, "not_tested": list(basis.tests)},
        "loss": {"name": loss},
        "train": {"lr": RATE, "epochs": 1},
    }
    if basis.long_tail is not None:
        values["data"]["long_tail"] = basis.long_tail
    if (rule := usual_margins(loss)) is not None:
        values["margins"] = asdict(rule)
    if "warm_up" in options:
        values["loss"]["warm_up"] = options["warm_up"].default
    return values


def _start(values: dict[str, Any], basis: Basis) -> list[str]:
    before = values["model"]["checkpoint"]
    return (
        [] if before == basis.checkpoint else [f"It was made for '{before}'; here it starts from '{basis.checkpoint}'."]
    )


def _images(values: dict[str, Any], basis: Basis) -> list[str]:
    data = values["data"]
    said = [
        f"{what}: {now} instead of {data[key]}."
        for key, what, now in (
            ("inliers", "Known images", basis.inside.name),
            ("outliers", "Auxiliary outliers", basis.outliers),
        )
        if data[key] != now
    ]
    if data.get("long_tail") != basis.long_tail:
        said.append(
            "All images of every class, as the checkpoint was trained, instead of a long tail."
            if basis.long_tail is None
            else f"A long tail of {basis.long_tail:g}, as the checkpoint was trained."
        )
    if said and data.get("outlier_limit") is not None:
        data["outlier_limit"] = None
    data |= {"inliers": basis.inside.name, "outliers": basis.outliers, "long_tail": basis.long_tail}
    data["not_tested"] = list(basis.tests)
    return said


def _margins(values: dict[str, Any], basis: Basis, known: Experiment) -> list[str]:
    """Fixed margins are those of one network; another one's are measured."""
    loss, rule = values["loss"], usual_margins(known.loss)
    own = known.model.checkpoint == basis.checkpoint
    if rule is None or values["margins"] is not None or own or "margin_in" not in loss:
        return []
    inside, outside = loss.pop("margin_in"), loss.pop("margin_out")
    values["margins"] = asdict(rule)
    said = f"Margins are measured on this network's energies; {inside:g} and {outside:g} belong to another one."
    return [said + (" Alpha changes with the gap between them." if "alpha" in loss else "")]


def _budget(values: dict[str, Any], basis: Basis, known: Experiment | None) -> list[str]:
    """A few dozen steps, and what has to change with them."""
    said, train, loss = [], values["train"], values["loss"]
    steps = DRAWN_STEPS if basis.drawn else STEPS
    asked = train.get("steps")
    if asked is None or asked > steps:
        if known is not None:
            published = f"{train['epochs']} epochs" if asked is None else f"{asked:,} steps"
            said.append(
                f"{steps} steps instead of {published}, so that you see it happen. Set more for a better result."
            )
        train["steps"] = steps
    if train["lr"] < RATE:
        said.append(f"Learning rate {RATE:g} instead of {train['lr']:g}: {MADE_FOR}.")
        train["lr"] = RATE
    if basis.drawn:
        if known is not None and (train["batch"], train["outlier_batch"], train["pad"]) != (64, 128, 0):
            said.append("Batches of 64 and 128 without random crops, as for all drawn figures.")
        train |= {"batch": 64, "outlier_batch": 128, "pad": 0}
    warm_up = loss.get("warm_up")
    if warm_up is not None and warm_up > steps // 5:
        loss["warm_up"] = steps // 5
        said.append(f"Outliers count from step {steps // 5} on, instead of {warm_up:,}.")
    train["precision"] = "32-true"
    values["validation"] = {"every": max(steps // VALIDATIONS, 1), "limit": VALIDATED}
    return said
