"""What sessions share: networks with their panels, what they said of each picture, and whose turn it is.

Everything is keyed by content. A network is never changed once it is here.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock

import streamlit as st
import torch
from jaxtyping import Float, Float64
from torch import Tensor

import oodcore
from app.services import family, samples
from app.services.cards import Stamp, stamp
from app.services.decisions import Dial, dial
from app.services.memory import Memory, Turns
from app.services.samples import Picture, Prepared, let_go_with, prepared
from oodcore import checkpoint
from oodcore.attribution import EnergyMap, energy_map
from oodcore.checkpoint.layout import PANEL
from oodcore.checkpoint.places import size_of
from oodcore.data import entry
from oodcore.errors import CheckpointError, UnknownNameError
from oodcore.models import Network
from oodcore.models.collect import outputs_of
from oodcore.models.fingerprint import weights_hash
from oodcore.panel import FittedPanel, Panel, passes
from oodcore.records import Bank
from oodcore.scorers import scorers
from oodcore.thresholds import Calibration

__all__ = ["Answer", "Exhibit", "Waiting", "answered", "answers", "exhibit", "explained", "folders", "is_open"]
__all__ += ["settings", "turn", "warm"]

FIRST = "shapes"  # names of checkpoints that the page prefers to open with
OPEN = 2 * 2**30  # bytes of checkpoints that stay open for whoever asks next
BATCH = 16  # pictures in one forward pass: few, so that a waiting visitor's turn comes soon

Waiting = Callable[[int], None]
"""Told how many visitors are ahead whenever that changes; 0 when it is one's own turn."""


@dataclass(frozen=True)
class Answer:
    """What a network says of one picture.

    Args:
        shares: Softmax over its classes.
        features: What its last layer sees.
        scores: Scorer → score, HIGHER = MORE OUT-OF-DISTRIBUTION.
    """

    shares: Float[Tensor, " k"]
    features: Float[Tensor, " d"]
    scores: Mapping[str, float]

    @cached_property
    def label(self) -> int:
        """The class it answers with."""
        return int(self.shares.argmax())

    @cached_property
    def confidence(self) -> float:
        """The softmax share of that class."""
        return float(self.shares[self.label])


@dataclass(frozen=True)
class Exhibit:
    """A checkpoint, ready to be shown; without a panel it can classify but not decide.

    Args:
        measured: Reference set → how many pictures of it were measured; its bank keeps some of them.
        size: Bytes of its files, which is about what it takes in memory.
    """

    name: str
    model: Network
    panel: FittedPanel | None
    reference: Mapping[str, Bank]
    measured: Mapping[str, int] = field(default_factory=dict)
    size: int = 0

    @cached_property
    def key(self) -> str:
        """Content of the network, its classes, preprocessing and what it was fitted on: what caches are keyed by."""
        fitted = None if self.panel is None else (self.panel.settings, self.panel.about)
        return f"{weights_hash(self.model)} {self.model.classes} {self.model.transform} {fitted}"

    @cached_property
    def gradients(self) -> FittedPanel:
        """The scorers that look at the images again; the weights are compared once, not with every batch.

        Raises:
            ScoreError: the panel belongs to another network.
        """
        assert self.panel is not None  # noqa: S101
        self.panel.check(self.model)
        return self.panel.halves()[1]

    @cached_property
    def scorers(self) -> list[str]:
        """Names of the fitted and calibrated ones."""
        return [] if self.panel is None else list(self.panel.calibrations)

    @property
    def first(self) -> str:
        """The scorer that a page opens with."""
        return "energy" if "energy" in self.scorers else self.scorers[0]

    def title(self, scorer: str) -> str:
        """The scorer in the field's words."""
        return " + ".join(scorers[part].info.title for part in scorer.split("+"))

    def calibration(self, scorer: str) -> Calibration:
        """Scores of the calibration split."""
        assert self.panel is not None  # noqa: S101  the page shows nothing else without one
        return self.panel.calibrations[scorer]

    @cached_property
    def known(self) -> str | None:
        """The held-out in-distribution set among the reference: the one whose rows all have a class."""
        return next((name for name, bank in self.reference.items() if bool((bank.labels >= 0).all())), None)

    @cached_property
    def outliers(self) -> list[str]:
        """The out-of-distribution sets among the reference; those that networks train against come last."""
        return sorted((name for name in self.reference if name != self.known), key=is_auxiliary)

    @property
    def hardest(self) -> str | None:
        """The first set of near outliers, else the first of any: what a comparison of networks opens with."""
        return next((name for name in self.outliers if _role(name) == "near"), next(iter(self.outliers), None))

    @cached_property
    def reference_scores(self) -> dict[str, dict[str, Float64[Tensor, " n"]]]:
        """Set → scorer → scores; gradient scorers, which need the images themselves, are absent."""
        assert self.panel is not None  # noqa: S101
        quick, _ = self.panel.halves()
        return {name: quick(bank.outputs) for name, bank in self.reference.items()}

    def held_out(self, scorer: str) -> Float64[Tensor, " n"]:
        """Scores of known images that no threshold has seen; of the calibration split where there are none."""
        scores = self.reference_scores.get(self.known or "", {}).get(scorer)
        return self.calibration(scorer).scores if scores is None else scores

    def against(self, scorer: str, outliers: str | None) -> Float64[Tensor, " m"] | None:
        """Scores of a reference set of outliers, or None where the checkpoint brings none."""
        return self.reference_scores.get(outliers or "", {}).get(scorer)


