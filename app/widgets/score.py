"""Pieces of the Score page: one picture closely, the table, and what to expect of the pictures."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from app import theme
from app.charts.score import Standing, class_shares, standings
from app.services import table
from app.services.resources import Exhibit
from app.services.samples import Group
from app.services.table import Row
from app.widgets.figure import CONFIG
from app.widgets.page import plain

__all__ = ["closer", "expectation", "left_out", "listing", "nothing_yet"]

P_VALUE = "How likely a known image is to look at least this unusual. Flagged when at most 1 minus the share kept."


def nothing_yet() -> None:
    """No picture is chosen."""
    st.info("No pictures yet. Choose a set above, or drop in your own photos.", icon=":material/image:")


def left_out(sentences: Sequence[str], used: int) -> None:
    """One sentence for each file that could not be used."""
    if not sentences:
        return
    rest = {0: "None was added.", 1: "The other one was added."}.get(used, f"The other {used} were added.")
    shown = [plain(sentence) for sentence in sentences]
    text = f"{shown[0]} {rest}" if len(shown) == 1 else "\n".join(f"- {line}" for line in shown) + f"\n\n{rest}"
    st.warning(text, icon=":material/broken_image:")


def expectation(chosen: Sequence[Group], shown: Exhibit) -> None:
    """What a good network should do with the sample sets on the board."""
    classes = shown.model.classes
    some = ", ".join(classes[:10]) + (", …" if len(classes) > 10 else "")
    strange = [group.title.lower() for group in chosen if group.strange]
    sentence = f"This network knows {len(classes)} classes: {plain(some)}."
    if strange:
        sentence += f" Most {' and '.join(strange)} show something else, so a good score flags them."
    st.caption(sentence)


def closer(row: Row, names: Sequence[str], shown: Exhibit, acceptance: float) -> None:
    """One picture: what it is, what the network answers, and where every chosen score puts it."""
    colours = theme.palette(st.context.theme.type)
    st.subheader("Look closer", anchor=False)
    with st.container(border=True):
        left, middle, right = st.columns([3, 4, 5], gap="large")
        with left:
            _pair(row)
        with middle:
            st.markdown("**What it answers** – softmax shares")
            figure = class_shares(shown.model.classes, row.answer.shares.tolist(), colours)
            alt = f"The network answers {row.label} with {theme.percent(row.answer.confidence)}."
            st.plotly_chart(figure, key="shares", config=CONFIG, alt=alt)
        with right:
            st.markdown("**How unusual it is** – share of known images below")
            standing = [Standing(shown.title(name), 1 - row.p[name], row.flagged[name]) for name in names]
            flagged = [one.title for one in standing if one.flagged]
            alt = f"Flagged by {len(flagged)} of {len(standing)} scores: {', '.join(flagged) or 'none'}."
            st.plotly_chart(standings(standing, acceptance, colours), key="standings", config=CONFIG, alt=alt)
            st.caption(f"◆ flagged, ● kept. The line is your setting, {theme.percent(acceptance)}.")


def listing(found: Sequence[Row], names: Sequence[str], shown: Exhibit, acceptance: float) -> None:
    """All pictures as a table, most unusual first, and as a file."""
    scorer = names[0]
    title, button = st.columns([3, 1], vertical_alignment="bottom")
    title.subheader("Every picture, every score", anchor=False)
    threshold = shown.calibration(scorer).threshold(acceptance)
    button.download_button(
        "Download CSV",
        data=partial(table.export, found, scorer, acceptance, threshold),
        file_name=f"{shown.name.rpartition('/')[2]}-{scorer}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        width="stretch",
        help="All scores and p-values of every picture, not only the columns shown.",
    )
    ordered = sorted(found, key=lambda row: -row.answer.scores[scorer])
    st.dataframe(
        table.shown_columns(ordered, scorer, names),
        hide_index=True,
        row_height=44,
        height="content",
        column_config={
            "Seen": st.column_config.ImageColumn("Seen", width=60),
            "Confidence": st.column_config.ProgressColumn("Confidence", format="percent", min_value=0, max_value=1),
            "p-value": st.column_config.NumberColumn("p-value", format="%.4f", help=P_VALUE),
            **{name: st.column_config.NumberColumn(name, format="%.3f", help=shown.title(name)) for name in names},
        },
        alt="Every picture with its answer, decision, p-value and scores.",
    )
    st.caption(shown.calibration(scorer).guarantee(acceptance))


def _pair(row: Row) -> None:
    st.markdown(f"**{plain(row.picture.name)}**")
    side = row.view.pixels.shape[-1]
    words = f"as the network sees it, {side}×{side}"
    if row.view.small:
        st.image(row.view.seen, caption=words, alt=row.picture.name, width=180)
        return
    original, seen = st.columns(2, gap="small")
    original.image(row.view.original, caption="the picture", alt=row.picture.name, width="stretch")
    seen.image(row.view.seen, caption=words, alt=f"{row.picture.name}, {words}", width="stretch")
