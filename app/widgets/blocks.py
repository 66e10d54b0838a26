"""Pieces of the Blocks page: what the selected block says, jigsaws, the table, and the norm inside other scores."""

from collections.abc import Hashable, Sequence
from functools import partial

import plotly.graph_objects as go
import streamlit as st

from app import state, theme
from app.charts.blocks import Columns, histograms, outlines, strip, words
from app.components.gallery import Item, gallery
from app.services import blocks
from app.services.blocks import Choice, Strip
from app.services.memory import Memory
from app.services.resources import Exhibit
from app.services.samples import Picture, Prepared, as_seen, let_go_with
from app.services.spreadsheet import stacked
from app.widgets.figure import figure
from app.widgets.page import busy, plain, set_title
from oodcore.evaluate.blocks import Gain, Shuffled
from oodcore.scorers import scorers

__all__ = ["drawn_strip", "formulas", "jigsaw_preview", "norm_in_others", "table", "verdict"]

FORMULA = r"f^{FN}(x; B) = \frac1M \sum_{m=1}^{M} \sqrt{\textstyle\sum_{h,w} \max(z_m(h,w),\,0)^2}"
RATIO = r"R(B) = \frac1I \sum_{i=1}^{I} \frac{f^{FN}(x_i; B)}{f^{FN}(\hat x_i; B)}, \quad \hat x_i \text{ a jigsaw}"
JOINED = r"z \;\to\; \frac{z}{\lVert z \rVert_2}\, f^{FN}(x; B)"


def verdict(picture: Picture, view: Prepared, columns: Columns, below: Sequence[float]) -> None:
    """The picture, and what the selected block makes of it."""
    with st.container(border=True, height="stretch"):
        st.markdown(f"**{plain(picture.name)}** – {picture.group}")
        side = view.pixels.shape[-1]
        words = f"{picture.name} as the network sees it, {side}×{side}"
        gallery([Item(view.seen, "as it sees it", f"{side} × {side} px")], label=words, colour="", key="seen")
        at = columns.selected if columns.selected is not None else len(columns.names) - 2
        name = columns.names[at]
        chosen = "Selected block" if columns.selected is not None else "Last block but one"
        ratio = (
            "" if columns.ratios is None else f"NormRatio {columns.ratios[at]:.3f}, the largest of {len(columns.names)}"
        )
        if columns.ratios is not None and columns.ratios.max() < 1:
            ratio += ". All lie below 1: cutting adds edges, which every block here answers; this one is fooled least"
        _fact(chosen, name, ratio or "NormRatio is not known for this checkpoint")
        share = below[at]
        _fact(
            "This picture’s norm there",
            theme.number(float(columns.picture[at])),
            f"larger than that of {theme.percent(share)} of known images: {_unusual(share)}",
        )
        if columns.aurocs is not None:
            best = int(columns.aurocs.argmax())
            gap = 100 * float(columns.aurocs[best] - columns.aurocs[at])
            right = (
                "the best of all blocks"
                if best == at
                else f"{gap:.1f} points below block {columns.names[best]}, the best"
            )
            _fact("AUROC ↑ of that block", theme.percent(float(columns.aurocs[at])), right)


_STRIPS: Memory[tuple[Hashable, ...], go.Figure] = Memory(256)  # making one takes longer than the rest of the page
let_go_with(_STRIPS)


def drawn_strip(found: Strip, columns: Columns, against: str | None, key: tuple[Hashable, ...]) -> None:
    """The figure, and its numbers to take home.

    Args:
        found: What is known of the blocks.
        columns: What is drawn.
        against: The outliers.
        key: Stands for the content of the columns.
    """
    outliers = set_title(against) if against else ""
    table: dict[str, Sequence[object]] = {
        "block": list(found.names),
        "output": list(found.shapes),
        "norm of this picture": columns.picture.tolist(),
        "NormRatio of this picture": columns.own.tolist(),
    }
    if columns.ratios is not None:
        table["NormRatio"] = columns.ratios.tolist()
    table |= {f"AUROC against {name}": values.tolist() for name, values in found.aurocs.items()}
    colours = theme.palette(st.context.theme.type)
    drawn = _STRIPS.find((*key, colours), lambda: strip(columns, colours, outliers))
    parts = stacked({"blocks": table, "distributions": outlines(columns)})
    figure(drawn, parts, name="block-norms", alt=words(columns))


def jigsaw_preview(view: Prepared, shuffled: Shuffled, names: Sequence[str], at: int) -> None:
    """The whole picture and its jigsaws, each with the norm of the block in question."""
    colours = theme.palette(st.context.theme.type)
    whole = float(shuffled.whole[at])
    items = [Item(view.seen, "whole", f"norm {theme.number(whole)}", marked=True)]
    items += [
        Item(as_seen(pixels), f"jigsaw {number}", f"norm {theme.number(float(norm))}")
        for number, (pixels, norm) in enumerate(zip(shuffled.pictures, shuffled.cut[:, at], strict=True), start=1)
    ]
    gallery(items, label="The picture and its jigsaws", colour=colours.text, key="jigsaws")
    quieter = int((shuffled.cut[:, at] < whole).sum())
    st.caption(
        f"Block {names[at]} answers {quieter} of {len(shuffled.cut)} jigsaws more quietly than the whole picture; "
        f"ratio {float(shuffled.ratios[at]):.3f}. A tile has a third of the side, so a thin black edge may remain."
    )


