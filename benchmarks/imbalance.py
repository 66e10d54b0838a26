"""What crowded auxiliary outliers do to energy and balanced energy, on the drawn sets, where the crowd is a parameter.

Copies of `shapes-resnet20w4` are fine-tuned briefly against look-alikes of which the first family is 1 to 200 times as
frequent as the last. Images, margins and alpha are otherwise the same. One line per run goes to
docs/results/imbalance.csv as it ends, and what is there is not run again: remove the file to measure anew, in about
twelve CPU minutes. `python docs/make_imbalance.py` draws what it holds. False alarms are test pictures above the
threshold that keeps 95 % of them all, as a share of those with the same predicted class: spread evenly, every class
would have 5 %.
"""

import copy
import csv
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from statistics import fmean, pstdev, stdev
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.clock import machine, table
from oodcore.checkpoint import load
from oodcore.config import read_experiment
from oodcore.data import ArraySet
from oodcore.data.procedural import procedural
from oodcore.functional import free_energy
from oodcore.losses import losses
from oodcore.metrics import accuracy, auroc, fpr_at_recall
from oodcore.models import Network
from oodcore.models.collect import collect
from oodcore.priors import outlier_counts
from oodcore.train.loop import Training
from oodcore.train.margins import Suggestion, suggest
from oodcore.train.recipe import Recipe

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "imbalance.csv"
BASELINE = "shapes-resnet20w4"
IMBALANCES, SEEDS = (1, 5, 20, 50, 200), (0, 1, 2)
RECIPE = Recipe(steps=75, lr=0.01, batch=32, outlier_batch=64, pad=0)
OUTSIDE = {"near": "shapes-near", "far": "shapes-far", "alike": "shapes-aux"}
COMMON, RARE = slice(0, 3), slice(7, 10)  # families, in the order of their frequency
BEFORE = "before"
KEPT = 0.95

Line = dict[str, Any]


class Way(NamedTuple):
    """A loss and what the tables call it."""

    title: str
    loss: str
    options: dict[str, float]


WAYS = (
    Way("energy", "energy", {}),
    Way("control (γ 0)", "balanced_energy", {"gamma": 0.0}),
    Way("balanced, γ 0.5", "balanced_energy", {"gamma": 0.5}),
    Way("balanced, γ 1", "balanced_energy", {"gamma": 1.0}),
)


@cache
def drawn(name: str, split: Any, count: int, imbalance: float = 1.0) -> ArraySet:
    """The pictures, drawn once."""
    return procedural(name, split, count=count, imbalance=imbalance)


@cache
def baseline() -> Network:
    """The network that all runs start from."""
    return load(BASELINE)


@cache
def prior(imbalance: float) -> Tensor:
    """Training outliers per class that the baseline answers."""
    return outlier_counts(logits(baseline(), drawn("shapes-aux", "train", 5000, imbalance)))


@cache
def margins() -> Suggestion:
    """Between known pictures and balanced look-alikes, neither trained on nor tested."""
    inside, outside = (logits(baseline(), drawn(name, "calibration", 1000)) for name in ("shapes", "shapes-aux"))
    return suggest(free_energy(inside), free_energy(outside))


def logits(model: Network, images: ArraySet) -> Float[Tensor, "n k"]:
    """Of every picture."""
    return collect(model, images, norms=False).outputs.logits


def settings(way: Way) -> dict[str, float]:
    """Of the loss: the margins found, and the recipe's alpha on their scale."""
    found, recipe = margins(), read_experiment("shapes-resnet20w4-balanced-energy")
    options = {"margin_in": found.margin_in, "margin_out": found.margin_out} | way.options
    if way.loss == "balanced_energy":
        options["alpha"] = found.alpha(recipe.loss_options["alpha"], recipe.margins.alpha_gap)  # type: ignore[union-attr]
    return options


def tuned(way: Way, imbalance: float, seed: int) -> Network:
    """A copy of the baseline after its run."""
    model = copy.deepcopy(baseline())
    objective = losses[way.loss](**settings(way)).fit(prior(imbalance))
    inliers, outliers = drawn("shapes", "train", 10_000), drawn("shapes-aux", "train", 5000, imbalance)
    for _ in Training(model, objective, inliers, outliers, replace(RECIPE, seed=seed)):
        pass
    return model.eval()


