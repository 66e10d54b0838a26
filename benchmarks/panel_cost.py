"""What scores cost beside one bare forward pass, in CPU seconds, and beside pytorch-ood on the same network.

The ten gradient-free scorers are those that pytorch-ood was measured with: MSP, max logit, energy, Mahalanobis, KNN,
ViM, SHE, ReAct, ASH-S, SCALE. Fits are part of ours: one pass over as many training images, of which only what it adds
to that bare pass is counted.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.clock import beside, machine, table
from oodcore.data import ArraySet
from oodcore.models import build
from oodcore.models.classifier import Classifier
from oodcore.models.collect import collect
from oodcore.panel import FittedPanel, Panel
from oodcore.scorers import scorers

TEN = ["msp", "max_logit", "energy", "mahalanobis", "knn", "vim", "she", "react", "ash_s", "scale"]
BATCH = 200
CLASSES = tuple("0123456789")
EVERY = [name for name in scorers.names() if name not in {"odin", "representation", "semantic_energy"}]


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


def theirs(model: Classifier, train: list[Tensor], labels: Tensor, batches: list[Tensor]) -> list[Callable[[], object]]:
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
    detectors = [
        MaxSoftmax(logits),
        MaxLogit(logits),
        EnergyBased(logits),
        Mahalanobis(flat).fit_features(features, labels),
        KNN(flat, k=50).fit_features(features, labels),
        ViM(flat, d=64, w=weight, b=bias).fit_features(features, labels),
        SHE(flat, model.fc).fit_features(features, labels),
        ReAct(maps, head, threshold=float(features.quantile(0.9))),
        ASH(maps, head, variant="ash-s"),
        SCALE(maps, head),
    ]

    def loop(detector: Callable[[Tensor], Tensor]) -> None:
        for batch in batches:
            detector(batch)

    return [partial(loop, detector) for detector in detectors]


def measure(architecture: str, n: int, rivals: bool) -> None:
    """One table: bare pass, our panels, their loops."""
    model = build(architecture, CLASSES)
    train, test = images(n, 0), images(n, 1)
    train_batches = [model.transform.normalise(part) for part in train.images.split(BATCH)]
    batches = [model.transform.normalise(part) for part in test.images.split(BATCH)]
    train = train.relabel(calibrated(model, train_batches), CLASSES)
    bank = collect(model, train, batch_size=BATCH)
    forward = partial(bare, model, batches)
    forward()
    works: dict[str, Callable[[], object]] = {
        "our ten, fits and scores": lambda: ours(
            model, Panel(TEN).fit(replace(bank)), batches
        ),  # a copy forgets moments
        "the training pass itself (`collect`, without norms)": partial(
            collect, model, train, batch_size=BATCH, norms=False
        ),
        f"all {len(EVERY)} of ours without gradients": partial(ours, model, Panel(EVERY).fit(bank), batches),
        "our ten and ODIN": partial(ours, model, Panel([*TEN, "odin"]).fit(bank), batches),
    }
    lines = []
    for name, work in works.items():
        cost, ratio = beside(work, forward, repeat=3 if name.startswith("our ten, fits") else 1)
        lines.append([name, f"{cost:.1f}", f"{ratio:.2f}"])
    if rivals:
        loops = theirs(model, train_batches, train.labels, batches)
        cost, ratio = beside(lambda: [loop() for loop in loops], forward)
        lines.append(["pytorch-ood, the same ten, README loop, fitted beforehand", f"{cost:.1f}", f"{ratio:.2f}"])
    print(f"\n{architecture}, {n} images, bank of {n} rows\n")
    table(["", "CPU s", "× bare forward"], lines)


def main() -> None:
    """WRN-40-2 as the anchor, ResNet-20 beside it."""
    print(machine())
    measure("wrn-40-2", 2000, rivals=True)
    measure("resnet-20", 2000, rivals=False)
