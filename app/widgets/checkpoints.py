"""Pieces of the Checkpoints page: a tile of the gallery, one card in plain words, and two side by side."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from app import theme
from app.charts.checkpoints import Versus, areas
from app.services import cabinet, jobs
from app.services.cabinet import Family, Listed
from app.services.resources import Exhibit
from app.widgets import settings
from app.widgets.figure import figure
from app.widgets.page import plain, set_title
from app.widgets.sets import auxiliary_title
from oodcore.checkpoint.compare import Figure, Pair, changes, differences, figures, pairs
from oodcore.checkpoint.own import is_own, owned

__all__ = ["blocks_table", "card_in_words", "compared", "facts", "family_heading", "mine", "numbers_table", "tile"]

WHOSE = {
    "shipped": ":blue-badge[:material/verified: shipped]",
    "trained here": ":violet-badge[:material/model_training: trained here]",
    "brought": ":green-badge[:material/upload: brought by a visitor]",
    "own": ":green-badge[:material/folder: this server’s own]",
}
UNFITTED = ":orange-badge[not fitted]"
NAMES = {
    "accuracy": "Accuracy ↑",
    "ece": "Calibration error (ECE) ↓",
    "auroc": "AUROC ↑",
    "fpr95_ood_positive": "FPR95 ↓, OOD positive",
    "fpr95_id_positive": "FPR95 ↓, ID positive",
}


def family_heading(family: Family) -> None:
    """What they have in common."""
    if family.base is None:
        visitors = all(is_own(one.folder) for one in family.members)
        st.subheader("Brought and trained by visitors" if visitors else "Others on this server", anchor=False)
        return
    card = family.base.card
    data = card.recipe.get("data")
    images = set_title(str(data.get("inliers"))) if isinstance(data, dict) else family.base.card.title
    tail = ", long-tailed" if isinstance(data, dict) and data.get("long_tail") else ""
    st.subheader(plain(f"{images}{tail}"), anchor=False)
    many = len(family.members) - 1
    made = f" The baseline, and {many} {'network' if many == 1 else 'networks'} made from it; the small numbers are "
    made += "points gained or lost against it."
    st.caption(f"{plain(card.architecture)}, {len(card.classes)} classes.{made if many else ''}")


def tile(one: Listed, base: Listed | None = None) -> bool:
    """One checkpoint in the gallery; whether it was clicked.

    Args:
        one: It.
        base: The baseline of its family, from which its numbers differ.
    """
    with st.container(border=True, height="stretch", key=f"tile-{one.name}", gap="small"):
        badges = [*([WHOSE[one.whose]] if one.whose != "shipped" else []), *([] if one.fitted else [UNFITTED])]
        if badges:
            st.markdown(" ".join(badges))
        st.markdown(f"**{plain(one.card.title or one.name)}**  \n:small[{_trained(one)}]")
        st.space("stretch")  # so that numbers and buttons of a row stand at one height
        _in_two_numbers(one, base)
        st.caption(f"`{one.name}` · {one.size / 1e6:.1f} MB")
        return st.button("Look inside", key=f"open-{one.name}", width="stretch", icon=":material/search:")


def facts(one: Listed) -> None:
    """The same of the one that is looked at, in a row."""
    with st.container(border=True, horizontal=True, gap="large"):
        st.markdown(f"{WHOSE[one.whose]}{'' if one.fitted else f' {UNFITTED}'}  \n`{one.name}`")
        _in_two_numbers(one)
        st.metric("Size", f"{one.size / 1e6:.1f} MB", width="content")
        st.metric("Classes", f"{len(one.card.classes)}", width="content")


def _in_two_numbers(one: Listed, base: Listed | None = None) -> None:
    found = one.summary
    apart = (None, None) if base is None or base.name == one.name else changes(base.card, one.card)
    with st.container(horizontal=True, gap="large"):
        for title, value, change, help_ in (
            ("Accuracy ↑", found.accuracy, apart[0], None),
            (
                "Mean AUROC ↑",
                found.auroc,
                apart[1],
                f"Of the energy score, over {found.sets} OOD sets, each counting once. Neither side is the positive.",
            ),
        ):
            st.metric(
                title,
                "–" if value is None else theme.percent(value),
                None if change is None else f"{100 * change:+.1f}",
                help=help_,
                width="content",
            )


def card_in_words(one: Listed) -> None:
    """Recipe, data, budget, thresholds and versions, as sentences."""
    card, facts = one.card, []
    facts.append(
        f"**Network** {plain(card.architecture)} for {len(card.classes)} classes: {plain(_some(card.classes))}"
    )
    facts.append(f"**Trained with** {_trained(one)}{_budget(card.recipe)}")
    if card.parent:
        facts.append(f"**Made from** {plain(str(card.parent))}")
    if card.data:
        facts.append(f"**Images** {', '.join(f'{plain(name)} `{digest[:8]}`' for name, digest in card.data.items())}")
    if card.seed is not None:
        facts.append(f"**Seed** {card.seed}")
    guessed = " – assumed, the weights do not say" if card.preprocessing.assumed else ""
    facts.append(f"**Sees** {plain(str(card.preprocessing))}{guessed}")
    facts.append(f"**Decides** {_thresholds(card.thresholds)}")
    facts.append(f"**Licence of its data** {plain(card.licence) or 'not stated'}")
    facts.append(f"**Made with** {', '.join(f'{plain(name)} {plain(text)}' for name, text in card.versions.items())}")
    st.markdown("\n".join(f"- {fact}" for fact in facts))
    for note in card.notes:
        st.caption(plain(str(note)))


def numbers_table(one: Listed, scorer: str) -> None:
    """What was measured, with 95 % intervals where there are some."""
    found = figures(one.card, scorer)
    if not found:
        st.caption("Nothing was measured yet. Fitting its scorers measures it.")
        return
    st.dataframe(
        {
            "Number": [NAMES.get(each.name, each.name) for each in found],
            "Value": [100 * each.value for each in found],
            "95 % interval": [_interval(each) for each in found],
            "On": [_set(each.on) for each in found],
            "Against": [_set(each.against) for each in found],
        },
        hide_index=True,
        height="content",
        column_config={"Value": st.column_config.NumberColumn(format="%.1f %%")},
        alt="Measured numbers with their sets and intervals.",
    )


def blocks_table(shown: Exhibit) -> None:
    """Name, output and the reference's norms of every block."""
    rows = cabinet.block_rows(shown, shown.key)
    if not rows:
        st.caption("No blocks were found in this network, so FeatureNorm cannot be computed.")
        return
    columns: dict[str, Sequence[Any]] = {"Block": [row.name for row in rows], "Hands on": [row.shape for row in rows]}
    if (levels := [row.quartiles for row in rows if row.quartiles is not None]) and len(levels) == len(rows):
        columns["FeatureNorm, median"] = [middle for _, middle, _ in levels]
        columns["middle half"] = [f"{theme.number(low)} to {theme.number(high)}" for low, _, high in levels]
    st.dataframe(
        columns,
        hide_index=True,
        height="content",
        column_config={"FeatureNorm, median": st.column_config.NumberColumn(format="%.2f")},
        alt="Blocks of the network with their output shapes and norms.",
    )