def table(found: Strip, columns: Columns, below: Sequence[float]) -> None:
    """Every block in a row."""
    rows: dict[str, Sequence[object]] = {
        "Block": list(found.names),
        "": ["◂ selected" if at == columns.selected else "" for at in range(len(found.names))],
        "Hands on": list(found.shapes),
        "Norms of known images": histograms(columns.known),
        "This picture": columns.picture.tolist(),
        "Known images below": list(below),
        "Its own ratio": columns.own.tolist(),
    }
    if columns.ratios is not None:
        rows["NormRatio"] = columns.ratios.tolist()
    if columns.aurocs is not None:
        rows["AUROC ↑"] = (100 * columns.aurocs).tolist()
    st.dataframe(
        rows,
        hide_index=True,
        height="content",
        column_config={
            "Hands on": st.column_config.TextColumn(
                help="Channels × height × width of what the block gives to the next."
            ),
            "Norms of known images": st.column_config.BarChartColumn(y_min=0, help="From the smallest to the largest."),
            "This picture": st.column_config.NumberColumn(format="%.2f", help="FeatureNorm; blocks do not compare."),
            "Known images below": st.column_config.ProgressColumn(
                format="percent", min_value=0, max_value=1, help="Few mean that the picture is unusual."
            ),
            "Its own ratio": st.column_config.NumberColumn(format="%.3f"),
            "NormRatio": st.column_config.NumberColumn(format="%.3f"),
            "AUROC ↑": st.column_config.NumberColumn(format="%.1f %%", help="Against the outliers chosen above."),
        },
        alt="Every block with its output, norms, NormRatio and AUROC.",
    )


def norm_in_others(shown: Exhibit, choice: Choice, against: str) -> None:
    """MSP, energy and ODIN, alone and with the selected norm."""
    st.subheader("The same norm inside other scores", anchor=False)
    text, numbers = st.columns([5, 7], gap="large")
    with text:
        st.markdown(
            "Keep the **direction** of the last features, and give them the **length** that the selected block "
            "measured. The last layer then makes new logits, and any score of logits can read them."
        )
        st.latex(JOINED)
        st.caption("ODIN looks at the pictures again, twice, so it is computed on request.")
    with numbers:
        place = st.empty()
        ready = blocks.all_gains(shown, choice.selected, against, partial(busy, place), run=False)
        if ready is None and blocks.live(shown, against):
            pressed = st.button(f"Add ODIN, on {blocks.LIVE} pictures of each set", icon=":material/add:")
            if pressed or st.query_params.get(state.ODIN) == "1":
                state.write(state.ODIN, ["1"])
                with st.spinner("Looking at the pictures twice …"):
                    blocks.all_gains(shown, choice.selected, against, partial(busy, place), run=True)
                st.rerun()
        elif ready is None:
            st.caption("ODIN needs the pictures of both sets, which are not on this machine.")
        quick = blocks.quick_gains(shown, shown.key, choice.selected, against)
        known = {one.scorer: one for one in [*(ready or ()), *quick]}
        order = [name for name in ("msp", "energy", "odin") if name in known]
        _gains([known[name] for name in order])
        few = f" ODIN: {blocks.LIVE} pictures of each." if "odin" in known else ""
        st.caption(
            f"Alone → with the norm, against {set_title(against)}, from the stored reference rows.{few} FPR95: "
            "outliers passed where 95 % of known images are kept (ID positive)."
        )


def formulas() -> None:
    """What the two words mean, exactly."""
    with st.expander("FeatureNorm and NormRatio, exactly", icon=":material/function:"):
        st.markdown("**FeatureNorm** of a block with $M$ channels $z_m$: ReLU, length over space, mean over channels.")
        st.latex(FORMULA)
        st.markdown("**NormRatio** over $I$ training images: the mean of ratios, not the ratio of means. Largest wins.")
        st.latex(RATIO)
        st.caption(
            "Yu et al., CVPR 2023, arXiv:2212.02295. A large norm means in-distribution; as a score it is negated."
        )


def _gains(found: Sequence[Gain]) -> None:
    """Five narrow columns: before → after, and the change, for each metric."""
    st.dataframe(
        {
            "Score": [scorers[one.scorer].info.title for one in found],
            "AUROC ↑": [_before_and_after(one.auroc) for one in found],
            "Change": [100 * (one.auroc[1] - one.auroc[0]) for one in found],
            "FPR95 ↓": [_before_and_after(one.fpr95) for one in found],
            "Change ": [100 * (one.fpr95[1] - one.fpr95[0]) for one in found],
        },
        hide_index=True,
        height="content",
        column_config={
            **{
                name: st.column_config.TextColumn(help="Alone → with the norm, in per cent.", alignment="right")
                for name in ("AUROC ↑", "FPR95 ↓")
            },
            **{
                name: st.column_config.NumberColumn(format="%+.1f", help="Percentage points.")
                for name in ("Change", "Change ")
            },
        },
        alt="AUROC and FPR95 of each score alone and with the selected norm.",
    )


def _before_and_after(pair: Sequence[float]) -> str:
    return f"{100 * pair[0]:.1f} → {100 * pair[1]:.1f} %"


def _fact(title: str, value: str, words: str) -> None:
    st.metric(title, value, border=False)
    st.caption(words)


def _unusual(share: float) -> str:
    return "unusual" if share < 0.05 else "on the quiet side" if share < 0.25 else "usual"
