"""The `ood` command: one file per verb, heavy imports inside the commands."""

from typing import Annotated

import typer

import oodcore
from oodcore.cli import (
    app,
    benchmark,
    blocks,
    cancel,
    checkpoints,
    data,
    doctor,
    evaluate,
    finetune,
    fit,
    logit_adjust,
    prior,
    recipes,
    score,
    threshold,
    train,
)
from oodcore.cli.guard import FLAG, Guarded

__all__ = ["main", "ood"]

ood = typer.Typer(
    cls=Guarded,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"ood {oodcore.__version__}")
        raise typer.Exit
    return wanted


@ood.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    traceback: Annotated[bool, typer.Option(FLAG, help="Show where an unexpected error came from.")] = False,
) -> None:
    """Does the network know what it does not know? Scores, thresholds and decisions from one forward pass.

    Results go to stdout, progress to stderr. Exit codes: 0 done, 2 wrong input, 1 a fault of ours, 130 stopped.
    """


ood.command(epilog=score.EXAMPLES)(score.score)
ood.command(epilog=evaluate.EXAMPLES)(evaluate.evaluate)
ood.command(epilog=fit.EXAMPLES)(fit.fit)
ood.command(epilog=threshold.EXAMPLES)(threshold.threshold)
ood.command(epilog=blocks.EXAMPLES)(blocks.blocks)
ood.command(epilog=train.EXAMPLES)(train.train)
ood.command(epilog=finetune.EXAMPLES)(finetune.finetune)
ood.command(epilog=prior.EXAMPLES)(prior.prior)
ood.command(epilog=logit_adjust.EXAMPLES)(logit_adjust.logit_adjust)
ood.command(epilog=recipes.EXAMPLES)(recipes.recipes)
ood.command(epilog=cancel.EXAMPLES)(cancel.cancel)
ood.command(epilog=benchmark.EXAMPLES)(benchmark.benchmark)
ood.add_typer(data.data, name="data")
ood.add_typer(checkpoints.checkpoints, name="checkpoints")
ood.command(epilog=doctor.EXAMPLES)(doctor.doctor)
ood.command(epilog=app.EXAMPLES)(app.app)


def main() -> None:
    """Entry point of the `ood` script."""
    ood(prog_name="ood")
