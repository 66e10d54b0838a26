"""What scores cost beside one bare forward pass, in CPU seconds, and beside pytorch-ood on the same network.

The ten gradient-free scorers are those that pytorch-ood was measured with: MSP, max logit, energy, Mahalanobis, KNN,
ViM, SHE, ReAct, ASH-S, SCALE. Fits are part of ours: one pass over as many training images, of which only what it adds
to that bare pass is counted.
"""

import warnings
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.clock import cpu_seconds, machine, table
from oodcore.data import ArraySet
from oodcore.models import build
from oodcore.models.classifier import Classifier
from oodcore.models.collect import collect
from oodcore.panel import FittedPanel, Panel
from oodcore.scorers import scorers

TEN = ["msp", "max_logit", "energy", "mahalanobis", "knn", "vim", "she", "react", "ash_s", "scale"]
BATCH = 200
CLASSES = tuple("0123456789")
EVERY = [name for name in scorers.names() if name not in {"odin", "representation"}]


def images(n: int, seed: int) -> ArraySet:
    """Half smooth noise, half white noise, as 8-bit pictures."""
    generator = torch.Generator().manual_seed(seed)
    white = torch.rand(n, 3, 32, 32, generator=generator)
    smooth = nn.functional.interpolate(torch.rand(n, 3, 6, 6, generator=generator), size=32, mode="bicubic")
    mixed = torch.where(torch.arange(n)[:, None, None, None] % 2 == 0, smooth, white).clamp(0, 1)
    keys = tuple(map(str, range(n)))
    return ArraySet((mixed * 255).byte(), torch.arange(n) % 10, keys, name=f"noise-{seed}", classes=CLASSES)


@torch.no_grad()
def calibrated(model: Classifier, batches: list[Tensor]) -> Tensor:
    """Random weights with BatchNorm statistics and a head that fit these images: every class is predicted.

    Returns the predictions, which serve as labels.
    """
    model.train()
    for batch in batches[:3]:
        model(batch)
    model.eval()
    logits = torch.cat([model(batch).logits for batch in batches])
    spread = logits.std(0)
    model.fc.weight /= spread[:, None]
    model.fc.bias.copy_((model.fc.bias - logits.mean(0)) / spread)
    return ((logits - logits.mean(0)) / spread).argmax(1)


def bare(model: Classifier, batches: list[Tensor]) -> None:
    """The forward pass that everything is compared with."""
    with torch.inference_mode():
        for batch in batches:
            model(batch)


def ours(model: Classifier, panel: FittedPanel, batches: list[Tensor]) -> None:
    """Every score of the panel from one forward pass a batch."""
    for batch in batches:
        panel.score(model, batch)


def theirs(
    model: Classifier, train: list[Tensor], labels: Tensor, batches: list[Tensor]
) -> dict[str, Callable[[], object]]:
    """pytorch-ood's README loop, one detector after the other, each fitted beforehand."""
    from pytorch_ood.detector import (
        ASH,
        KNN,
        SCALE,
        SHE,
        EnergyBased,
        Mahalanobis,
        MaxLogit,
        MaxSoftmax,
        ReAct,
        ViM,
    )

    class Logits(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return model(x).logits

    class Features(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return model(x).features[..., None, None]

    logits, maps, head = Logits(), Features(), nn.Sequential(nn.Flatten(), model.fc)

    def flat(x: Tensor) -> Tensor:
        return maps(x).flatten(1)

    with torch.inference_mode():
        features = torch.cat([flat(batch) for batch in train])
    weight, bias = model.fc.weight.detach(), model.fc.bias.detach()
    detectors = {
        "msp": MaxSoftmax(logits),
        "max_logit": MaxLogit(logits),
        "energy": EnergyBased(logits),
        "mahalanobis": Mahalanobis(flat).fit_features(features, labels),
        "knn": KNN(flat, k=50).fit_features(features, labels),
        "vim": ViM(flat, d=64, w=weight, b=bias).fit_features(features, labels),
        "she": SHE(flat, model.fc).fit_features(features, labels),
        "react": ReAct(maps, head, threshold=float(features.quantile(0.9))),
        "ash_s": ASH(maps, head, variant="ash-s"),
        "scale": SCALE(maps, head),
    }

    def loop(detector: Callable[[Tensor], Tensor]) -> None:
        for batch in batches:
            detector(batch)

    return {name: partial(loop, detector) for name, detector in detectors.items()}


def measure(architecture: str, n: int, rivals: bool) -> None:
    """One table: bare pass, our panels, their loops."""
    model = build(architecture, CLASSES)
    train, test = images(n, 0), images(n, 1)
    train_batches = [model.transform.normalise(part) for part in train.images.split(BATCH)]
    batches = [model.transform.normalise(part) for part in test.images.split(BATCH)]
    train = train.relabel(calibrated(model, train_batches), CLASSES)
    bank = collect(model, train, batch_size=BATCH)
    forward = cpu_seconds(lambda: bare(model, batches), repeat=3)
    fit = cpu_seconds(lambda: Panel(TEN).fit(bank), repeat=3)
    pass_with = cpu_seconds(lambda: collect(model, train, batch_size=BATCH, norms=False))
    score = cpu_seconds(lambda: ours(model, Panel(TEN).fit(bank), batches), repeat=3) - fit
    everything = Panel(EVERY).fit(bank)
    every = cpu_seconds(lambda: ours(model, everything, batches))
    odin = Panel([*TEN, "odin"]).fit(bank)
    with_odin = cpu_seconds(lambda: ours(model, odin, batches))
    lines = [
        ["bare forward", f"{forward:.2f}", "1.00"],
        ["our ten, scoring", f"{score:.2f}", f"{score / forward:.2f}"],
        ["our ten, fits from collected outputs", f"{fit:.2f}", f"{fit / forward:.2f}"],
        ["our ten, scoring + fits", f"{score + fit:.2f}", f"**{(score + fit) / forward:.2f}**"],
        ["the training pass (`collect`)", f"{pass_with:.2f}", f"{pass_with / forward:.2f}"],
        [f"all {len(EVERY)} of ours without gradients", f"{every:.2f}", f"{every / forward:.2f}"],
        ["our ten and ODIN", f"{with_odin:.2f}", f"**{with_odin / forward:.2f}**"],
    ]
    if rivals:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loops = theirs(model, train_batches, train.labels, batches)
            costs = {name: cpu_seconds(loop) for name, loop in loops.items()}
        total = sum(costs.values())
        lines.append(["pytorch-ood, the same ten, README loop", f"{total:.2f}", f"{total / forward:.2f}"])
    print(f"\n{architecture}, {n} images, bank of {n} rows\n")
    table(["", "CPU s", "× bare forward"], lines)


def main() -> None:
    """WRN-40-2 as the anchor, ResNet-20 beside it."""
    print(machine())
    measure("wrn-40-2", 2000, rivals=True)
    measure("resnet-20", 2000, rivals=False)