def compared(left: Listed, right: Listed, scorer: str) -> None:
    """Settings that differ, and numbers with what changed."""
    found = pairs(left.card, right.card, scorer)
    names = (left.name, right.name)
    if not found:
        st.info("These two were not measured on the same sets, so only their settings can be compared.")
    else:
        _figure(left, right, scorer, [one for one in found if one.name == "auroc"])
        _pairs(found, names)
    st.subheader("Settings that differ", anchor=False)
    changed = {key: pair for key, pair in differences(left.card, right.card).items() if settings.told(key)}
    loss = left.loss if left.loss == right.loss else None
    if not changed:
        st.caption("None of the settings listed here differs.")
        return
    st.dataframe(
        {
            "Setting": [settings.title(key, loss) for key in changed],
            names[0]: [settings.value(key, pair[0]) for key, pair in changed.items()],
            names[1]: [settings.value(key, pair[1]) for key, pair in changed.items()],
        },
        hide_index=True,
        height="content",
        alt="Settings that the two checkpoints do not share.",
    )


def mine(one: Listed) -> bool:
    """Whether this browser brought it."""
    return one.whose != "shipped" and owned(one.folder, jobs.owner())


def _figure(left: Listed, right: Listed, scorer: str, found: Sequence[Pair]) -> None:
    if not found:
        return
    spread = [
        {each.against: each.interval for each in figures(one.card, scorer) if each.name == "auroc"}
        for one in (left, right)
    ]
    rows = [
        Versus(_set(one.against), one.left, one.right, (spread[0][one.against], spread[1][one.against]))
        for one in found
    ]
    alt = "; ".join(f"{row.title}: {theme.percent(row.left)}, then {theme.percent(row.right)}" for row in rows)
    figure(
        areas(rows, (left.name, right.name), theme.palette(st.context.theme.type)),
        {
            "OOD set": [one.against for one in found],
            left.name: [row.left for row in rows],
            right.name: [row.right for row in rows],
            **{
                f"{one.name}, {end} of 95 %": [_end(row, side, at) for row in rows]
                for side, one in enumerate((left, right))
                for at, end in enumerate(("low end", "high end"))
            },
        },
        name="two-checkpoints",
        alt=f"AUROC of both checkpoints. {alt}.",
    )


