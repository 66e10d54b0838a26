"""Pieces of the Score page: one picture closely, the table, and what to expect of the pictures."""

from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from html import escape

import plotly.graph_objects as go
import pyarrow as pa
import streamlit as st

from app import state, theme
from app.charts import score as charts
from app.charts.score import Standing
from app.services import resources, samples, table
from app.services.balance import balance
from app.services.memory import Memory
from app.services.nearest import AMONG, Closest, closest, is_found
from app.services.report import Settings, report
from app.services.samples import Group, Picture
from app.services.spreadsheet import stacked
from app.services.table import Row, Side
from app.theme import Palette
from app.widgets.compare import Compared
from app.widgets.figure import figure, takeaway
from app.widgets.page import busy, plain, spinner
from oodcore.attribution import EnergyMap, smooth

__all__ = ["chosen_scorers", "closer", "expectation", "left_out", "listing", "nothing_yet", "take_home"]

USUAL = ("energy", "msp", "knn", "mahalanobis", "vim", "react", "gen")  # listed beside the deciding score at first
P_VALUE = "How likely a known image is to look at least this unusual. Flagged when at most 1 minus the share kept."


_FIGURES: Memory[tuple[Hashable, ...], go.Figure] = Memory(512)  # making one takes longer than all else on release
samples.let_go_with(_FIGURES)


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


def expectation(chosen: Sequence[Group], classes: Sequence[str]) -> None:
    """What a good network should do with the sample sets on the board."""
    some = ", ".join(classes[:10]) + (", …" if len(classes) > 10 else "")
    strange = [group.title.lower() for group in chosen if group.strange]
    sentence = f"This network knows {len(classes)} classes: {plain(some)}."
    if strange:
        sentence += f" Most {' and '.join(strange)} show something else, so a good score flags them."
    st.caption(sentence)


def chosen_scorers(side: Side, scorer: str) -> list[str]:
    """Heading of the close look, and the scores that are listed: the deciding one first."""
    usual = [name for name in USUAL if name in side.shown.scorers]
    state.unknown(state.ALSO, side.shown.scorers)
    state.choose_some(state.ALSO, side.shown.scorers, usual)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.subheader("Look closer", anchor=False, width="content")
        with st.popover("Scores to list", icon=":material/checklist:"):
            also = st.pills(
                "Beside the one that decides; all come from the same forward pass",
                side.shown.scorers,
                selection_mode="multi",
                format_func=side.shown.title,
                key=state.ALSO,
                wrap=True,
            )
    state.chosen(state.ALSO, also, usual)
    return [scorer, *(name for name in also if name != scorer)]


def closer(row: Row, names: Sequence[str], sides: Sequence[Side], acceptance: float) -> None:
    """One picture: what it is, what the networks answer, how unusual every chosen score finds it, and why."""
    colours = theme.palette(st.context.theme.type)
    with st.container(border=True):
        left, middle, right = st.columns([3, 4, 5], gap="large")
        with left:
            _pair(row)
            if len(sides) > 1:
                st.html(_verdicts(row, names[0], sides, colours))
        with middle:
            _answers(row, sides, colours)
        with right:
            _standings(row, names, sides, acceptance, colours)
        _balance(row, sides)
        _neighbours(row, sides, colours)
        _why(row, sides, colours)


def listing(found: Sequence[Row], names: Sequence[str], sides: Sequence[Side], acceptance: float) -> None:
    """All pictures as a table, the most unusual first."""
    scorer, shown = names[0], sides[0].shown
    st.subheader("Every picture, every score", anchor=False)
    lines = table.shown_columns(ordered(found, scorer), [side.name for side in sides], scorer, names)
    st.dataframe(
        pa.Table.from_pylist(lines),  # half the time of a data frame
        hide_index=True,
        row_height=44,
        height="content",
        column_config={
            "Seen": st.column_config.ImageColumn("Seen", width=60),
            "Confidence": st.column_config.ProgressColumn("Confidence", format="percent", min_value=0, max_value=1),
            "Differ": st.column_config.CheckboxColumn("Differ", help="The decision depends on the checkpoint."),
            "p-value": st.column_config.NumberColumn("p-value", format="%.4f", help=P_VALUE),
            **{name: st.column_config.NumberColumn(name, format="%.3f", help=shown.title(name)) for name in names},
        },
        alt="Every picture with its answer, decisions, p-value and scores.",
    )
    st.caption(shown.calibration(scorer).guarantee(acceptance))


