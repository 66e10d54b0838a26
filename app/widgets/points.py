"""Maps as the browser component takes them: points, centres, placed photos, colours."""

from collections.abc import Mapping, Sequence

import streamlit as st

from app import theme
from app.components.points import Center, Group, Panel, Photo, Range, Tile, Tones
from app.services import clusters, sheets
from app.services.clusters import Map
from app.services.resources import Answer, Exhibit, is_auxiliary
from app.services.samples import Picture, Prepared, prepared
from app.widgets.page import set_title
from oodcore.maps import known_set

__all__ = ["group_key", "groups", "panel", "set_of", "tones"]

CLASSES = {
    "light": (
        "#5B009A",
        "#E34211",
        "#067EFA",
        "#36A83C",
        "#5C0424",
        "#389987",
        "#F61F73",
        "#404303",
        "#C46FBA",
        "#053D6A",
    ),
    "dark": (
        "#B6FEDB",
        "#E57F02",
        "#206EFD",
        "#3BF57A",
        "#FD215C",
        "#0AB8FA",
        "#D38EAA",
        "#FAF844",
        "#B50AA0",
        "#0F9D50",
    ),
}
"""Ten that stay apart for common colour blindness (CIE76 at least 20 each) and stand out from the page."""
MIDDLE = {"light": "#8C858B", "dark": "#75707C"}


def groups(maps: Sequence[Map], found: Mapping[str, sheets.Sheet | None]) -> list[Group]:
    """The sets of all maps. Only where as many images were measured are two rows the same image."""
    named: dict[str, Group] = {}
    for one in maps:
        for name in one.rows:
            key, tile = group_key(one.shown, name), found[name]
            role = "id" if name == known_set(one.shown.reference) else "aux" if is_auxiliary(name) else "ood"
            sheet = None if tile is None else Tile(tile.url, sheets.COLUMNS, tile.rows)
            named.setdefault(key, Group(key, set_title(name), role, sheet))
    return sorted(named.values(), key=lambda group: ("id", "aux", "ood").index(group.role))


def group_key(shown: Exhibit, name: str) -> str:
    """Begins the ids of a set's images."""
    return f"{name}:{shown.measured.get(name, len(shown.reference[name]))}"


def set_of(group: Group) -> str:
    """Name of its set, for links."""
    return group.name.rpartition(":")[0]


def panel(one: Map, numbers: Mapping[str, int], pictures: Sequence[Picture], answers: Sequence[Answer]) -> Panel:
    """A map for the browser.

    Args:
        one: What is drawn.
        numbers: Name of each group → its number.
        pictures: Placed on the map.
        answers: What the network says of them.
    """
    shown, name = one.shown, one.shown.name.rpartition("/")[2]
    sizes = [len(rows) for rows in one.rows.values()]
    ids = [numbers[group_key(shown, key)] for key in one.rows]
    settings = one.settings
    how = (
        "principal components" if settings is None else f"UMAP, seed {settings.seed}, {settings.neighbours} neighbours"
    )
    return Panel(
        key=f"{shown.name} {one.space} {settings}",
        title=f"{name}, {one.space}",
        words=f"{how} · {len(one.xy):,} of {one.measured:,} measured images",
        note="★ trained class centres"
        if one.cloud.trained
        else "✚ class means, measured: this space has no trained centres",
        x=one.xy[:, 0],
        y=one.xy[:, 1],
        set=[number for number, size in zip(ids, sizes, strict=True) for _ in range(size)],
        row=[row for rows in one.rows.values() for row in rows.tolist()],
        label=one.cloud.labels,
        nearest=one.nearest[0],
        scores={
            key: value
            for key, value in (("energy", one.energy), ("representation", one.representation))
            if value is not None
        },
        scales={key: found for key in ("energy", "representation") if (found := _range(one, key)) is not None},
        centers=[
            Center(x, y, owner) for (x, y), owner in zip(one.centers.tolist(), one.cloud.owners.tolist(), strict=True)
        ],
        trained=one.cloud.trained,
        photos=_photos(one, pictures, answers) if answers else [],
    )


def _range(one: Map, name: str) -> Range | None:
    found = clusters.scale(one, name)
    if found is None:
        return None
    title = "energy" if name == "energy" else "representation score"
    turns = f"turns at {theme.number(found.middle)}, " + (
        f"the threshold that keeps {theme.percent(clusters.KEEP)} of known images" if found.threshold else "the median"
    )
    return Range(found.low, found.middle, found.high, f"{title}: higher = more out-of-distribution; {turns}")


def _photos(one: Map, pictures: Sequence[Picture], answers: Sequence[Answer]) -> list[Photo]:
    found, nearest, distances = clusters.placed(one, answers)
    return [
        Photo(
            id=f"photo/{picture.id}",
            name=picture.name,
            source=view.seen,
            x=x,
            y=y,
            energy=answer.scores.get("energy"),
            representation=answer.scores.get("representation"),
            nearest=near,
            distance=distance if near >= 0 else None,
            far=share >= clusters.KEEP,
            reach=f"farther out than {theme.percent(share)} of known images",
        )
        for picture, answer, (x, y), share, near, distance in zip(
            pictures,
            answers,
            found.xy.tolist(),
            found.share.tolist(),
            nearest.tolist(),
            distances.tolist(),
            strict=True,
        )
        if isinstance(view := prepared(picture, one.shown.model.transform), Prepared)
    ]


def tones() -> Tones:
    """Colours of the canvas."""
    scheme = "dark" if st.context.theme.type == "dark" else "light"
    colours = theme.palette(scheme)
    ood_text = "#FFB27C" if scheme == "dark" else "#B23A09"
    return Tones(
        colours.id,
        colours.ood,
        colours.aux,
        colours.text,
        colours.mute,
        colours.page,
        MIDDLE[scheme],
        ood_text,
        CLASSES[scheme],
    )