def is_auxiliary(name: str) -> bool:
    """Whether the catalogue knows an image set as outliers for training."""
    return _role(name) == "auxiliary"


def _role(name: str) -> str | None:
    try:
        return entry(name).role
    except UnknownNameError:
        return None


def folders() -> dict[str, Path]:
    """Checkpoints of this server by name.

    Shipped ones of drawn shapes come first, for they need no data; then the others in the order of `checkpoint.known`.
    """
    shipped = checkpoint.shipped()
    found = checkpoint.known()
    return {
        name: found[name] for name in sorted(found, key=lambda name: not (name in shipped and name.startswith(FIRST)))
    }


def exhibit(folder: Path) -> Exhibit:
    """A checkpoint made ready; one copy for all sessions, and a new one when the folder's content has changed.

    Raises:
        CheckpointError: the folder is not what it should be.
    """
    try:
        key = folder, stamp(folder)
    except OSError:
        raise CheckpointError(f"The checkpoint '{folder.name}' is no longer there. Choose another one.") from None
    if (found := _EXHIBITS.get(key)) is not None:
        return found
    with _OPENING:  # whoever comes second finds what the first one opened
        return _EXHIBITS.find(key, lambda: _exhibit(folder))


def is_open(folder: Path) -> bool:
    """Whether `exhibit` has it at once."""
    try:
        return _EXHIBITS.get((folder, stamp(folder))) is not None
    except OSError:
        return False


_EXHIBITS: Memory[tuple[Path, Stamp], Exhibit] = Memory(OPEN, lambda shown: shown.size)
_OPENING = Lock()


def _exhibit(folder: Path) -> Exhibit:
    file = checkpoint.file_of(folder, PANEL)
    panel = None if file is None else Panel.load(file)
    measured = {name: len(energies) for name, energies in checkpoint.load_energies(folder).items()}
    return Exhibit(
        folder.name, oodcore.load(folder), panel, checkpoint.load_reference(folder), measured, size_of(folder)
    )


@st.cache_resource(max_entries=512, show_spinner=False)
def settings(_shown: Exhibit, weights: str, scorer: str, outliers: str | None) -> Dial:
    """The dial of one scorer; `weights` stands for the exhibit in the key."""
    return dial(_shown.calibration(scorer), _shown.held_out(scorer), _shown.against(scorer, outliers))


def answers(shown: Exhibit, pictures: Sequence[Picture], waiting: Waiting, names: Collection[str] = ()) -> list[Answer]:
    """What the network says of each picture, in order. Only what it has not said before is run.

    Args:
        shown: The network.
        pictures: Those that could be prepared.
        waiting: See `Waiting`.
        names: Scorers that are needed. Gradient scorers are left out of the answers until they are: each costs
            several passes more, all the others together cost none.
    """
    slow = _slow(shown, names)
    said = {picture.id: _SAID.get(_key(shown, picture)) for picture in pictures}
    missing = [picture for picture in pictures if not _complete(said[picture.id], slow)]
    for start in range(0, len(missing), BATCH):
        with turn(waiting):
            said |= _run(shown, missing[start : start + BATCH], slow)
    return [answer for picture in pictures if (answer := said[picture.id])]