def take_home(found: Sequence[Row], sides: Sequence[Side], shown: Compared, settings: Settings) -> None:
    """The table and a report as files; both are made when they are asked for."""
    thresholds = [dial.thresholds[settings.level] for dial in shown.dials]
    pictures = [row.picture for row in found]
    name = f"{sides[0].shown.name.rpartition('/')[2]}-{settings.scorer}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Download CSV",
            data=lambda: table.export(
                table.rows(sides, pictures, settings.acceptance),
                sides,
                settings.scorer,
                settings.acceptance,
                thresholds,
            ),
            file_name=f"{name}.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            help="All scores and p-values of every picture under every checkpoint, not only the columns shown.",
        )
        st.download_button(
            "Download report",
            data=lambda: report(
                ordered(found, settings.scorer),
                sides,
                shown.dials,
                [charts.curve(one, threshold) for one, threshold in zip(shown.drawn, thresholds, strict=True)],
                settings,
                theme.number,
            ),
            file_name=f"{name}.html",
            mime="text/html",
            icon=":material/description:",
            on_click="ignore",
            help="One HTML file that needs nothing else: pictures, settings, thresholds, decisions and curves.",
        )


def ordered(found: Sequence[Row], scorer: str) -> list[Row]:
    """The most unusual first, for the main checkpoint."""
    return sorted(found, key=lambda row: -row.main.answer.scores[scorer])


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


def _verdicts(row: Row, scorer: str, sides: Sequence[Side], colours: Palette) -> str:
    """Decision, score and p-value of every checkpoint as a small table."""
    lines = []
    for turn, (side, verdict) in enumerate(zip(sides, row.verdicts, strict=True), start=1):
        word, look = (
            ("flagged", f"background:{colours.ood};transform:rotate(45deg) scale(.86)")
            if verdict.flagged[scorer]
            else ("kept", f"background:{colours.id};border-radius:50%")
        )
        cells = [
            f"<span role='img' aria-label='{word}' style='display:inline-block;width:10px;height:10px;{look}'></span>",
            f"{turn} {escape(side.name)}",
            f"<code>{theme.number(verdict.answer.scores[scorer])}</code>",
            f"<code>{theme.p_value(verdict.p[scorer])}</code>",
        ]
        lines.append("<tr>" + "".join(f"<td style='padding:3px 10px 3px 0'>{cell}</td>" for cell in cells) + "</tr>")
    return f"<table style='border-collapse:collapse;font-size:14px;white-space:nowrap'>{''.join(lines)}</table>"


def _answers(row: Row, sides: Sequence[Side], colours: Palette) -> None:
    st.markdown("**What it answers** – softmax shares")
    shares = {side.name: verdict.answer.shares.tolist() for side, verdict in zip(sides, row.verdicts, strict=True)}
    classes = sides[0].shown.model.classes
    key = (tuple((side.name, side.shown.key) for side in sides), row.picture.id, colours)
    drawn = _FIGURES.find(
        key,
        lambda: (
            charts.answers(classes, list(shares.values()), list(shares), colours)
            if len(sides) > 1
            else charts.class_shares(classes, shares[sides[0].name], colours)
        ),
    )
    said = [f"{verdict.label} with {theme.percent(verdict.answer.confidence)}" for verdict in row.verdicts]
    by = said if len(sides) == 1 else [f"{name}, {words}" for name, words in zip(shares, said, strict=True)]
    figure(drawn, {"class": classes, **shares}, name="answers", alt=f"The network answers {'; '.join(by)}.")


