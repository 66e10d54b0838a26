"""Numbers of an experiment that a visitor changed, as one short text for a link: `train.lr:0.1,loss.weight:0.3`."""

import json
from collections.abc import Mapping
from types import NoneType
from typing import Any, Literal, get_args, get_origin

__all__ = ["MEASURED", "applied", "written"]

TABLES = ("train", "loss", "margins")
MARGINS = ("margin_in", "margin_out")
PERCENTILES = ("inside", "outside")
MEASURED = {"inside": 25.0, "outside": 75.0, "alpha_gap": None}
NEEDED = {"alpha_gap": "alpha"}  # option without which a loss has no use for a rule; else it is the inner margin
LONGEST = 1000


def written(base: Mapping[str, Any], now: Mapping[str, Any], defaults: Mapping[str, Mapping[str, Any]]) -> str:
    """What differs; "" where nothing does.

    Args:
        base: The experiment as the setting has it.
        now: As it is wanted.
        defaults: Table → field → its value where the experiment does not say it.
    """
    found = []
    for table in TABLES:
        before = {**defaults.get(table, {}), **(base[table] or {})}
        fixed = MARGINS if table == "loss" and base["margins"] is not None and now["margins"] is None else ()
        found += [
            f"{table}.{name}:{json.dumps(value)}"
            for name, value in (now[table] or {}).items()
            if name in fixed or name not in before or before[name] != value
        ]
    return ",".join(found)


def applied(text: str, values: dict[str, Any], hints: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Set what a text of `written` says.

    Args:
        text: Of a link; anything at all.
        values: Of the experiment; changed in place.
        hints: Table → field → its type; others are left alone.

    Returns:
        The parts that cannot be.
    """
    strays = []
    for part in filter(None, text[:LONGEST].split(",")):
        place, _, said = part.partition(":")
        table, _, name = place.partition(".")
        try:
            value = json.loads(said)
        except (ValueError, RecursionError):
            strays.append(part)
            continue
        fits = name in hints.get(table, {}) and _fits(value, hints[table][name])
        if table == "margins" and NEEDED.get(name, "margin_in") not in hints["loss"]:
            fits = False
        if not fits or (table == "margins" and name in PERCENTILES and not 0 <= value <= 100):
            strays.append(part)
        elif table == "margins":
            values["margins"] = {**(values["margins"] or MEASURED), name: value}
        else:
            values[table][name] = value
            if table == "loss" and name in MARGINS:
                values["margins"] = None
    return strays


def _fits(value: Any, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    kinds = get_args(hint) or (hint,)
    if value is None:
        return NoneType in kinds
    if isinstance(value, bool):
        return bool in kinds
    if isinstance(value, int) and int in kinds:
        return 0 <= value < 10**9
    return isinstance(value, int | float) and float in kinds and abs(value) < 1e9