def measured(model: Network) -> dict[str, float]:
    """Everything that a line says about a network, as shares and areas from 0 to 1."""
    known = drawn("shapes", "test", 4000)
    answers = logits(model, known)
    inside, guesses = free_energy(answers), answers.argmax(dim=1)
    values = {"accuracy": accuracy(answers, known.labels)}
    outside = {short: free_energy(logits(model, drawn(name, "test", 1000))) for short, name in OUTSIDE.items()}
    for short, energies in outside.items():
        values[f"auroc_{short}"] = auroc(inside, energies)
        values[f"fpr95_id_positive_{short}"] = fpr_at_recall(inside, energies, positive="id")
        values[f"fpr95_ood_positive_{short}"] = fpr_at_recall(inside, energies, positive="ood")
    alike = drawn("shapes-aux", "test", 1000)
    for label, family in enumerate(alike.classes):
        values[f"auroc_alike_{family}"] = auroc(inside, outside["alike"][alike.labels == label])
    flagged = guesses[inside > inside.quantile(KEPT)].bincount(minlength=10) / guesses.bincount(minlength=10)
    return values | {f"alarms_{name}": float(share) for name, share in zip(known.classes, flagged, strict=True)}


def run(way: Way, imbalance: int, seed: int) -> Line:
    """One line: fine-tune and measure."""
    counts = prior(imbalance).double()
    start = time.process_time()
    model = tuned(way, imbalance, seed)
    seconds = time.process_time() - start
    about = {"way": way.title, "imbalance": imbalance, "seed": seed, "steps": RECIPE.steps, "cpu_seconds": seconds}
    return about | {"largest_prior": (counts.max() / counts.sum()).item()} | settings_noted(way) | measured(model)


def untouched() -> Line:
    """The line of the baseline itself."""
    about = {"way": BEFORE, "imbalance": 1, "seed": 0, "steps": 0, "cpu_seconds": 0.0, "largest_prior": 0.0}
    return about | settings_noted(WAYS[0]) | measured(baseline())


def settings_noted(way: Way) -> dict[str, float]:
    """With the same columns for every way."""
    return {"margin_in": 0.0, "margin_out": 0.0, "alpha": 0.0, "gamma": 0.0} | settings(way)


def lines() -> list[Line]:
    """What was measured so far."""
    if not RESULTS.is_file():
        return []
    with RESULTS.open(encoding="utf-8", newline="") as file:
        return [
            {key: value if key == "way" else float(value) for key, value in row.items()} for row in csv.DictReader(file)
        ]


def missing(found: list[Line]) -> Iterator[Callable[[], Line]]:
    """What has no line yet, one seed of everything first."""
    there = {(line["way"], line["imbalance"], line["seed"]) for line in found}
    if (BEFORE, 1, 0) not in there:
        yield untouched
    for seed, imbalance, way in product(SEEDS, IMBALANCES, WAYS):
        if (way.title, imbalance, seed) not in there:
            yield lambda way=way, imbalance=imbalance, seed=seed: run(way, imbalance, seed)  # type: ignore[misc]


def note(line: Line) -> None:
    """One line more, at once on disk."""
    first = not RESULTS.is_file()
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with RESULTS.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(line), lineterminator="\n")
        if first:
            writer.writeheader()
        writer.writerow({key: round(value, 5) if isinstance(value, float) else value for key, value in line.items()})


def families(line: Line, part: slice) -> float:
    """Mean AUROC of look-alikes of some families."""
    names = drawn("shapes-aux", "test", 1000).classes[part]
    return fmean(line[f"auroc_alike_{name}"] for name in names)


def unevenness(line: Line) -> float:
    """Standard deviation of the false alarms over the classes."""
    return pstdev(value for key, value in line.items() if key.startswith("alarms_"))


COLUMNS: dict[str, Callable[[Line], float]] = {
    "accuracy": lambda line: line["accuracy"],
    "AUROC near": lambda line: line["auroc_near"],
    "FPR95 near": lambda line: line["fpr95_id_positive_near"],
    "AUROC far": lambda line: line["auroc_far"],
    "AUROC common look-alikes": lambda line: families(line, COMMON),
    "AUROC rare look-alikes": lambda line: families(line, RARE),
    "alarms' spread over classes": unevenness,
}


def shown(values: list[float]) -> str:
    """Mean and standard deviation over seeds."""
    return f"{fmean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")


def main() -> None:
    """Measure what is missing, then print everything."""
    print(machine(), flush=True)
    torch.set_num_threads(1)
    for measure in missing(lines()):
        note(measure())
    groups: dict[tuple[float, str], list[Line]] = {}
    for line in lines():
        groups.setdefault((line["imbalance"] if line["way"] != BEFORE else 0, line["way"]), []).append(line)
    order = [BEFORE, *(way.title for way in WAYS)]
    table(
        ["imbalance", "loss", *COLUMNS],
        [
            [
                f"{imbalance:g}" if imbalance else "",
                way,
                *(shown([read(line) for line in part]) for read in COLUMNS.values()),
            ]
            for (imbalance, way), part in sorted(groups.items(), key=lambda item: (item[0][0], order.index(item[0][1])))
        ],
    )