def _standings(row: Row, names: Sequence[str], sides: Sequence[Side], acceptance: float, colours: Palette) -> None:
    st.markdown("**How unusual it is** – share of known images below")
    standing = [
        Standing(side.shown.title(name), 1 - verdict.p[name], verdict.flagged[name], side.name)
        for name in names
        for side, verdict in zip(sides, row.verdicts, strict=True)
        if name in verdict.p
    ]
    flagged = [f"{one.title} of {one.side}" if len(sides) > 1 else one.title for one in standing if one.flagged]
    alt = f"Flagged by {len(flagged)} of {len(standing)} scores: {', '.join(flagged) or 'none'}."
    columns: Mapping[str, Sequence[object]] = {
        "checkpoint": [one.side for one in standing],
        "score": [one.title for one in standing],
        "share_of_known_images_below": [one.rank for one in standing],
        "decision": ["flagged" if one.flagged else "kept" for one in standing],
    }
    drawn = _FIGURES.find(
        (row.picture.id, tuple(standing), acceptance, colours), lambda: charts.standings(standing, acceptance, colours)
    )
    figure(drawn, columns, name="standings", alt=alt)
    st.caption(
        f"◆ flagged, ● kept. The line is your setting, {theme.percent(acceptance)}: p ≤ {1 - acceptance:.3f} lies "
        "right of it."
    )


def _balance(row: Row, sides: Sequence[Side]) -> None:
    """Crowding and margin, under the checkpoints that were trained with balanced energy."""
    for side, verdict in zip(sides, row.verdicts, strict=True):
        if (found := balance(side.shown, verdict.answer)) is not None:
            who = f"{plain(side.name)} was" if len(sides) > 1 else "This network was"
            st.caption(
                f"{who} trained with balanced energy. The picture’s crowding is Z = {theme.number(found.crowding)} "
                f"({theme.number(found.alike)} if outliers crowded nowhere), so its margin as an outlier would be "
                f"m + αZ = {theme.number(found.margin)}. Its energy is {theme.number(found.energy)}: as an outlier of "
                f"the training it would be {'pushed up' if found.energy < found.margin else 'left alone'}."
            )


def _neighbours(row: Row, sides: Sequence[Side], colours: Palette) -> None:
    """The closest known pictures under every checkpoint."""
    waiting = partial(busy, st.empty())
    ready = all(is_found(side.shown, one.answer, row.picture.id) for side, one in zip(sides, row.verdicts, strict=True))
    with spinner("Looking for known pictures nearby …", needed=not ready):
        found = [
            (side.name, closest(side.shown, verdict.answer, waiting, row.picture.id))
            for side, verdict in zip(sides, row.verdicts, strict=True)
        ]
    lines = [_near(name if len(sides) > 1 else "", one, colours) for name, one in found if one is not None]
    if lines:
        st.markdown("**What it is close to** – nearest known pictures in feature space, the layer before the answer")
        with st.container(key="figure-nearest", gap=None):
            st.html(f"<div style='display:grid;gap:14px'>{''.join(lines)}</div>")
            takeaway("nearest", _nearest(found), picture=False)


def _nearest(found: Sequence[tuple[str, Closest | None]]) -> dict[str, list[object]]:
    """The pictures that are shown, and how the classes share those that are counted."""
    known = [(name, one) for name, one in found if one is not None]
    pictures = [(name, place, near) for name, one in known for place, near in enumerate(one.pictures, start=1)]
    classes = [(name, label, count) for name, one in known for label, count in one.classes]
    return stacked(
        {
            "nearest": {
                "checkpoint": [name for name, _, _ in pictures],
                "place": [place for _, place, _ in pictures],
                "class": [near.label for _, _, near in pictures],
                "distance": [near.distance for _, _, near in pictures],
            },
            f"of {AMONG}": {
                "checkpoint": [name for name, _, _ in classes],
                "class": [label for _, label, _ in classes],
                "count": [count for _, _, count in classes],
            },
        }
    )


