"""What was selected on the maps, in numbers."""

from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st

from app.components.points import Chosen
from app.services import spreadsheet
from app.services.clusters import Map
from app.widgets.points import group_key, titled

__all__ = ["listing", "selected"]

SHOWN = 500  # rows of the table on the page; the file has all


def listing(maps: Sequence[Map], chosen: Chosen) -> None:
    """What is selected, as a table and as a file."""
    columns = selected(maps, chosen.rows)
    n = len(columns["image"])
    if not n:
        return
    title, button = st.columns([3, 1], vertical_alignment="bottom")
    title.subheader("The selected images in numbers", anchor=False)
    button.download_button(
        "Download CSV",
        data=partial(spreadsheet.comma_separated, columns),
        file_name="selected-images.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        width="stretch",
    )
    number = st.column_config.NumberColumn(format="%.3f")
    shown = {name: values[:SHOWN] for name, values in columns.items()}
    st.dataframe(
        shown,
        hide_index=True,
        height=min(38 + 35 * min(n, SHOWN), 360),
        column_config={name: number for name in columns if name.startswith(("energy", "representation", "distance"))},
        alt="Selected images with energy, representation score and nearest centre.",
    )
    rest = f" The first {SHOWN} of {n:,} are shown; the file has all." if n > SHOWN else ""
    st.caption(
        "Energy and representation score: higher = more out-of-distribution. Distances to the nearest centre are "
        f"those of the space.{rest}"
    )


def selected(maps: Sequence[Map], rows: Mapping[str, Sequence[int]]) -> dict[str, list[object]]:
    """Columns of the table: one line per image, the highest energy of the last map first."""
    lines: dict[str, dict[str, object]] = {}
    for letter, one in zip("AB", maps, strict=False):
        start = 0
        for name, mapped in one.rows.items():
            wanted = set(rows.get(group_key(one.shown, name), ()))
            for place, row in enumerate(mapped.tolist(), start):
                if row in wanted:
                    lines.setdefault(f"{name}/{row}", {"set": titled(name)}).update(
                        _line(one, place, f" {letter}" if len(maps) > 1 else "")
                    )
            start += len(mapped)
    names = list(dict.fromkeys(name for line in lines.values() for name in line))
    by = next((name for name in reversed(names) if name.startswith("energy")), None)
    ordered = sorted(lines, key=lambda key: -float(str(lines[key].get(by or "", 0.0))))
    return {"image": list(ordered), **{name: [lines[key].get(name) for key in ordered] for name in names}}


def _line(one: Map, place: int, suffix: str) -> dict[str, object]:
    classes, label = one.shown.model.classes, int(one.cloud.labels[place])
    near, distance = int(one.nearest[0][place]), float(one.nearest[1][place])
    line: dict[str, object] = {
        "class": classes[label] if label >= 0 else "–",
        f"energy{suffix}": float(one.energy[place]),
    }
    if one.representation is not None:
        line[f"representation{suffix}"] = float(one.representation[place])
    return line | {f"nearest centre{suffix}": classes[near] if near >= 0 else "–", f"distance to it{suffix}": distance}
