"""`ood logit-adjust`: rare classes get their due, by a little training or afterwards.

The training is the second stage of PASCL (Wang et al., ICML 2022), which balanced energy takes over for its accuracies:
ten epochs of logit-adjusted cross-entropy move scale and shift of batch norm, and the last layer. Theirs was Adam at
0.0005; here it is SGD, with a learning rate of ours.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oodcore.cli import options, training
from oodcore.cli.opening import opened
from oodcore.cli.screen import progress, remark, show
from oodcore.cli.sets import read
from oodcore.cli.trial import work
from oodcore.errors import DataError

if TYPE_CHECKING:
    from rich.table import Table
    from torch import Tensor

    from oodcore.config import Experiment
    from oodcore.data import ImageSet

EXAMPLES = options.examples(
    "ood logit-adjust runs/cifar10-lt-resnet20-0/checkpoint --id cifar10-jpeg",
    "ood logit-adjust my-network --id cifar10 --long-tail 0.01 --post-hoc",
)
LR = 0.01


def logit_adjust(
    checkpoint: Annotated[str, typer.Argument(help="A network trained on a long tail: a name, a folder.")],
    id_name: options.IdName,
    tau: Annotated[float, typer.Option("--tau", help="0 changes nothing, 1 aims at the balanced error.")] = 1.0,
    post_hoc: Annotated[
        bool, typer.Option("--post-hoc", help="Train nothing: take tau log p off the logits, and tell what it brings.")
    ] = False,
    long_tail: training.LongTail = None,
    steps: training.Steps = None,
    epochs: training.Epochs = None,
    lr: training.Rate = LR,
    out: training.Out = None,
    changes: training.Changes = None,
    seed: training.Seed = None,
    data: options.Data = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
    cache: options.Cache = True,
) -> None:
    """Correct a long-tailed network's preference for frequent classes, and compare accuracies on the test split.

    Ten epochs of cross-entropy on logits + tau log p, which move batch norm's scale and shift and the last layer, make
    a new checkpoint. Take that for accuracy and the old one for OOD detection, as published.
    """
    from oodcore.config import Experiment, overridden

    root = options.data_root(data)
    where = training.machine(device, threads, 1, 1, root, cache)
    tables: dict[str, Any] = {
        "title": f"Logit-adjusted {training.called(checkpoint)}",
        "source": "own setting: ood logit-adjust",
        "model": {"checkpoint": checkpoint},
        "data": {
            "inliers": id_name,
            **training.without_none(long_tail=training.tail_of(long_tail, checkpoint, id_name, root)),
        },
        "loss": {"name": "logit_adjusted", "tau": tau},
        "train": {"trainable": "norms+head", **training.without_none(steps=steps, epochs=epochs, lr=lr, seed=seed)},
    }
    experiment = Experiment.from_json(overridden(tables, changes or ()))
    if post_hoc:
        show(_compared(experiment, {"as trained": (checkpoint, 0.0), f"- {tau:g} log p": (checkpoint, tau)}, where))
        return
    folder = training.run_folder(out, f"{training.called(checkpoint)}-logit-adjusted", experiment.train.seed)
    result = training.carry_out(experiment, folder, where)
    try:
        show(_compared(experiment, {"before": (checkpoint, 0.0), "after": (str(result), 0.0)}, where))
    except DataError as error:
        remark(f"The two cannot be compared: {error}")


def _compared(experiment: "Experiment", networks: Mapping[str, tuple[str, float]], where: training.Machine) -> "Table":
    """Accuracies on the test split, of checkpoints whose logits lose tau log p."""
    from rich.table import Table

    from oodcore.metrics import tail_accuracy
    from oodcore.priors import logit_adjust

    name = experiment.data.inliers
    with progress() as tell:
        counts = _counts(experiment, read(name, experiment.data.split, where.root, tell))
        test = read(name, "test", where.root, tell)
    table = Table("accuracy, %", "all classes", "many", "medium", "few", box=None, pad_edge=False)
    for label, (checkpoint, tau) in networks.items():
        logits = logit_adjust(_logits(checkpoint, test, where), counts, tau)
        found = tail_accuracy(logits, test.labels, counts)
        table.add_row(label, *("-" if share is None else f"{100 * share:.2f}" for share in found))
    if len(set(counts.tolist())) == 1:
        remark("All classes have as many training images: there is nothing to adjust. Is --long-tail missing?")
    return table


def _counts(experiment: "Experiment", train: "ImageSet") -> "Tensor":
    """Training images per class, shape (k,)."""
    import torch

    from oodcore.data import long_tail

    rho = experiment.data.long_tail
    kept = train if rho is None else long_tail(train, rho)
    return torch.tensor(list(kept.counts.values()))


def _logits(checkpoint: str, test: "ImageSet", where: training.Machine) -> "Tensor":
    """Of the test images, shape (n, k)."""
    import torch

    from oodcore.evaluate.work import bank_of

    found = opened(checkpoint, torch.device(where.accelerator), where.root)
    if len(found.model.classes) != len(test.classes):
        raise DataError(
            f"'{checkpoint}' knows {len(found.model.classes)} classes, '{test.name}' shows {len(test.classes)}. "
            "Name the set that it was trained on."
        )
    with progress() as tell:
        return bank_of(found.model, test, work(256, where.cache, tell)).outputs.logits
