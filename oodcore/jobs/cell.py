"""One cell of a grid: trained, completed, and told in rows; whatever was done before is found again."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from oodcore.atomic import replacing
from oodcore.checkpoint import Card, read_card
from oodcore.data.archives import file_digest
from oodcore.errors import DataError, OODError
from oodcore.evaluate import Evaluation, Work
from oodcore.jobs.complete import complete
from oodcore.jobs.folder import BusyError, RunFolder, writing
from oodcore.jobs.grid import BASELINE, Cell, substance
from oodcore.jobs.run import run
from oodcore.jobs.store import Store
from oodcore.models.fingerprint import code_version

__all__ = ["Rows", "State", "carry_out", "known_rows", "state_of"]

Rows = list[dict[str, Any]]
Tell = Callable[[str, int, int], None]
"""Called with what is being done, how much of it, and of how much."""

State = Literal["done", "trained", "begun", "live", "failed", "open"]

PARENT, ERROR = "parent.json", "error.txt"
CLOSED = (
    "accuracy",
    "accuracy_many",
    "accuracy_medium",
    "accuracy_few",
    "accuracy_adjusted",
    "accuracy_adjusted_many",
    "accuracy_adjusted_medium",
    "accuracy_adjusted_few",
    "ece",
)


def carry_out(cell: Cell, *, root: Path | None = None, work: Work | None = None, tell: Tell | None = None) -> Rows:
    """Train, complete and tell, or only what is left to do.

    Raises:
        OODError: see `run` and `complete`; or the run was stopped, or began from another baseline.
    """
    if (rows := known_rows(cell)) is not None:
        return rows
    place, key = RunFolder(cell.folder), cell.key()
    (place.path / ERROR).unlink(missing_ok=True)
    _require_parent(cell, place)
    if not _trained(cell, place):
        _train(cell, place, root, work, tell)
    with place.held(), writing(place.checkpoint):
        found = complete(place.checkpoint, **cell.evaluation, root=root, work=work)
        rows = rows_of(cell, found, place)
        _write(cell.results, {"key": key, "rows": rows})
    return rows


def known_rows(cell: Cell, store: Store | None = None) -> Rows | None:
    """Of a cell that is done; None where something is left to do, or was done in another way.

    Args:
        cell: Whose run's folder is looked into.
        store: Where rows may be that another machine made; by default nowhere.
    """
    stored = [] if store is None else store.read(cell.name)
    found: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        found = json.loads(cell.results.read_text("utf-8"))
    if not found and not stored:
        return None
    try:
        key = cell.key()  # once: it reads recipes and weights
        if found and found["key"] == key:
            rows: Rows = found["rows"]
            return rows
    except (KeyError, TypeError):  # a damaged file counts as absent
        pass
    except DataError:
        return None
    return stored if stored and {row["key"] for row in stored} == {key} else None


def state_of(cell: Cell, store: Store | None = None) -> tuple[State, str]:
    """How a cell stands, with a sentence where there is something to say."""
    place = RunFolder(cell.folder)
    if known_rows(cell, store) is not None:
        return "done", ""
    if place.live:
        return "live", "A process works on it."
    if (error := cell.folder / ERROR).is_file():
        return "failed", error.read_text("utf-8").strip()
    status = place.status
    if status is None:
        return "open", ""
    if status.state == "finished":
        return "trained", "To be measured."
    return "begun", f"Step {status.step:,} of {status.steps:,}."


def rows_of(cell: Cell, found: Evaluation, place: RunFolder) -> Rows:
    """One per OOD set and scorer: names, values, convention, accuracies, budget, and where it all comes from."""
    card = read_card(place.checkpoint)
    whole = {
        "setting": cell.setting.name,
        "method": cell.method.name if cell.method else BASELINE,
        "seed": card.seed,
        "own_score": cell.own_score,
        "checkpoint": file_digest(place.checkpoint / "model.safetensors"),
    }
    about = accuracies(card) | budget(card, place)
    about |= {"code": code_version(), "torch": card.versions.get("torch"), "key": cell.key()}
    about |= {"experiment": json.dumps(dict(card.recipe), sort_keys=True), "date": f"{datetime.now(UTC):%Y-%m-%d}"}
    return [
        {
            **whole,
            "id_set": row.id_set,
            "ood_set": row.ood_set,
            "scorer": row.scorer,
            "n_id": row.n_id,
            "n_ood": row.n_ood,
            **row.values,
            **asdict(row.convention),
            **about,
        }
        for row in found.report.rows
    ]


def accuracies(card: Card) -> dict[str, float | None]:
    """By name; None where the training set has no long tail."""
    known = {entry["name"]: entry["value"] for entry in card.metrics if "scorer" not in entry}
    return {name: known.get(name) for name in CLOSED}


def budget(card: Card, place: RunFolder) -> dict[str, Any]:
    """What the training took: images are those that it saw, in-distribution ones and outliers."""
    train, taken = card.recipe["train"], card.recipe.get("budget", {})
    trained_with = card.recipe["data"]["outliers"] is not None
    events = place.events()
    steps = taken.get("steps") or max((event["step"] for event in events), default=0)
    outliers = train["outlier_batch"] if trained_with else 0
    return {
        "steps": steps,
        "batch": train["batch"],
        "outlier_batch": outliers,
        "images": steps * (train["batch"] + outliers),
        "seconds": taken.get("seconds") or _seconds(events, train["batch"] + outliers),
        "threads": taken.get("threads"),
        "device": taken.get("device"),
    }


def _seconds(events: list[dict[str, Any]], images: int) -> float | None:
    """From the speed that a run told of itself."""
    told = [event for event in events if event.get("images_per_second")]
    return round(told[-1]["step"] * images / told[-1]["images_per_second"], 1) if told else None


def _trained(cell: Cell, place: RunFolder) -> bool:
    known = place.experiment
    same = known is not None and substance(known) == substance(cell.experiment)
    return place.finished and same and (place.checkpoint / "card.json").is_file()


def _train(cell: Cell, place: RunFolder, root: Path | None, work: Work | None, tell: Tell | None) -> None:
    for event in run(cell.experiment, place.path, root=root, work=work):
        status = place.status
        if tell is not None and status is not None:
            tell(cell.name, event.step, status.steps)
    if not place.finished:
        raise OODError(f"'{cell.name}' was stopped on request; it goes on when the grid is started again.")


def _require_parent(cell: Cell, place: RunFolder) -> None:
    """A fine-tuning goes on from the weights that it began with."""
    if cell.parent is None:
        return
    now, path = {"weights": cell.parent_weights()}, place.path / PARENT
    if path.is_file() and json.loads(path.read_text("utf-8")) != now:
        raise DataError(f"The baseline of '{cell.name}' is another one since it began. Remove '{place.path}'.")
    if place.live:
        raise BusyError(f"Another process works in '{place.path}'.")
    _write(path, now)


def _write(path: Path, values: Mapping[str, Any]) -> None:
    with replacing(path) as part:
        part.write_text(json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")
