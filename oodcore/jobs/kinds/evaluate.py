"""Checkpoints measured on image sets: a report, and every score behind it.

Order:
    checkpoints   `[{"name": …, "weights": sha256, "panel": sha256}, …]`: by content, so that the same question is
                  known again and no other weights answer it
    id_set        a set of the catalogue
    ood_sets      names of the catalogue
    scorers       names; an empty list takes all fitted ones that need no gradient
    limit         images of each set, evenly spread; None takes all
    rule          "first" or "nearest", see `metrics.fpr_at_recall`

Result: `report.json`, `networks.json` (what is known of each checkpoint), and `NUMBER.safetensors` with the scores of
the checkpoint of that number: `SET/SCORER` → float32.
"""

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oodcore.atomic import replacing
from oodcore.errors import CheckpointError, DataError, ScoreError, UnknownNameError
from oodcore.jobs.folder import RunFolder, writing
from oodcore.jobs.run import Event
from oodcore.tensor_file import write_tensors

if TYPE_CHECKING:
    from jaxtyping import Float32
    from torch import Tensor

    from oodcore.checkpoint import Card
    from oodcore.data import ImageSet
    from oodcore.evaluate import Evaluation, Work
    from oodcore.models import Network
    from oodcore.panel import FittedPanel

__all__ = ["kept_scores", "measured_weights", "order_of", "work"]


def order_of(
    cards: Mapping[str, "Card"],
    id_set: str,
    ood_sets: Sequence[str],
    scorers: Sequence[str] = (),
    limit: int | None = None,
    rule: str = "first",
) -> dict[str, Any]:
    """Plain values that stand for the question.

    Args:
        cards: Of the checkpoints, by name.
        id_set: See above.
        ood_sets: See above.
        scorers: See above.
        limit: See above.
        rule: See above.

    Raises:
        DataError: nothing is to be measured.
        CheckpointError: a checkpoint has no fitted scorers.
    """
    from oodcore.checkpoint.layout import MODEL, PANEL

    if not cards or not ood_sets:
        raise DataError("Choose at least one checkpoint and one OOD test set.")
    for name, card in cards.items():
        if PANEL not in card.sha256:
            raise CheckpointError(f"'{name}' has no fitted scorers. Fit them with `ood fit {name} --id {id_set}`.")
    return {
        "checkpoints": [
            {"name": name, "weights": card.sha256[MODEL], "panel": card.sha256[PANEL]}
            for name, card in sorted(cards.items())
        ],
        "id_set": id_set,
        "ood_sets": list(ood_sets),
        "scorers": sorted(scorers),
        "limit": limit,
        "rule": rule,
    }


def work(order: Mapping[str, Any], place: RunFolder, *, root: Path | None) -> Iterator[Event]:
    """Set by set; see above."""
    from oodcore.data import cache_folder
    from oodcore.evaluate import Work
    from oodcore.jobs.boards import ABOUT, REPORT
    from oodcore.jobs.kinds import telling
    from oodcore.report import Report

    tell = telling(place)
    runs = Work(cache=cache_folder() / "outputs", progress=tell)
    opened = [_opened(each, order["scorers"], root) for each in order["checkpoints"]]
    total, done = len(opened) * (1 + len(order["ood_sets"])), 0
    yield _progress(0, total, "Reading the images.")
    outliers, missing = _trained_with([model.card for model, _ in opened], root, runs)
    tests = [_test(name, list(outliers), order["limit"], root, runs) for name in order["ood_sets"]]
    inside = _read(order["id_set"], order["limit"], root, runs)
    report, networks, result = Report(), [], place.path / "result"
    for number, (asked, (model, panel)) in enumerate(zip(order["checkpoints"], opened, strict=True)):
        scores: dict[str, Float32[Tensor, " n"]] = {}
        going = _passes(model, panel, asked["name"], inside, tests, outliers, order["rule"], runs)
        while True:
            try:
                name, found = next(going)
            except StopIteration as end:
                evaluation: Evaluation = end.value
                break
            scores |= {f"{name}/{scorer}": values.float().contiguous() for scorer, values in found.items()}
            done += 1
            yield _progress(done, total, f"{asked['name']}: scored {name}.")
        with writing(result):
            write_tensors(result / f"{number}.safetensors", scores)
        report += evaluation.report
        networks.append(_about(asked, model.card, evaluation, missing))
    report.write(result / REPORT)
    with writing(result), replacing(result / ABOUT) as part:
        part.write_text(json.dumps(networks, indent=1, ensure_ascii=False), "utf-8")
    yield Event("finished", total, {"rows": len(report)})