def _end(row: Versus, side: int, at: int) -> float | None:
    """Of the drawn interval of one side, where there is one."""
    spread = row.spread[side]
    return None if spread is None else spread[at]


def _pairs(found: Sequence[Pair], names: tuple[str, str]) -> None:
    st.dataframe(
        {
            "Number": [NAMES.get(one.name, one.name) for one in found],
            "Against": [_set(one.against) for one in found],
            names[0]: [100 * one.left for one in found],
            names[1]: [100 * one.right for one in found],
            "Change": [100 * one.change for one in found],
            "Better": [{"left": names[0], "right": names[1]}.get(one.better, "–") for one in found],
        },
        hide_index=True,
        height="content",
        column_config={
            **{name: st.column_config.NumberColumn(format="%.1f %%") for name in names},
            "Change": st.column_config.NumberColumn(format="%+.1f", help="Points, right minus left."),
        },
        alt="Numbers of both checkpoints and what changed.",
    )


def _trained(one: Listed) -> str:
    if not one.loss:
        return "nobody knows what: the file does not say"
    text = settings.LOSSES.get(one.loss, one.loss.replace("_", " "))
    data = one.card.recipe.get("data")
    outliers = data.get("outliers") if isinstance(data, dict) else None
    return plain(text + (f": {auxiliary_title(str(outliers))}" if outliers else ""))


def _budget(recipe: Any) -> str:
    found = recipe.get("budget")
    if not isinstance(found, dict) or "steps" not in found:
        return ""
    seconds = found.get("seconds")
    return (
        f", {found['steps']:,} steps"
        + (f" in {seconds / 60:.0f} minutes" if seconds else "")
        + f" on {found.get('device', '?')}"
    )


def _thresholds(found: Any) -> str:
    scores = found.get("scores", {})
    if not scores:
        return "not yet: its scorers are not fitted"
    energy = f"; energy above {theme.number(scores['energy'])} is flagged" if "energy" in scores else ""
    return f"with {len(scores)} scores, set to keep {100 * found.get('acceptance', 0.95):.0f} % of known images{energy}"


def _interval(one: Figure) -> str:
    return "" if one.interval is None else f"{100 * one.interval[0]:.1f} to {100 * one.interval[1]:.1f} %"


def _set(name: str) -> str:
    """Without its split, in words."""
    return set_title(name.removesuffix("/test")) if name else ""


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
