"""Many scorers on one pass: fitted from one bank, called with one set of outputs, kept in one file.

panel = Panel(["energy", "knn", "react+msp"]).fit(bank)
panel(outputs)                      # {name: one score per row}; HIGHER = MORE OUT-OF-DISTRIBUTION
panel.score(model, images)          # the same, gradient scorers included
panel.calibrate(calibration).is_ood(model, images, scorer="knn")
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from oodcore.errors import ScoreError
from oodcore.panel.file import load
from oodcore.panel.fitted import FittedPanel
from oodcore.panel.members import lacking, named, needs, plain, settings
from oodcore.records import Evidence
from oodcore.scorers import Scorer

__all__ = ["FittedPanel", "Panel"]


class Panel:
    """Scorers by name, not yet fitted.

    Args:
        members: Names, scorers with their numbers, or a mapping from names of your own to either. `"react+msp"` is a
            shaping step followed by another scorer.

    Raises:
        UnknownNameError: no scorer has this name.
        ScoreError: none at all, two of one name, or no shaping step before a `+`.
    """

    def __init__(self, members: Iterable[str | Scorer] | Mapping[str, str | Scorer]) -> None:
        self.members = named(members)

    @property
    def names(self) -> tuple[str, ...]:
        """In the order of the scores."""
        return tuple(self.members)

    def fit(self, bank: Evidence | None = None, /, about: Mapping[str, Any] | None = None) -> FittedPanel:
        """Every statistic from the outputs of one pass over the in-distribution training images.

        Args:
            bank: In memory or on disk; its moments are computed once for all. Only scorers that learn need it.
            about: What the panel was fitted on, as JSON values. With `about["weights"]`, the network's
                `weights_hash`, images are scored with no other network.

        Raises:
            ScoreError: it names the scorer and what is missing or wrong.
        """
        part = next(bank.chunks(1), None) if bank is not None else None
        shown = {name: settings(scorer) for name, scorer in self.members.items()}
        fitted = {}
        for name, scorer in self.members.items():
            if part is not None and (lack := lacking(needs(shown[name]), part)):
                raise ScoreError(f"'{name}' needs {lack}.")
            try:
                fitted[name] = scorer.fit(bank)
            except ScoreError as error:
                raise ScoreError(f"'{name}' cannot be fitted. {error}") from error
        k, d = (None, None) if bank is None else bank.head.weight.shape
        return FittedPanel(fitted, shown, plain(about or {}), k, d)

    @staticmethod
    def load(path: Path | str) -> FittedPanel:
        """What `FittedPanel.save` wrote; it scores bit for bit as before.

        Raises:
            CheckpointError: no such file, damaged, not a panel, or of a newer version.
        """
        return FittedPanel(**vars(load(Path(path))))
