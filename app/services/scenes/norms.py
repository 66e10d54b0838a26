"""FeatureNorm: how strongly a block of the network answers, and which block to ask."""

from itertools import product

import numpy as np

from app.services.scenes.cast import KNOWN, Actor, Cast
from app.services.scenes.frames import Bars, Dial, Fact, Histogram, Mark, Scene, Set, heights, over
from app.services.scenes.measures import AGAINST, AUROC, FPR95, against, measure
from app.services.scenes.words import number
from oodcore.records import Outputs
from oodcore.scorers.feature_norm import FeatureNorm

__all__ = ["scene"]

NETWORKS = {"as trained": "before", "fine-tuned": "energy"}


def scene(cast: Cast) -> Scene:
    """Dials: `block`, `network` before and after fine-tuning, and `against` which strangers."""
    actors = [cast.actor(role) for role in NETWORKS.values()]
    blocks = actors[0].model.block_names
    shape = (len(actors), len(blocks), len(AGAINST))
    ends, known, strange = np.empty((*shape, 2)), np.empty((*shape, 40)), np.empty((*shape, 40))
    area, passed, line = np.empty(shape), np.empty(shape), np.empty(shape)
    for (a, actor), b, (c, name) in product(enumerate(actors), range(len(blocks)), enumerate(AGAINST.values())):
        score = FeatureNorm(block=b).fit()
        inside, outside = (score(actor.reference[one].outputs).double() for one in (KNOWN, name))
        at = a, b, c
        ends[at], (known[at], strange[at]) = heights([inside.numpy(), outside.numpy()])
        area[at], passed[at], line[at], _ = measure(inside, outside)
    whole, cut = (np.stack([norms(side(actor)) for actor in actors]) for side in (_whole, _cut))
    ratios = np.stack([actor.ratios.values.numpy() for actor in actors])
    dials, mine = ("network", "block", "against"), whole.transpose(0, 2, 1)  # network, block, picture
    at_block = over("block", values=np.arange(len(blocks)))
    return Scene(
        dials={
            "block": Dial("block", "Block", tuple(range(1, len(blocks) + 1)), blocks, len(blocks) - 1),
            "network": Dial("network", "Network", tuple(NETWORKS), tuple(NETWORKS)),
            "against": against(),
        },
        views={
            "histogram": Histogram(
                "FeatureNorm with its sign turned",
                "\N{MINUS SIGN}f: higher = more out-of-distribution. Each curve is scaled to its own peak.",
                over(*dials, values=ends),
                [
                    Set("strangers", "ood", over(*dials, values=strange)),
                    Set("known shapes", "id", over(*dials, values=known)),
                ],
                [Mark("keeps 95 % of known", over(*dials, values=line), "right")],
                over("network", "block", "picture", values=-mine),
            ),
            "norms": Bars(
                "This picture’s norm in every block",
                blocks,
                0.0,
                float(max(whole.max(), cut.max())),
                "number",
                over("network", "picture", values=whole),
                name="the picture",
                colour="id",
                behind=over("network", "picture", values=cut),
                behind_name="its tiles shuffled",
                chosen=at_block,
            ),
            "ratios": Bars(
                "NormRatio of every block",
                blocks,
                0.0,
                float(ratios.max()),
                "number",
                over("network", values=ratios),
                colour="id",
                chosen=at_block,
            ),
        },
        facts={
            "auroc": Fact(AUROC, over(*dials, values=area), better="up"),
            "fpr95": Fact(FPR95, over(*dials, values=passed), better="down"),
            "ratio": Fact("NormRatio of this block", over("network", "block", values=ratios), "number"),
            "norm": Fact("this picture’s norm", over("network", "block", "picture", values=mine), "number"),
            "flagged": Fact(
                "this picture", over("network", "block", "picture", values=-mine > line[:, :, :1]), "decision"
            ),
        },
        numbers={
            "norm": over(
                "picture",
                "network",
                "block",
                values=[
                    [[_norm(blocks[b], whole[a, row, b]) for b in range(len(blocks))] for a in range(len(actors))]
                    for row in range(len(cast.cards))
                ],
            ),
            "ratio": over(
                "picture",
                "network",
                "block",
                values=[
                    [[_ratio(whole[a, row, b], cut[a, row, b]) for b in range(len(blocks))] for a in range(len(actors))]
                    for row in range(len(cast.cards))
                ],
            ),
        },
        pictures=cast.cards,
    )


def norms(outputs: Outputs) -> np.ndarray:
    """Of every block."""
    assert outputs.norms is not None  # noqa: S101  they were asked for
    return outputs.norms.double().numpy()


def _whole(actor: Actor) -> Outputs:
    return actor.outputs


def _cut(actor: Actor) -> Outputs:
    return actor.shuffled


def _norm(block: str, norm: float) -> str:
    return f"f_{{block {block}}} = {number(norm)}, so its score is {number(-norm)}"


def _ratio(whole: float, cut: float) -> str:
    return (
        f"f(picture) / f(shuffled) = {number(whole)} / {number(cut)} = {number(whole / cut)}"
        if cut > 0
        else "its tiles leave this block silent"
    )
