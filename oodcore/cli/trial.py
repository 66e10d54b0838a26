"""One evaluation of one checkpoint as the command line runs it: which panel, which outliers it was trained with."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oodcore.cli.opening import Opened
from oodcore.cli.results import Result
from oodcore.cli.screen import Tell, remark
from oodcore.cli.sets import read, whole_training, without_known

if TYPE_CHECKING:
    from oodcore.data import ImageSet
    from oodcore.evaluate import Work
    from oodcore.panel import FittedPanel


@dataclass(frozen=True, slots=True)
class Trial:
    """What stays the same for every checkpoint."""

    id_name: str
    inside: "ImageSet"
    tests: list["ImageSet"]
    root: Path | None
    work: "Work"
    tell: Tell

    def run(self, found: Opened, wanted: list[str], auxiliary: list[str], intervals: bool) -> Result:
        """Every scorer on every set; `auxiliary` are training outliers besides those on the card."""
        from oodcore.evaluate import evaluate

        trained = list(dict.fromkeys([*auxiliary, *_on_the_card(found)]))
        outliers = [images for name in trained if (images := self._trained_with(name, name in auxiliary)) is not None]
        evaluation = evaluate(
            found.model,
            self.panel(found, wanted),
            self.inside,
            without_known(self.tests, [images.name for images in outliers], self.root),
            self.work,
            checkpoint=found.name,
            auxiliary=outliers,
            intervals=intervals,
        )
        return Result(found, self.inside.name, evaluation)

    def panel(self, found: Opened, wanted: Sequence[str]) -> "FittedPanel":
        """The checkpoint's own where it holds what is wanted; else one that is fitted now."""
        if found.panel is not None and (fitting := _subset(found.panel, wanted)) is not None:
            self._compare_sources(found)
            return fitting
        from oodcore.evaluate import as_trained, fit_panel

        remark(f"Fitting on the training split of '{self.id_name}'; `ood fit` keeps the result.")
        train = as_trained(found.model.card, read(self.id_name, "train", self.root, self.tell))
        calibration = read(self.id_name, "calibration", self.root, self.tell)
        return fit_panel(found.model, train, calibration, wanted or "all", self.work)

    def _compare_sources(self, found: Opened) -> None:
        fitted_on = found.panel.about.get("fit", {}).get("name") if found.panel else None
        if fitted_on not in (None, self.inside.name):
            remark(f"The panel of {found.name} was fitted on '{fitted_on}', not on '{self.inside.name}'.")

    def _trained_with(self, name: str, insisted: bool) -> "ImageSet | None":
        """Outliers of the training. Where they are not here, an overlap with the tests cannot be seen."""
        from oodcore.data.catalogue import entry

        if not insisted and not entry(name).present(self.root):
            remark(f"The training outliers '{name}' are not here, so an overlap with the test sets cannot be checked.")
            return None
        return read(name, whole_training(name), self.root, self.tell)


def work(batch_size: int, cache: bool, tell: Tell) -> "Work":
    """How passes are run here."""
    from oodcore.data.roots import cache_folder
    from oodcore.evaluate import Work

    return Work(batch_size, cache_folder() / "outputs" if cache else None, tell)


def _subset(panel: "FittedPanel", wanted: Sequence[str]) -> "FittedPanel | None":
    if not wanted or "all" in wanted:
        return panel
    return panel.subset(wanted) if set(wanted) <= set(panel.names) else None


def _on_the_card(found: Opened) -> list[str]:
    """Auxiliary sets among the data that the card names."""
    from oodcore.data.catalogue import entry
    from oodcore.errors import UnknownNameError

    card = getattr(found.model, "card", None)
    names: list[str] = []
    for name in card.data if card else ():
        try:
            known = entry(name.partition(" ")[0].partition("/")[0])
        except UnknownNameError:
            continue
        if known.role == "auxiliary":
            names.append(known.name)
    return names
