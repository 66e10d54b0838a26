"""Make the shipped checkpoints of the drawn sets again: a baseline and its outlier exposure.

    OMP_NUM_THREADS=1 .venv/bin/python checkpoints/build.py

About six CPU minutes on one core. Numbers on the cards come from this run. The same machine and versions give the
same files; others differ in the last digits.
"""

import copy
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch

from oodcore.checkpoint import Card, save, save_reference, seal, write_manifest
from oodcore.data import ArraySet, Preprocessing
from oodcore.data.procedural import procedural
from oodcore.evaluate import Evaluation, Work, evaluate, fit_panel, scores_of
from oodcore.evaluate.work import spread_rows
from oodcore.models import Network, build
from oodcore.models.collect import collect
from oodcore.panel import FittedPanel
from oodcore.priors import outlier_counts
from oodcore.train.loop import Recipe, train

HERE = Path(__file__).parent
SEED = 0
BASELINE, EXPOSED = "shapes-resnet20w4", "shapes-resnet20w4-oe"
PRETRAIN = Recipe(epochs=12, pad=0, seed=SEED)
EXPOSE = Recipe(epochs=2, lr=0.05, pad=0, outlier_batch=128, seed=SEED)
BANK = 2000
ACCEPT = 0.95
NOTES = (
    "One run with one seed; the spread over seeds was not measured. Settings were not searched on these test sets.",
    "An interval is the metric's own 95 % interval over test images, for this one network.",
)


class Run(NamedTuple):
    """A network and how it came about."""

    model: Network
    recipe: dict[str, Any]
    data: dict[str, ArraySet]
    parent: str | None = None


def pretrained(inliers: ArraySet) -> Run:
    """From fresh weights."""
    torch.manual_seed(SEED)
    model = build("resnet-20-w4", inliers.classes)
    model.transform = Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    return Run(model, trained(model, inliers, None, PRETRAIN), {"shapes/train": inliers})


def exposed(baseline: Run, inliers: ArraySet, outliers: ArraySet) -> Run:
    """Fine-tuned from the baseline."""
    model = copy.deepcopy(baseline.model)
    recipe = trained(model, inliers, outliers, EXPOSE)
    return Run(model, recipe, {"shapes/train": inliers, "shapes-aux/train": outliers}, BASELINE)


def trained(model: Network, inliers: ArraySet, outliers: ArraySet | None, recipe: Recipe) -> dict[str, Any]:
    """Train in place; returns the settings and the budget."""
    start, steps = time.process_time(), 0
    for step in train(model, inliers, outliers, recipe=recipe):
        steps += 1
        if step.index % 156 == 0:
            print(step.index, {name: round(term.item(), 3) for name, term in step.terms.items()}, flush=True)
    settings = asdict(recipe)
    if outliers is None:
        settings = {key: value for key, value in settings.items() if not key.startswith("outlier")}
    budget = {"steps": steps, "cpu_seconds": round(time.process_time() - start), "threads": torch.get_num_threads()}
    return {
        "method": "cross-entropy" if outliers is None else "outlier exposure",
        "optimiser": "SGD, Nesterov momentum, cosine to 0 over the steps",
        "augmentation": "mirrored with probability 1/2",
        **settings,
        **budget,
    }


def finish(name: str, run: Run, prior: torch.Tensor) -> None:
    """Fit, measure, save."""
    model = run.model.eval()
    work = Work()
    train_set, calibration = procedural("shapes", "train"), procedural("shapes", "calibration")
    tests = {name: procedural(name, "test") for name in ("shapes", "shapes-near", "shapes-far")}
    panel = fit_panel(model, train_set.take(spread_rows(len(train_set), BANK)), calibration, "all", work)
    auxiliary = [images for key, images in run.data.items() if key.startswith("shapes-aux")]
    outside = [tests["shapes-near"], tests["shapes-far"]]
    found = evaluate(model, panel, tests["shapes"], outside, work, checkpoint=name, auxiliary=auxiliary)
    reference = {key: collect(model, images) for key, images in tests.items()}
    metrics = [*numbers(found), realised(model, panel, tests["shapes"], work)]
    folder = save(HERE / name, model, card(run, panel, metrics), panel=panel)
    save_reference(folder, reference, prior=prior)
    seal(folder)
    report(name, metrics, folder)


def card(run: Run, panel: FittedPanel, metrics: list[dict[str, Any]]) -> Card:
    """Everything but the numbers in the files."""
    thresholds = {"scores": panel.thresholds(ACCEPT), "acceptance": ACCEPT, "calibration": panel.about["calibration"]}
    return Card.of(
        run.model,
        title="Drawn shapes, " + ("baseline" if run.parent is None else "outlier exposure"),
        recipe=run.recipe,
        seed=SEED,
        data={key: images.digest for key, images in run.data.items()},
        metrics=metrics,
        thresholds=thresholds,
        parent=run.parent,
        licence="The pictures are drawn by this project's own code; no rights of others.",
        notes=NOTES,
    )


def numbers(found: Evaluation) -> list[dict[str, Any]]:
    """Accuracy and calibration error, then AUROC and FPR of every scorer on every set."""
    closed = found.closed_set
    if closed is None:
        raise SystemExit("The test set's classes are not the network's.")
    inside = {"set": "shapes/test", "n": closed.n}
    entries: list[dict[str, Any]] = [
        {"name": "accuracy", "value": closed.accuracy, **inside},
        {"name": "ece", "value": closed.ece, **inside},
    ]
    for row in found.report.rows:
        sets = {"id_set": f"{row.id_set}/test", "ood_set": f"{row.ood_set}/test", "n_id": row.n_id, "n_ood": row.n_ood}
        for metric in ("auroc", "fpr95_id_positive"):
            interval = row.intervals.get(metric)
            entry = {"name": metric, "scorer": row.scorer, "value": row.values[metric], **sets}
            spread = {} if interval is None else {"interval": interval._asdict()}
            entries.append(entry | spread | {"convention": asdict(row.convention)})
    return entries


def realised(model: Network, panel: FittedPanel, test: ArraySet, work: Work) -> dict[str, Any]:
    """How many test pictures the energy threshold of the calibration split really flags."""
    scores, _ = scores_of(panel.subset(["energy"]), model, test, work)
    flagged = panel.calibrations["energy"].is_ood(scores["energy"], ACCEPT)
    name = f"false alarms at {ACCEPT:.0%} acceptance"
    return {
        "name": name,
        "scorer": "energy",
        "value": flagged.double().mean().item(),
        "set": "shapes/test",
        "n": len(test),
    }


def report(name: str, metrics: list[dict[str, Any]], folder: Path) -> None:
    """What a person wants to see of a build."""
    print(f"\n{name}")
    for entry in metrics:
        if entry.get("scorer", "energy") == "energy":
            print(f"  {entry['name']} {entry['value']:.4f} {entry.get('ood_set', '')}")
    for file in sorted(folder.iterdir()):
        print(f"  {file.name} {file.stat().st_size / 1e3:.0f} kB", flush=True)


def main() -> None:
    """Both, and the manifest over all shipped files."""
    inliers, outliers = procedural("shapes", "train"), procedural("shapes-aux", "train")
    baseline = pretrained(inliers)
    prior = outlier_counts(collect(baseline.model.eval(), outliers))
    finish(BASELINE, baseline, prior)
    finish(EXPOSED, exposed(baseline, inliers, outliers), prior)
    write_manifest(HERE, BASELINE, EXPOSED)


if __name__ == "__main__":
    main()
