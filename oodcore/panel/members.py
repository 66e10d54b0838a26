"""What a name in a panel stands for, and what it needs."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from oodcore.errors import ScoreError
from oodcore.records import Bank
from oodcore.scorers import Need, Scorer, scorers


def named(members: Iterable[str | Scorer] | Mapping[str, str | Scorer], /) -> dict[str, Scorer]:
    """Scorers under their own names, or under those of the mapping.

    Raises:
        UnknownNameError: no scorer has this name.
        ScoreError: none at all, two of one name, or no shaping step before a `+`.
    """
    if isinstance(members, str):
        members = [members]
    if isinstance(members, Mapping):
        found = {name: parsed(member) for name, member in members.items()}
    else:
        found = {}
        for member in members:
            name = member if isinstance(member, str) else name_of(member)
            if name in found:
                raise ScoreError(f"'{name}' is in the panel twice. Name them apart: Panel({{'a': ..., 'b': ...}}).")
            found[name] = parsed(member)
    if not found:
        raise ScoreError(f"A panel needs at least one scorer. Known: {', '.join(scorers.names())}.")
    return found


def parsed(member: str | Scorer, /) -> Scorer:
    """`"react+msp"` is `React(then="msp")`; a scorer is itself."""
    if not isinstance(member, str):
        return member
    first, plus, then = member.partition("+")
    kind = scorers[first]
    if not plus:
        return kind()
    if "then" not in {field.name for field in fields(kind)}:  # type: ignore[arg-type]
        raise ScoreError(f"'{first}' does not lead to another scorer, so '{member}' means nothing. Try 'react+{then}'.")
    return kind(then=then)  # type: ignore[call-arg]


def name_of(scorer: Scorer, /) -> str:
    """`"knn"`; `"react+msp"` where another scorer follows than by default."""
    name = registered_name(type(scorer))
    values = {field.name: (getattr(scorer, field.name), field.default) for field in fields(scorer)}  # type: ignore[arg-type]
    then, usual = values.get("then", (None, None))
    if then is None or then == usual:
        return name
    return f"{name}+{then if isinstance(then, str) else name_of(then)}"


def registered_name(kind: type, /) -> str:
    """The name under which the registry holds a class.

    Raises:
        ScoreError: it holds none.
    """
    for name in (kind.__module__.rpartition(".")[2], *scorers.names()):
        if name in scorers and scorers[name] is kind:
            return name
    raise ScoreError(f"{kind.__name__} is not registered as a scorer. Decorate it with @scorers.register.")


def needs(shown: Mapping[str, Any] | str, /) -> set[Need]:
    """What a scorer with these `settings`, or of this name, reads; with what it leads to."""
    if isinstance(shown, str):
        return {need for name in shown.split("+") for need in scorers[name].info.needs}
    return needs(shown["scorer"]) | (needs(shown["then"]) if shown.get("then") else set())


def lacking(wanted: set[Need], part: Bank, /) -> str | None:
    """What the bank would have to hold and does not, with the way to get it."""
    if "norms" in wanted and part.outputs.norms is None:
        return "the norms of blocks, which this bank does not hold. Collect it with norms=True"
    if "embeddings" in wanted and (part.outputs.embeddings is None or part.centers is None):
        return "embeddings and trained class centres. Use a network trained with a semantic loss"
    return None


def settings(scorer: Scorer, /) -> dict[str, Any]:
    """Name and numbers of a scorer as JSON values."""
    numbers = {field.name: getattr(scorer, field.name) for field in fields(scorer)}  # type: ignore[arg-type]
    shown = {key: settings(value) if isinstance(value, Scorer) else value for key, value in numbers.items()}
    return plain({"scorer": registered_name(type(scorer)), **shown})


def plain(values: Mapping[str, Any], /) -> dict[str, Any]:
    """The same as it will be read from a file.

    Raises:
        ScoreError: it holds something else than JSON values.
    """
    try:
        found: dict[str, Any] = json.loads(json.dumps(dict(values)))
    except (TypeError, ValueError) as error:
        raise ScoreError(
            f"A panel keeps texts, numbers, lists and mappings, so that it can be saved: {error}."
        ) from None
    return found
