"""Fine-tunings: what can be trained with what here, what is ordered, and what came of it."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from app.services import jobs, resources
from app.services.memory import Memory
from app.services.resources import Answer, Exhibit
from app.services.samples import Picture
from app.services.table import Row, Side, rows
from oodcore.checkpoint.own import adopt
from oodcore.config import Experiment
from oodcore.data import Entry
from oodcore.errors import DataError, OODError
from oodcore.evaluate.suits import fitting_sets, outliers_beside
from oodcore.jobs.comparison import Comparison
from oodcore.jobs.job import hash_of
from oodcore.jobs.kinds.finetune import CHECKPOINT, COMPARISON, experiment_of
from oodcore.jobs.prepare import require_end_of_warm_up, require_rule
from oodcore.jobs.queue import Job
from oodcore.jobs.settings import Basis, auxiliary_beside, evaluation_of

__all__ = [
    "CHECKPOINT",
    "KIND",
    "UNTOLD",
    "Curve",
    "Story",
    "archive",
    "basis",
    "comparison",
    "decided",
    "decisions",
    "experiment",
    "insides_for",
    "keep",
    "kept_as",
    "long_table",
    "outliers_for",
    "require_possible",
    "runs",
    "start",
    "started_from",
    "story",
]

KIND = "finetune"
DRAWN = 400
IMBALANCES = (1, 10, 50, 100)
TERMS, ACTIVITY, VALIDATION, RATE = "terms", "activity", "validation", "lr"


class Curve(NamedTuple):
    """Numbers by step."""

    steps: list[int]
    values: list[float]

    @property
    def thinned(self) -> "Curve":
        """No more points than a screen can show, the last one included."""
        every = -(-len(self.steps) // DRAWN) or 1
        first = (len(self.steps) - 1) % every
        return Curve(self.steps[first::every], self.values[first::every])


@dataclass(frozen=True)
class Story:
    """What a run has told so far.

    Args:
        terms: Loss term → its curve.
        activity: Hinge → share of images on which it pulls.
        validation: Metric → its curve.
        rate: Learning rate.
        measured: The loss with the margins that were used; empty before the first step.
        speed: Images a second; None before the first step.
        left: Seconds; None before the first step.
    """

    terms: Mapping[str, Curve]
    activity: Mapping[str, Curve]
    validation: Mapping[str, Curve]
    rate: Curve
    measured: Mapping[str, Any]
    speed: float | None
    left: float | None

    @property
    def margins(self) -> tuple[float, float] | None:
        """Where the hinges begin, of losses that have them."""
        if "margin_in" not in self.measured:
            return None
        return float(self.measured["margin_in"]), float(self.measured["margin_out"])


UNTOLD = Story({}, {}, {}, Curve([], []), {}, None, None)


def story(job: Job) -> Story:
    """From its events, read once for all who watch."""
    return jobs.latest(_STORIES, job, lambda: _told(jobs.events(job)))


def _told(events: Sequence[Mapping[str, Any]]) -> Story:
    found: dict[str, dict[str, Curve]] = {TERMS: {}, ACTIVITY: {}, VALIDATION: {}}
    rate = Curve([], [])
    measured: Mapping[str, Any] = {}
    last: Mapping[str, Any] = {}

    def add(group: str, name: str, step: int, value: float) -> None:
        curve = found[group].setdefault(name, Curve([], []))
        curve.steps.append(step)
        curve.values.append(value)

    for event in events:
        step = int(event["step"])
        if event["kind"] == "prepared":
            measured = event.get("loss", {})
        elif event["kind"] == "step" and TERMS in event:
            last = event
            rate.steps.append(step)
            rate.values.append(event[RATE])
            for group in (TERMS, ACTIVITY):
                for name, value in event[group].items():
                    add(group, name, step, value)
        elif event["kind"] == VALIDATION:
            for name, value in event.items():
                if name not in ("kind", "step", "steps"):
                    add(VALIDATION, name, step, value)
    speed, left = last.get("images_per_second"), last.get("seconds_left")
    return Story(found[TERMS], found[ACTIVITY], found[VALIDATION], rate, measured, speed, left)


def long_table(told: Story) -> dict[str, list[object]]:
    """All curves, a line per number."""
    parts = [(TERMS, told.terms), (ACTIVITY, told.activity), (VALIDATION, told.validation), (RATE, {"lr": told.rate})]
    lines = [
        (group, name, step, value)
        for group, curves in parts
        for name, curve in curves.items()
        for step, value in zip(curve.steps, curve.values, strict=True)
    ]
    return {title: [line[at] for line in lines] for at, title in enumerate(("group", "name", "step", "value"))}


def insides_for(shown: Exhibit) -> list[Entry]:
    """Sets of the catalogue that a network can be trained on.

    Those at hand come first, then those of its own training; others are named where they are coded like its input.

    Raises:
        DataError: the catalogue has none.
    """
    found = [
        each
        for each in fitting_sets(shown.model.classes, absent=True)
        if "train" in each.splits and (each.present() or each.coding == shown.model.transform.coding)
    ]
    if not found:
        raise DataError(
            f"The images that '{shown.name}' knows are not on this server, so it cannot be trained here. Choose a "
            "checkpoint of drawn shapes, or put the images into the data folder; `ood data list` says how."
        )
    own = _data_of(shown).get("inliers", shown.known)
    return sorted(found, key=lambda each: (not each.present(), each.name != own))


def outliers_for(inside: Entry) -> dict[str, Entry]:
    """Names of auxiliary outliers, those at hand first; drawn ones also come crowded.

    Raises:
        DataError: the catalogue has none that go with these images.
    """
    found = auxiliary_beside(inside)
    if not found:
        raise DataError(f"There are no auxiliary outliers that go with '{inside.title}'. Choose another checkpoint.")
    if inside.needs:
        return {each.name: each for each in found}
    return {each.name if times == 1 else f"{each.name}-{times}": each for each in found for times in IMBALANCES}


def basis(shown: Exhibit, inside: Entry, outliers: str) -> Basis:
    """Checkpoint and images.

    Raises:
        DataError: images are not here; the sentence says how to get them.
    """
    for each in (inside, outliers_for(inside)[outliers]):
        if not each.present():
            raise DataError(f"'{each.title}' is not on this server, so nothing can be trained with it here. {each.how}")
    tail = _data_of(shown).get("long_tail")
    tests = tuple(entry.name for entry in outliers_beside(inside))
    if not tests:
        raise DataError(
            f"No test outliers for '{inside.name}' are on this server, so nobody could tell what a training has "
            "changed. `ood data list` says how to get some."
        )
    return Basis(shown.name, inside, outliers, tests, None if tail is None else float(tail))


def require_possible(wanted: Experiment) -> None:
    """Before it can be ordered: what would be refused only when it runs.

    Raises:
        DataError: the sentence says what to change.
    """
    require_rule(wanted)
    require_end_of_warm_up(wanted, wanted.train.steps or 0)


def start(wanted: Experiment, about: Basis) -> Job:
    """Line up.

    Raises:
        OODError: see `Queue.submit`.
    """
    order = {"experiment": wanted.to_json(), "evaluation": evaluation_of(about)}
    return jobs.queue().submit(KIND, order, owner=jobs.owner(), title=wanted.title)


def runs() -> list[Job]:
    """Fine-tunings on this server, one's own first, then the newest."""
    mine = jobs.owner()
    found = [job for job in jobs.queue().jobs() if job.kind == KIND]
    return sorted(found, key=lambda job: not job.owned_by(mine))