def measured_weights(folder: Path) -> frozenset[str]:
    """sha256 of the weights of every checkpoint that a result holds scores of; empty where it cannot be read."""
    from oodcore.jobs.boards import ABOUT

    try:
        return frozenset(str(each["weights"]) for each in json.loads((folder / ABOUT).read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return frozenset()


def kept_scores(
    folder: Path, weights: str, id_set: str, test: str, scorer: str
) -> "tuple[Float32[Tensor, ' n'], Float32[Tensor, ' m']] | None":
    """ID and OOD scores of one cell of a result; None where it holds no such cell.

    Args:
        folder: Of the result.
        weights: sha256 of the checkpoint's weights.
        id_set: In-distribution test set.
        test: OOD test set.
        scorer: Its name.
    """
    from safetensors import SafetensorError, safe_open

    from oodcore.jobs.boards import ABOUT

    try:
        networks = json.loads((folder / ABOUT).read_text("utf-8"))
        number = next(index for index, each in enumerate(networks) if each["weights"] == weights)
        with safe_open(folder / f"{number}.safetensors", "pt") as file:
            return file.get_tensor(f"{id_set}/{scorer}"), file.get_tensor(f"{test}/{scorer}")
    except (OSError, ValueError, KeyError, StopIteration, SafetensorError):
        return None


def _progress(done: int, total: int, message: str) -> Event:
    return Event("progress", done, {"steps": total, "message": message})


def _opened(asked: Mapping[str, str], wanted: Sequence[str], root: Path | None) -> "tuple[Network, FittedPanel]":
    import torch

    import oodcore
    from oodcore.checkpoint import file_of, folder_of
    from oodcore.checkpoint.layout import MODEL, PANEL
    from oodcore.panel import Panel

    folder = folder_of(asked["name"], root)
    model, file = oodcore.load(folder), file_of(folder, PANEL)
    hashes = model.card.sha256
    if file is None or (hashes.get(MODEL), hashes.get(PANEL)) != (asked["weights"], asked["panel"]):
        raise CheckpointError(f"'{asked['name']}' was changed after this evaluation was ordered. Order it again.")
    panel = Panel.load(file)
    quick = [name for name in panel.names if name not in panel.gradient_names]
    names = [name for name in wanted if name in panel.names] if wanted else quick
    if not names:
        raise ScoreError(f"None of {', '.join(wanted)} is fitted for '{asked['name']}'. It has {', '.join(quick)}.")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return model.to(device), panel.subset(names)


def _trained_with(cards: Sequence["Card"], root: Path | None, runs: "Work") -> "tuple[dict[str, ImageSet], list[str]]":
    """Training outliers by name, and the names of those that are not here."""
    from oodcore.data import open_set
    from oodcore.jobs.complete import parts_of, trained_with
    from oodcore.jobs.images import catalogued

    found: dict[str, ImageSet] = {}
    missing = []
    for name in dict.fromkeys(name for card in cards for name in trained_with(card)):
        try:
            known = catalogued(name)
        except UnknownNameError:
            known = None
        if known is not None and known.present(root):
            found[name] = open_set(name, parts_of(name)[0], root, runs.telling(f"Reading {name}"))
        else:
            missing.append(name)
    return found, missing


def _test(name: str, trained: Sequence[str], limit: int | None, root: Path | None, runs: "Work") -> "ImageSet":
    """Without classes that any of the networks was trained on under another name, so that all see the same images."""
    from oodcore.data import drop_excluded, entry

    images = entry(name).open("test", root, runs.telling(f"Reading {name}"))
    for outliers in trained:
        images = drop_excluded(images, outliers, root)
    return _limited(images, limit)


def _read(name: str, limit: int | None, root: Path | None, runs: "Work") -> "ImageSet":
    from oodcore.data import entry

    return _limited(entry(name).open("test", root, runs.telling(f"Reading {name}")), limit)


def _limited(images: "ImageSet", limit: int | None) -> "ImageSet":
    from oodcore.evaluate.work import spread_rows

    return images if limit is None else images.take(spread_rows(len(images), limit))


def _passes(
    model: "Network",
    panel: "FittedPanel",
    name: str,
    inside: "ImageSet",
    tests: Sequence["ImageSet"],
    outliers: Mapping[str, "ImageSet"],
    rule: Any,
    runs: "Work",
) -> "Generator[tuple[str, dict[str, Any]], None, Evaluation]":
    from oodcore.evaluate import evaluating
    from oodcore.jobs.complete import trained_with
    from oodcore.report import Convention

    own = [outliers[each] for each in trained_with(model.card) if each in outliers]
    how = replace(Convention(), rule=rule)
    return evaluating(model, panel, inside, tests, runs, checkpoint=name, auxiliary=own, convention=how)


def _about(asked: Mapping[str, str], card: "Card", evaluation: "Evaluation", missing: Sequence[str]) -> dict[str, Any]:
    from oodcore.jobs.boards import budget_of
    from oodcore.jobs.complete import trained_with

    known = evaluation.closed_set
    return {
        "name": asked["name"],
        "weights": asked["weights"],
        "seed": card.seed,
        "parent": card.parent,
        "budget": budget_of(card),
        "accuracy": None if known is None else known.accuracy,
        "unchecked": [name for name in trained_with(card) if name in missing],
    }
