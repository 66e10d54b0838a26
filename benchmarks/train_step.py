"""What a training step costs beside a bare PyTorch loop written by hand, in CPU seconds and on the clock.

Both fine-tune the same network with energy hinges on the same images in memory: 128 known images and 256 outliers in
one forward, mirrored and cropped, Nesterov SGD under a cosine. The bare loop does nothing else: no named terms, no
hinge activity, no look at the loss. Short blocks of both alternate, and each is compared with its neighbours. Where
the big tensors come to lie in memory changes a process's ratio by a few per cent, for or against either loop, so
several fresh processes measure, and their median is told.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.clock import machine, table
from benchmarks.panel_cost import images
from oodcore.data import ArraySet, augment
from oodcore.losses.energy import Energy
from oodcore.models import Network, build
from oodcore.train.devices import fabric_for
from oodcore.train.loop import Training
from oodcore.train.recipe import Recipe

RECIPE = Recipe(steps=10_000, batch=128, outlier_batch=256, lr=0.001)
BLOCKS = {"resnet-20-w4": 8, "resnet-20": 2}
"""Steps in a block: about a second."""
PAIRS, PROCESSES = 3, 3
LOSS = Energy(weight=0.1, margin_in=-8.0, margin_out=-4.0)


class Cost(NamedTuple):
    """Of a block."""

    cpu: float
    wall: float


def rows(n: int, size: int) -> Iterator[Tensor]:
    """Shuffled, over and over."""
    while True:
        yield from torch.randperm(n)[: n // size * size].split(size)


def bare(model: Network, inside: ArraySet, outside: ArraySet, device: torch.device) -> Iterator[float]:
    """Eight lines that everybody has written, as a generator so that blocks can alternate."""
    model.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    inside, outside = inside.to(device), outside.to(device)
    optimizer = torch.optim.SGD(model.parameters(), RECIPE.lr, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: 1e-3 + (1 - 1e-3) * (1 + math.cos(math.pi * step / 10_000)) / 2
    )
    generator = torch.Generator().manual_seed(0)
    for known, strange in zip(rows(len(inside), 128), rows(len(outside), 256), strict=False):
        pictures = torch.cat([inside.images[known.to(device)], outside.images[strange.to(device)]])
        pixels = model.transform.normalise(augment(pictures, generator))
        logits = model(pixels.to(memory_format=torch.channels_last)).logits
        energies = -logits.logsumexp(dim=1)
        loss = F.cross_entropy(logits[:128], inside.labels[known.to(device)])
        loss = loss + 0.1 * (F.relu(energies[:128] + 8).square().mean() + F.relu(-4 - energies[128:]).square().mean())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        yield RECIPE.lr


def cost(steps: Iterator[object], block: int, device: torch.device) -> Cost:
    """Of some steps, until the device has done them."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(block):
        next(steps)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return Cost(time.process_time() - cpu, time.perf_counter() - wall)


def alternating(ours: Iterator[object], theirs: Iterator[object], block: int, device: torch.device) -> list[Cost]:
    """Bare, ours, bare, ours, …, bare; the first block of each, which warms up, is not counted."""
    for steps in (theirs, ours):
        cost(steps, block, device)
    return [cost((theirs, ours)[number % 2], block, device) for number in range(2 * PAIRS + 1)]


def ratio(costs: list[Cost], of: Callable[[Cost], float]) -> float:
    """Median over our blocks of their cost over the mean of the two bare ones beside it."""
    bare = [of(found) for found in costs[::2]]
    return median(2 * of(mine) / sum(pair) for mine, pair in zip(costs[1::2], pairwise(bare), strict=True))


class Found(NamedTuple):
    """Of one process."""

    milliseconds: float
    cpu: float
    wall: float


def measured(name: str, kind: str) -> Found:
    """A network on a device, in this process."""
    torch.set_num_threads(1)
    device, inside, outside = torch.device(kind), images(2000, 0), images(2000, 1)
    torch.manual_seed(0)
    model = build(name, inside.classes)
    theirs = bare(copy.deepcopy(model), inside, outside, device)
    fabric = fabric_for(RECIPE, accelerator=device.type)
    ours = iter(Training(model, LOSS.fit(), inside, outside, RECIPE, fabric))
    costs = alternating(ours, theirs, BLOCKS[name], device)
    each = median(mine.wall for mine in costs[1::2]) / BLOCKS[name]
    return Found(1000 * each, ratio(costs, lambda one: one.cpu), ratio(costs, lambda one: one.wall))


def main() -> None:
    """One line per network, and per device that is here."""
    print(machine())
    lines = []
    fresh = partial(ProcessPoolExecutor, max_workers=1, max_tasks_per_child=1, mp_context=get_context("spawn"))
    for kind in ["cuda", "cpu"] if torch.cuda.is_available() else ["cpu"]:
        for name in BLOCKS:
            with fresh() as pool:
                found = list(pool.map(measured, [name] * PROCESSES, [kind] * PROCESSES))
            each, cpu, wall = (median(values) for values in zip(*found, strict=True))
            spread = f"{min(one.cpu for one in found):.3f} to {max(one.cpu for one in found):.3f}"
            lines.append([name, kind, f"{each:.0f}", f"{cpu:.3f}", f"{wall:.3f}", spread])
    titles = ["network", "device", "ms a step", "× bare, CPU seconds", "× bare, on the clock", "CPU, of all processes"]
    table(titles, lines)