def _near(name: str, found: Closest, colours: Palette) -> str:
    counts = ", ".join(f"{escape(label)} {count}" for label, count in found.classes[:4])
    title = f"<b>{escape(name)}</b> " if name else ""
    head = f"<div style='flex:0 0 200px;font-size:14px'>{title}<span style='color:{colours.mute}'>of its {AMONG} nearest: </span>{counts}</div>"  # noqa: E501
    cells = []
    for near in found.pictures:
        words = f"{escape(near.label)}<br><code style='font-size:12px'>{near.distance:.3f}</code>"
        drawn = (
            ""
            if near.seen is None
            else (
                f"<img src='{near.seen}' alt='{escape(near.label)}' style='width:56px;height:56px;border-radius:5px;"
                "image-rendering:pixelated;display:block'>"
            )
        )
        cells.append(
            f"<div style='width:64px;font-size:12px;line-height:1.35;color:{colours.mute}'>{drawn}{words}</div>"
        )
    return f"<div style='display:flex;flex-wrap:wrap;gap:8px 12px;align-items:start'>{head}{''.join(cells)}</div>"


def _why(row: Row, sides: Sequence[Side], colours: Palette) -> None:
    """Maps of what raises and lowers the energy; the networks run for them only when they are asked for."""
    asked = st.toggle(
        "Energy map: what in the picture raises or lowers the energy",
        key=state.MAP,
        bind="query-params",
        help="Takes a moment: the network looks at 32 pictures between a plain one and this one.",
    )
    if not asked:
        return
    place = st.empty()
    with st.spinner("Following the energy …"):
        maps = [resources.explained(side.shown, row.picture, partial(busy, place)) for side in sides]
    blurred = [one._replace(values=smooth(one.values)) for one in maps]
    end = charts.ends([one.values.numpy() for one in blurred])
    with st.container(horizontal=True, gap="large"):
        for turn, (side, found) in enumerate(zip(sides, blurred, strict=True), start=1):
            with st.container(width=220, gap="small"):
                st.markdown(f"**{plain(side.name)}**" if len(sides) > 1 else "**Energy map**")
                grey = samples.as_grey(_view(row.picture, side).pixels)
                drawn = charts.attribution(found.values.numpy(), grey, end, colours)
                figure(drawn, _pixels(found), name=f"energy-map-{turn}", alt=_sum(side.name, found))
                st.caption(_sum("", found))
    st.markdown(
        ":small[Integrated gradients (Sundararajan et al., 2017): every pixel's part in the step from a plain picture "
        "of the same mean colour to this one. :blue[**Blue lowers the energy**], more like what it knows; "
        ":orange[**orange raises it**], more unusual. One scale for all maps, blurred a little.]"
    )


def _view(picture: Picture, side: Side) -> samples.Prepared:
    """The picture as this checkpoint sees it."""
    view = samples.prepared(picture, side.shown.model.transform)
    assert isinstance(view, samples.Prepared)  # noqa: S101  only pictures that could be read are on the board
    return view


def _pixels(found: EnergyMap) -> Mapping[str, Sequence[object]]:
    high, wide = found.values.shape
    return {
        "row": [row for row in range(high) for _ in range(wide)],
        "column": list(range(wide)) * high,
        "attribution": [float(f"{value:.5g}") for value in found.values.flatten().tolist()],
    }


def _sum(name: str, found: EnergyMap) -> str:
    """The sums that the map shows, in words."""
    who = f"{name}: " if name else ""
    return (
        f"{who}energy {theme.number(found.energy)}; the plain picture has {theme.number(found.start)}. Blue parts "
        f"{theme.number(found.lowered)}, orange +{theme.number(found.raised)}."
    )
