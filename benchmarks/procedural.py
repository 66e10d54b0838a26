"""What the drawn sets are good for: accuracy, distance of the outliers, and what imbalanced auxiliary outliers do.

Takes about six CPU minutes. False alarms are in-distribution test pictures above the threshold that keeps 95 % of the
calibration split, as a share of the pictures with the same predicted class.
"""

import copy
import time
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.clock import machine, table
from oodcore.data import ArraySet, Preprocessing
from oodcore.data.procedural import procedural
from oodcore.functional import free_energy
from oodcore.losses import losses
from oodcore.metrics import auroc
from oodcore.models import Network, build
from oodcore.priors import outlier_counts
from oodcore.thresholds import Calibration
from oodcore.train.loop import Training
from oodcore.train.recipe import Recipe

PRETRAIN = Recipe(epochs=3, lr=0.1, batch=64, pad=0)
EXPOSE = Recipe(epochs=2, lr=0.05, batch=64, pad=0, outlier_batch=128)


def trained(model: Network, recipe: Recipe, outliers: ArraySet | None = None) -> float:
    """Train in place; returns CPU seconds."""
    start = time.process_time()
    objective = losses["cross_entropy" if outliers is None else "outlier_exposure"]().fit()
    for _ in Training(model, objective, procedural("shapes", "train"), outliers, recipe):
        pass
    return time.process_time() - start


@torch.no_grad()
def logits(model: Network, images: ArraySet) -> Float[Tensor, "n k"]:
    """Of every picture, in eval mode."""
    model.eval()
    return torch.cat([model(model.transform.normalise(batch.images)).logits for batch in images.batches(500)])


def false_alarms(model: Network, test: ArraySet, calibration: ArraySet) -> Float[Tensor, " k"]:
    """Share of the test pictures of each predicted class that are flagged by energy."""
    inside = logits(model, test)
    flagged = Calibration(free_energy(logits(model, calibration))).is_ood(free_energy(inside))
    answers = inside.argmax(dim=1)
    return answers[flagged].bincount(minlength=10) / answers.bincount(minlength=10).clamp_min(1)


def main() -> None:
    """Two tables: difficulty, and false alarms per class after balanced and imbalanced outlier exposure."""
    print(machine())
    sets = {name: procedural(name) for name in ("shapes", "shapes-near", "shapes-far", "shapes-aux")}
    torch.manual_seed(0)
    model = build("resnet-20-w4", sets["shapes"].classes)
    model.transform = Preprocessing(mean=(0.5,) * 3, std=(0.25,) * 3)
    seconds = trained(model, PRETRAIN)
    found = {name: logits(model, images) for name, images in sets.items()}
    inside = free_energy(found["shapes"])
    right = (found["shapes"].argmax(dim=1) == sets["shapes"].labels).float().mean()
    far = {name: f"{auroc(inside, free_energy(values)):.3f}" for name, values in found.items() if name != "shapes"}
    table(
        ["epochs", "CPU s", "accuracy", *far], [[str(PRETRAIN.epochs), f"{seconds:.0f}", f"{right:.3f}", *far.values()]]
    )
    print()
    compare_imbalance(model, sets["shapes"].classes)


def compare_imbalance(model: Network, classes: tuple[str, ...]) -> None:
    """Fine-tune copies of one network; another order of the balanced outliers shows what chance alone changes."""
    test, calibration = procedural("shapes", "test", count=10_000), procedural("shapes", "calibration", count=5_000)
    columns = {"before": false_alarms(model, test, calibration)}
    crowd = {}
    for title, imbalance, seed in (("1:1", 1.0, 0), ("1:1, other order", 1.0, 1), ("1:50", 50.0, 0)):
        outliers, tuned = procedural("shapes-aux", "train", imbalance=imbalance), copy.deepcopy(model)
        crowd[title] = outlier_counts(logits(model, outliers)) / len(outliers)
        trained(tuned, replace(EXPOSE, seed=seed), outliers)
        columns[f"alarms {title}"] = false_alarms(tuned, test, calibration)
    shares = {f"outliers {title}": crowd[title] for title in ("1:1", "1:50")} | columns
    table(
        ["class", *shares],
        [[name, *(f"{share[k]:.1%}" for share in shares.values())] for k, name in enumerate(classes)],
    )
    balanced = columns["alarms 1:1"]
    for title in ("1:1, other order", "1:50"):
        change = (columns[f"alarms {title}"] - balanced).abs()
        print(f"\n{title} against 1:1: mean change {change.mean():.1%}, largest {change.max():.1%}")
