"""Boards of what was measured: result stores, the cards of checkpoints, and evaluations that were run as jobs."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from oodcore.checkpoint import Card
from oodcore.checkpoint.layout import MODEL
from oodcore.data import entry
from oodcore.errors import DataError, ScoreError, UnknownNameError
from oodcore.jobs.grid import BASELINE
from oodcore.jobs.tables import convention, grouped, spent
from oodcore.report import Convention, Report
from oodcore.report.board import Board, Result

__all__ = ["ABOUT", "REPORT", "budget_of", "group_of", "of_cards", "of_evaluation", "of_store", "store_folders"]

PACKAGE = Path(__file__).parents[1]
REPORT, ABOUT = "report.json", "networks.json"
STORED = ("auroc", "fpr95_ood_positive", "fpr95_id_positive", "aupr_ood_positive", "aupr_id_positive")
GROUPS = ("near OOD", "near OOD, drawn", "far OOD", "far OOD, drawn")


def store_folders() -> list[Path]:
    """Folders with result tables: those that come with this package, then those in `OOD_RESULTS` and in `./results`.

    The shipped ones lie in `docs/results/` of the repository, and in `_results` inside the package of a wheel.
    """
    beside = PACKAGE.parent / "docs" / "results"
    chosen = os.environ.get("OOD_RESULTS")
    places = [beside if beside.is_dir() else PACKAGE / "_results", *([Path(chosen).expanduser()] if chosen else [])]
    found = {path.resolve().parent for place in (*places, Path("results")) for path in place.glob("*/[!.]*.parquet")}
    return sorted(found)


def of_store(rows: Sequence[Mapping[str, Any]], name: str) -> list[Board]:
    """One per setting, in-distribution set and convention.

    Args:
        rows: As `Store.read` gives them; metrics that a row lacks are absent.
        name: Of the store's folder.
    """
    boards = []
    parts: dict[tuple[str, str, int, Convention], list[Mapping[str, Any]]] = {}
    for row in rows:
        parts.setdefault((row["setting"], row["id_set"], row["n_id"], convention(row)), []).append(row)
    for (setting, id_set, n_id, how), part in parts.items():
        networks = {row["method"]: each for each in grouped(part, "method").values() for row in each}
        boards.append(
            Board(
                name=_slug(setting, how),
                title=_with_convention(setting, how),
                source=f"From the result store '{name}': every cell was measured on whole test sets.",
                id_set=id_set,
                n_id=n_id,
                convention=how,
                results=tuple(_stored(row) for row in part),
                baseline=BASELINE if BASELINE in networks else None,
                own={network: each[0]["own_score"] for network, each in networks.items()},
                budgets={network: _spent(each[0]) for network, each in networks.items()},
                accuracies={row["checkpoint"]: row["accuracy"] for row in part if row["accuracy"] is not None},
                groups=_groups(row["ood_set"] for row in part),
            )
        )
    return boards


def of_cards(cards: Mapping[str, Card], besides: Iterable[str] = ()) -> list[Board]:
    """What checkpoints say of themselves; one board per in-distribution set and convention.

    Args:
        cards: By the name of the checkpoint.
        besides: Weights (sha256) whose results are known from elsewhere.
    """
    known = set(besides)
    parts: dict[tuple[str, int, Convention], list[Result]] = {}
    for name, card in cards.items():
        if card.sha256.get(MODEL) not in known:
            for (*key, scorer, test, n_ood), values in _of_card(card).items():
                result = Result(name, card.seed, card.sha256.get(MODEL, ""), scorer, test, n_ood, values)
                parts.setdefault(tuple(key), []).append(result)  # type: ignore[arg-type]
    return [_card_board(cards, *key, tuple(found)) for key, found in parts.items()]


def of_evaluation(folder: Path, name: str, title: str) -> Board:
    """What a job of the kind `evaluate` found.

    Args:
        folder: Its result.
        name: Of the board.
        title: Of the job.

    Raises:
        DataError: the result is damaged.
    """
    report = Report.load(folder / REPORT)
    try:
        networks = {each["name"]: each for each in json.loads((folder / ABOUT).read_text("utf-8"))}
        first = report.rows[0]
        return Board(
            name=name,
            title=title,
            source="Run as a job on this server; the scores themselves are kept, so curves show every image.",
            id_set=first.id_set,
            n_id=first.n_id,
            convention=first.convention,
            results=tuple(
                Result(
                    row.checkpoint,
                    networks[row.checkpoint]["seed"],
                    networks[row.checkpoint]["weights"],
                    row.scorer,
                    row.ood_set,
                    row.n_ood,
                    row.values,
                )
                for row in report.rows
            ),
            baseline=_baseline({name: each["parent"] for name, each in networks.items()}),
            budgets={name: each["budget"] for name, each in networks.items()},
            accuracies={
                each["weights"]: each["accuracy"] for each in networks.values() if each["accuracy"] is not None
            },
            groups=_groups(row.ood_set for row in report.rows),
            notes=(*report.notes(), *_unchecked(networks.values())),
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        raise DataError(f"The result of '{title}' is damaged. Run the evaluation again.") from None


def budget_of(card: Card) -> str:
    """What the training took, as far as a card tells."""
    try:
        train, taken = card.recipe["train"], card.recipe["budget"]
        outliers = train["outlier_batch"] if card.recipe["data"]["outliers"] is not None else 0
        row = {"steps": taken["steps"], "batch": train["batch"], "outlier_batch": outliers}
        row |= {"images": taken["steps"] * (train["batch"] + outliers)}
        return _spent(row | {"device": taken.get("device"), "threads": taken.get("threads")})
    except (KeyError, TypeError, ValueError):
        return "budget unknown"


def group_of(name: str) -> str:
    """As "near OOD" where the catalogue knows the set; "" where it does not."""
    try:
        known = entry(name)
    except UnknownNameError:
        return ""
    return f"{known.role} OOD{'' if known.needs else ', drawn'}" if known.role in ("near", "far") else ""


def _unchecked(networks: Iterable[Mapping[str, Any]]) -> list[str]:
    return [
        f"{each['name']} was trained with the outliers '{name}', which are not here: an overlap with the test sets "
        "could not be checked."
        for each in networks
        for name in each["unchecked"]
    ]


def _stored(row: Mapping[str, Any]) -> Result:
    values = {name: row[name] for name in STORED if row.get(name) is not None}
    return Result(row["method"], row["seed"], row["checkpoint"], row["scorer"], row["ood_set"], row["n_ood"], values)


def _spent(row: Mapping[str, Any]) -> str:
    return f"{spent(row)} ({row['images']:,} in all)" if row["steps"] else "budget unknown"


def _of_card(card: Card) -> dict[tuple[str, int, Convention, str, str, int], dict[str, float]]:
    """(ID set, its size, convention, scorer, OOD set, its size) → values; what is no such entry is passed over."""
    found: dict[tuple[str, int, Convention, str, str, int], dict[str, float]] = {}
    for each in card.metrics:
        try:
            how = Convention(**each["convention"])
            inside, outside = (str(each[name]).removesuffix("/test") for name in ("id_set", "ood_set"))
            key = (inside, int(each["n_id"]), how, str(each["scorer"]), outside, int(each["n_ood"]))
            found.setdefault(key, {})[str(each["name"])] = float(each["value"])
        except (KeyError, TypeError, ValueError, ScoreError):
            continue
    return found


def _card_board(
    cards: Mapping[str, Card], id_set: str, n_id: int, how: Convention, results: tuple[Result, ...]
) -> Board:
    names = list(dict.fromkeys(result.network for result in results))
    return Board(
        name=_slug(f"cards-{id_set}", how),
        title=_with_convention(f"{id_set}, from the checkpoints’ cards", how),
        source="From the cards of the checkpoints on this server, measured on whole test sets when they were made.",
        id_set=id_set,
        n_id=n_id,
        convention=how,
        results=results,
        baseline=_baseline({name: cards[name].parent for name in names}),
        budgets={name: budget_of(cards[name]) for name in names},
        accuracies={
            cards[name].sha256.get(MODEL, ""): float(each["value"])
            for name in names
            for each in cards[name].metrics
            if each.get("name") == "accuracy" and each.get("set") == f"{id_set}/test"
        },
        groups=_groups(result.test for result in results),
    )


def _baseline(parents: Mapping[str, str | None]) -> str | None:
    """The network here that the others were made from."""
    return next((name for name in parents if name in parents.values() and parents[name] not in parents), None)


def _groups(tests: Iterable[str]) -> dict[str, str]:
    found = {test: group for test in dict.fromkeys(tests) if (group := group_of(test))}
    return dict(sorted(found.items(), key=lambda pair: GROUPS.index(pair[1])))


def _with_convention(title: str, how: Convention) -> str:
    """What differs from the usual convention belongs to the title."""
    usual, said = Convention(), []
    if how.recall != usual.recall:
        said.append(f"at {100 * how.recall:g} %")
    said += [value for value in (how.rule, how.interpolation, how.pooling) if value not in _values(usual)]
    return f"{title} ({', '.join(said)})" if said else title


def _slug(name: str, how: Convention) -> str:
    return _with_convention(name, how).replace(" ", "-")


def _values(how: Convention) -> tuple[str, str, str]:
    return how.rule, how.interpolation, how.pooling
