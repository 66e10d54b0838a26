"""`ood score`: photos in, one forward pass, scores and a decision out."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oodcore.cli.guard import BAD_INPUT, say
from oodcore.cli.opening import Opened, opened
from oodcore.cli.options import Accept, Batch, Device, Json, Scorers, Threads, checked_share, examples, names, prepare
from oodcore.cli.photos import expand
from oodcore.cli.screen import Tell, progress, remark, show, show_json
from oodcore.errors import DataError, ScoreError

if TYPE_CHECKING:
    from rich.table import Table
    from torch import Tensor

    from oodcore.panel import FittedPanel

EXAMPLES = examples(
    "ood score photo.jpg",
    "ood score holiday/ 'scans/*.png' --checkpoint my-checkpoint --accept 0.99",
    "ood score photo.jpg --scorers energy,knn,vim --json > scores.json",
)


def score(
    photos: Annotated[list[str], typer.Argument(help="Files, folders, or patterns in quotes.", metavar="PHOTO…")],
    checkpoint: Annotated[
        str | None, typer.Option("--checkpoint", "-c", help="Shipped name, folder, file of weights, timm:NAME, …")
    ] = None,
    scorers: Scorers = None,
    accept: Accept = 0.95,
    device: Device = "auto",
    threads: Threads = None,
    batch_size: Batch = 64,
    as_json: Json = False,
) -> None:
    """Score photos and decide for each whether it is out-of-distribution.

    HIGHER scores are MORE out-of-distribution. The first scorer decides, by a threshold from the checkpoint's
    calibration images that keeps the share given by --accept. Photos that cannot be read are told, the others are
    scored, and the exit code is then 2.
    """
    checked_share(accept)
    place = prepare(device, threads)
    files, failures = expand(photos)
    found = opened(checkpoint, place)
    panel = _panel(found, names(scorers))
    with progress() as tell:
        lines = list(_scored(found, panel, accept, files, failures, batch_size, tell))
    result = _result(found, panel, accept, lines, failures)
    if as_json:
        show_json(result)
    else:
        _print(result)
    for _, sentence in failures:
        say(sentence)
    if failures:
        raise typer.Exit(BAD_INPUT)


def _panel(found: Opened, wanted: list[str]) -> "FittedPanel":
    """The scorers to run. Without a fitted panel only those that learn nothing, and no decision."""
    if found.panel is None:
        return _unfitted(found, wanted)
    usual = ["energy"] if "energy" in found.panel.names else list(found.panel.names[:1])
    if "all" in wanted:  # the first decides, so it is not left to the alphabet
        wanted = [*usual, *(name for name in found.panel.names if name not in usual)]
    return found.panel.subset(wanted or usual)


def _unfitted(found: Opened, wanted: list[str]) -> "FittedPanel":
    from oodcore.panel import Panel
    from oodcore.panel.members import needs
    from oodcore.scorers import scorers

    free = [name for name in scorers.names() if not scorers[name].info.fits and needs(name) <= {"logits", "features"}]
    asked = free if "all" in wanted else wanted or ["energy", "msp"]
    if learns := [name for name in asked if any(scorers[part].info.fits for part in name.split("+"))]:
        raise ScoreError(
            f"'{learns[0]}' learns from training images, and {found.name} has no fitted panel. {_advice(found)}"
        )
    remark(f"{found.name} has no fitted panel, so there are scores and no decision. {_advice(found)}")
    return Panel(asked).fit()


def _advice(found: Opened) -> str:
    first = "" if found.folder else "First `ood checkpoints import` it, then "
    return f"{first}`ood fit {found.folder or 'FOLDER'} --id NAME` fits one on its training set."


def _scored(
    found: Opened,
    panel: "FittedPanel",
    accept: float,
    files: Sequence[Path],
    failures: list[tuple[str, str]],
    batch_size: int,
    tell: Tell,
) -> Iterator[dict[str, Any]]:
    """One line per photo that can be read; the others are added to `failures`."""
    import torch

    for start in range(0, len(files), batch_size):
        part = files[start : start + batch_size]
        read = {path: pixels for path in part if (pixels := _pixels(found, path, failures)) is not None}
        if read:
            yield from _lines(found, panel, accept, list(read), torch.stack(list(read.values())))
        tell("Scoring", start + len(part), len(files))


def _pixels(found: Opened, path: Path, failures: list[tuple[str, str]]) -> "Tensor | None":
    from oodcore.data import decode

    try:
        return found.model.transform.pixels(decode(path, str(path)))
    except DataError as error:
        failures.append((str(path), str(error)))
        return None


def _lines(
    found: Opened, panel: "FittedPanel", accept: float, paths: list[Path], pixels: "Tensor"
) -> Iterator[dict[str, Any]]:
    from oodcore.models.collect import outputs_of

    outputs = outputs_of(found.model, pixels, norms=panel.reads_norms)
    quick, slow = panel.halves()
    scores = quick(outputs)
    if slow.names:
        scores |= slow.score(found.model, pixels)
    confidence, labels = outputs.logits.double().softmax(1).max(1)
    for row, path in enumerate(paths):
        by_scorer = {name: _verdict(panel, name, float(scores[name][row]), accept) for name in panel.names}
        yield {
            "photo": str(path),
            "prediction": found.model.classes[int(labels[row])],
            "confidence": float(confidence[row]),
            "is_ood": by_scorer[panel.names[0]].get("is_ood"),
            "scores": by_scorer,
        }


def _verdict(panel: "FittedPanel", name: str, value: float, accept: float) -> dict[str, Any]:
    """A score, and where the scorer is calibrated its p-value and the decision."""
    import torch

    calibration = panel.calibrations.get(name)
    if calibration is None:
        return {"score": value}
    one = torch.tensor([value], dtype=torch.float64)
    return {
        "score": value,
        "p_value": float(calibration.p_values(one)),
        "is_ood": bool(calibration.is_ood(one, accept)),
    }


def _result(
    found: Opened,
    panel: "FittedPanel",
    accept: float,
    lines: list[dict[str, Any]],
    failures: list[tuple[str, str]],
) -> dict[str, Any]:
    decides = panel.names[0] if panel.names[0] in panel.calibrations else None
    return {
        "checkpoint": found.name,
        "classes": list(found.model.classes),
        "preprocessing": found.model.transform.to_json(),
        "direction": "higher is more out-of-distribution",
        "accept": accept,
        "decides": decides,
        "thresholds": panel.thresholds(accept),
        "guarantee": panel.calibrations[decides].guarantee(accept) if decides else None,
        "photos": lines,
        "failed": [{"photo": name, "error": sentence} for name, sentence in failures],
    }


def _print(result: dict[str, Any]) -> None:
    if result["photos"]:
        show(_table(result["photos"]))
    if result["decides"] and result["photos"]:
        threshold = result["thresholds"][result["decides"]]
        known = result["classes"]
        some = ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
        remark(f"{result['checkpoint']} knows {some}; anything else is out-of-distribution for it.")
        remark(f"OOD where {result['decides']} is above {threshold:.4g}. {result['guarantee']}")


def _table(lines: list[dict[str, Any]]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    scorers = list(lines[0]["scores"])
    decided = lines[0]["is_ood"] is not None
    table = Table("photo", "prediction", "confidence", box=None, pad_edge=False)
    for name in scorers:
        table.add_column(name, justify="right")
        if decided:
            table.add_column("p", justify="right")
    if decided:
        table.add_column("decision")
    for line in lines:
        cells: list[str | Text] = [line["photo"], line["prediction"], f"{line['confidence']:.1%}"]
        for name in scorers:
            verdict = line["scores"][name]
            cells.append(f"{verdict['score']:.4g}")
            if decided:
                cells.append(f"{verdict['p_value']:.4f}")
        if decided:
            cells.append(Text("OOD", style="bold") if line["is_ood"] else "in-distribution")
        table.add_row(*cells)
    return table