def experiment(job: Job) -> Experiment | None:
    """What it trains; None where its order cannot be read."""
    try:
        return experiment_of(job.order)
    except OODError:
        return None


def comparison(job: Job) -> Comparison:
    """Of a finished run; a result never changes.

    Raises:
        DataError: it cannot be read.
    """
    return _COMPARED.find(job.id, lambda: Comparison.read(job.result / COMPARISON))


def started_from(job: Job) -> Exhibit:
    """The checkpoint that a run began with.

    Raises:
        OODError: it is not here any more, or cannot be read; or the run's order is damaged.
    """
    name = str(experiment_of(job.order).model.checkpoint)
    if (folder := resources.folders().get(name)) is None:
        raise OODError(
            f"'{name}', with which this run began, is no longer on this server, so their decisions cannot be compared."
        )
    return resources.exhibit(folder)


def archive(job: Job) -> bytes:
    """The checkpoint as a zip: weights, panel and reference as safetensors, card as JSON; nothing that can run."""
    packed = io.BytesIO()
    folder = job.result / CHECKPOINT
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.iterdir()):
            if path.is_file() and not path.name.startswith("."):
                file.write(path, f"{job.id}/{path.name}")
    return packed.getvalue()


def keep(job: Job, name: str) -> str:
    """Into the choice of every page; the name that it got, which the run remembers.

    Raises:
        OODError: the name is taken or empty, the run is somebody else's, or no room is left.
    """
    job.require(jobs.owner())
    kept = adopt(job.result / CHECKPOINT, name, owner_hash=hash_of(jobs.owner())).name
    job.note_kept(kept)
    return kept


def kept_as(job: Job) -> str:
    """The checkpoint as which it was kept; "" where it was not, or was deleted since."""
    return name if (name := job.kept) in resources.folders() else ""


def decisions(
    before: Exhibit,
    after: Exhibit,
    said: tuple[Sequence[Answer], Sequence[Answer]],
    pictures: Sequence[Picture],
    share: float,
) -> list[Row]:
    """Every picture under both networks, decided by the energy."""
    sides = [Side("before", before, said[0]), Side("after", after, said[1])]
    return rows(sides, pictures, share, ["energy"])


def decided(found: Sequence[Row]) -> dict[str, list[object]]:
    """Every picture with its energies, p-values and decisions before and after, as columns."""
    words = {False: "kept", True: "flagged"}
    columns: dict[str, list[object]] = {
        "picture": [row.picture.name for row in found],
        "group": [row.picture.group for row in found],
    }
    for at, when in enumerate(("before", "after")):
        columns[f"energy {when}"] = [row.verdicts[at].answer.scores["energy"] for row in found]
        columns[f"p-value {when}"] = [row.verdicts[at].p["energy"] for row in found]
        columns[f"decision {when}"] = [words[row.verdicts[at].flagged["energy"]] for row in found]
    return columns


_STORIES: Memory[Path, tuple[jobs.Stamp, Story]] = Memory(16)
_COMPARED: Memory[str, Comparison] = Memory(32)


def _data_of(shown: Exhibit) -> Mapping[str, Any]:
    card = shown.model.card
    data = None if card is None else card.recipe.get("data")
    return data if isinstance(data, Mapping) else {}
