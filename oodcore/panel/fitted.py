"""A panel that has learned: outputs or images in, one score per row and scorer out, and decisions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Bool, Num
from torch import Tensor, nn

from oodcore.errors import ScoreError, UnknownNameError
from oodcore.models.fingerprint import weights_hash
from oodcore.panel import passes
from oodcore.panel.contents import Contents, Scores
from oodcore.panel.file import save
from oodcore.records import Outputs
from oodcore.registry import did_you_mean
from oodcore.thresholds import Calibration


@dataclass(frozen=True)
class FittedPanel(Contents):
    """Scores, decisions and the file. HIGHER = MORE OUT-OF-DISTRIBUTION."""

    def __call__(self, outputs: Outputs, /) -> Scores:
        """Scores of rows from the network that the panel was fitted on.

        Raises:
            ScoreError: a gradient scorer is among them; another number of classes or features; a need that the
                outputs do not meet; or a score that is not finite. It names the scorer.
        """
        if self.gradient_names:
            which = " and ".join(f"'{name}'" for name in self.gradient_names)
            raise ScoreError(
                f"{which} differentiates the network, so outputs do not suffice. Use panel.score(model, images), "
                "or panel.subset(...) without it."
            )
        return passes.from_outputs(self, outputs)

    def score(self, model: nn.Module, images: Num[Tensor, "n c h w"], /, *, batch_size: int = 256) -> Scores:
        """Scores of images: one forward pass for everything; a gradient scorer adds a backward and a forward pass.

        The model is evaluated in eval mode and given back as it was; no gradient stays on its parameters.

        Args:
            model: Gives `Outputs`; its `transform` is used for uint8 images and by gradient scorers.
            images: Normalised floats, or uint8 as `model.transform.pixels` gives.
            batch_size: Images per pass.

        Raises:
            ScoreError: as for outputs; or the weights are not those that the panel was fitted on.
        """
        self.check(model)
        return passes.from_images(self, model, images, batch_size)

    def check(self, model: nn.Module, /) -> None:
        """Refuse a network with other weights or another preprocessing than `about` says, if it says.

        Raises:
            ScoreError: they differ.
        """
        expected = self.about.get("weights")
        if expected is not None and (found := weights_hash(model)) != expected:
            raise ScoreError(
                f"This panel was fitted on a network with weights {expected[:12]}, and this one has {found[:12]}. "
                "Fit a panel on this network, or load the weights that belong to it."
            )
        if changed := passes.changed_steps(model, self.about.get("preprocessing")):
            raise ScoreError(
                f"This panel was fitted on images prepared in another way: {changed}. Fit a panel with this "
                "preprocessing, or load the network with its own."
            )

    def subset(self, names: Iterable[str], /) -> "FittedPanel":
        """The named scorers only, in that order.

        Raises:
            UnknownNameError: one of them is not in the panel.
        """
        chosen = [self._known(name) for name in ([names] if isinstance(names, str) else names)]
        return replace(
            self,
            members={name: self.members[name] for name in chosen},
            settings={name: self.settings[name] for name in chosen},
            calibrations={name: self.calibrations[name] for name in chosen if name in self.calibrations},
        )

    def halves(self) -> tuple["FittedPanel", "FittedPanel"]:
        """The scorers that outputs suffice for, and those that look at the images again; either may be none."""
        slow = self.gradient_names
        return self.subset([name for name in self.names if name not in slow]), self.subset(slow)

    def to(self, device: torch.device | str, /) -> "FittedPanel":
        """The same panel on another device. Calling it moves it as well, each time."""
        return replace(self, members={name: member.to(device) for name, member in self.members.items()})

    def calibrate(self, scores: Mapping[str, Tensor] | Outputs, /) -> "FittedPanel":
        """Take in-distribution scores that no fit and no reported number has seen as what decisions compare with.

        Args:
            scores: Of the calibration split, as this panel gives them, or its outputs. Scorers that are not among
                them keep what they had.

        Raises:
            UnknownNameError: a name that is not in the panel.
            ScoreError: no scores, or scores that are not finite.
        """
        found = self(scores) if isinstance(scores, Outputs) else scores
        new = {self._known(name): Calibration(values) for name, values in found.items()}
        return replace(self, calibrations={**self.calibrations, **new})

    def thresholds(self, acceptance: float = 0.95) -> dict[str, float]:
        """Name → score above which a row is called out-of-distribution, for every calibrated scorer.

        Args:
            acceptance: Share of in-distribution rows to keep, in (0, 1).

        Raises:
            ScoreError: `acceptance` is out of range, or asks for more calibration scores than there are.
        """
        return {name: calibration.threshold(acceptance) for name, calibration in self.calibrations.items()}

    def p_values(self, scores: Mapping[str, Tensor], /) -> Scores:
        """Name → conformal p-value per row: small is unlike the calibration images.

        Raises:
            ScoreError: a scorer among them is not calibrated.
        """
        return {name: self._calibration(name).p_values(values) for name, values in scores.items()}

    def is_ood(
        self, model: nn.Module, images: Num[Tensor, "n c h w"], /, scorer: str = "energy", acceptance: float = 0.95
    ) -> Bool[Tensor, " n"]:
        """The decision, one per image.

        Raises:
            UnknownNameError: the panel does not hold this scorer.
            ScoreError: it is not calibrated; or see `score` and `thresholds`.
        """
        calibration = self._calibration(scorer)
        return calibration.is_ood(self.subset([scorer]).score(model, images)[scorer], acceptance)

    def save(self, path: Path | str, /) -> Path:
        """Statistics, calibration and what it was fitted on as one safetensors file.

        Raises:
            CheckpointError: it cannot be written there.
        """
        return save(self, Path(path))

    def _known(self, name: str) -> str:
        if name not in self.members:
            raise UnknownNameError(did_you_mean("scorer of this panel", name, list(self.members)))
        return name

    def _calibration(self, name: str) -> Calibration:
        if self._known(name) not in self.calibrations:
            raise ScoreError(f"'{name}' is not calibrated. Use panel.calibrate with scores of a calibration split.")
        return self.calibrations[name]
