"""`ood threshold`: where a score becomes a decision, and what that promises."""

from typing import Annotated, Any

import typer

from oodcore.cli.opening import panel_of
from oodcore.cli.options import Json, Scorers, checked_share, examples, names
from oodcore.cli.screen import remark, show, show_json

EXAMPLES = examples(
    "ood threshold my-checkpoint",
    "ood threshold my-checkpoint --accept 0.9 --accept 0.99 --scorers energy,knn --json",
)


def threshold(
    checkpoint: Annotated[str, typer.Argument(help="A checkpoint folder with a fitted panel, or a shipped name.")],
    accept: Annotated[
        list[float] | None, typer.Option("--accept", help="Share of in-distribution images to accept; may be repeated.")
    ] = None,
    scorers: Scorers = None,
    as_json: Json = False,
) -> None:
    """Thresholds from the calibration split: a photo whose score lies above is called out-of-distribution."""
    shares = [checked_share(share) for share in accept or (0.95,)]
    panel = panel_of(checkpoint)
    wanted = names(scorers)
    if wanted and "all" not in wanted:
        panel = panel.subset(wanted)
    by_share = {share: panel.thresholds(share) for share in shares}
    guarantees = {share: next(iter(panel.calibrations.values())).guarantee(share) for share in shares}
    calibration = panel.about.get("calibration", {})
    if as_json:
        lines = [{"accept": share, "guarantee": guarantees[share], "thresholds": by_share[share]} for share in shares]
        show_json({"direction": "higher is more out-of-distribution", "calibration": calibration, "accept": lines})
        return
    show(_table(by_share))
    if calibration:
        remark(f"Calibrated on {calibration['n']:,} images of '{calibration['name']}' that no scorer was fitted on.")
    for share, guarantee in guarantees.items():
        remark(f"Accept {share:g}: {guarantee}")


def _table(by_share: dict[float, dict[str, float]]) -> Any:
    from rich.table import Table

    table = Table("scorer", box=None, pad_edge=False)
    for share in by_share:
        table.add_column(f"accept {share:g}", justify="right")
    for name in next(iter(by_share.values())):
        table.add_row(name, *(f"{thresholds[name]:.6g}" for thresholds in by_share.values()))
    return table