def answered(shown: Exhibit, pictures: Sequence[Picture], names: Collection[str]) -> bool:
    """Whether `answers` has them all at once."""
    slow = _slow(shown, names)
    return all(_complete(_SAID.get(_key(shown, picture)), slow) for picture in pictures)


def explained(shown: Exhibit, picture: Picture, waiting: Waiting) -> EnergyMap:
    """What in a picture raises or lowers its energy; computed once for each network and picture."""
    key = _key(shown, picture)
    if (found := _MAPS.get(key)) is not None:
        return found
    view = prepared(picture, shown.model.transform)
    assert isinstance(view, Prepared)  # noqa: S101  only pictures that could be read are on the board
    with turn(waiting):
        return _MAPS.find(key, lambda: energy_map(shown.model, view.pixels))


_SAID: Memory[tuple[str, str, str], Answer] = Memory(8192)
_MAPS: Memory[tuple[str, str, str], EnergyMap] = Memory(256)
let_go_with(_SAID)
let_go_with(_MAPS)
_TURNS = Turns()


@contextmanager
def turn(waiting: Waiting, line: Turns = _TURNS) -> Iterator[None]:
    """Inside, the networks are one's own, or what else `line` is for; whoever came before comes first."""
    ticket = line.join()
    try:
        while ahead := line.ahead(ticket, seconds=0.5):
            waiting(ahead)
        waiting(0)
        yield
    finally:
        line.leave(ticket)


def _key(shown: Exhibit, picture: Picture) -> tuple[str, str, str]:
    return shown.key, picture.id, picture.coding


def _slow(shown: Exhibit, names: Collection[str]) -> list[str]:
    """Those that need passes of their own."""
    return [] if shown.panel is None else [name for name in shown.panel.gradient_names if name in names]


def _complete(said: Answer | None, names: Sequence[str]) -> bool:
    return said is not None and all(name in said.scores for name in names)


def _run(shown: Exhibit, pictures: Sequence[Picture], names: Sequence[str]) -> dict[str, Answer]:
    """One pass for the answers and every other scorer; the gradient scorers `names` add theirs.

    What somebody else asked for while this visitor waited is known by now.
    """
    known = {picture.id: said for picture in pictures if (said := _SAID.get(_key(shown, picture))) is not None}
    missing = [picture for picture in pictures if not _complete(known.get(picture.id), names)]
    return known | _new(shown, missing, names) if missing else known


def _new(shown: Exhibit, pictures: Sequence[Picture], names: Sequence[str]) -> dict[str, Answer]:
    assert shown.panel is not None  # noqa: S101
    views = [view for picture in pictures if isinstance(view := prepared(picture, shown.model.transform), Prepared)]
    pixels = torch.stack([view.pixels for view in views])
    outputs = outputs_of(shown.model, pixels, norms=shown.panel.reads_norms)
    quick, _ = shown.panel.halves()
    scores = quick(outputs)
    if names:
        scores |= passes.from_images(shown.gradients.subset(names), shown.model, pixels, BATCH)
    before = [_SAID.get(_key(shown, picture)) for picture in pictures]
    rows = [
        {**({} if said is None else said.scores), **{name: float(values[row]) for name, values in scores.items()}}
        for row, said in enumerate(before)
    ]
    return {
        picture.id: _SAID.put(_key(shown, picture), Answer(*said))
        for picture, *said in zip(pictures, outputs.logits.softmax(dim=1), outputs.features, rows, strict=True)
    }


def warm() -> None:
    """Open the checkpoints of the first page and let them look at its pictures."""
    found = folders()
    names = list(found)[:1]
    for name in [*names, *(other for main in names for other in family.usual(found, main))]:
        shown = exhibit(found[name])
        if shown.panel is not None:
            groups = samples.groups(shown.model.classes, shown.known).values()
            pictures = [picture for group in groups if group.first for picture in group.pictures()]
            good, _ = samples.prepare(pictures, shown.model.transform)
            answers(shown, good, waiting=lambda ahead: None)
            settings(shown, shown.key, shown.first, shown.hardest)
