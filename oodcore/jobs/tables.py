"""Result rows → Markdown: every seed beside mean ± spread, every table with its budget, one convention per table."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from oodcore.errors import DataError
from oodcore.jobs.grid import BASELINE, Grid
from oodcore.report import Convention, columns

__all__ = ["tables_of"]

Row = Mapping[str, Any]
Rows = Sequence[Row]

METRICS = ("auroc", "fpr95_ood_positive", "fpr95_id_positive")
TAIL = {
    "accuracy": "Accuracy",
    "accuracy_many": "many",
    "accuracy_medium": "medium",
    "accuracy_few": "few",
    "accuracy_adjusted": "Adjusted",
    "accuracy_adjusted_many": "many",
    "accuracy_adjusted_medium": "medium",
    "accuracy_adjusted_few": "few",
}


def tables_of(rows: Rows, grid: Grid) -> str:
    """A section per setting, in the grid's order; rows of settings, methods and seeds that it lacks are left out.

    Raises:
        DataError: seeds of a method were not trained by the same recipe.
    """
    blocks = [f"# {grid.title}", READING]
    for setting in grid.settings:
        methods = [BASELINE, *(method.name for method in grid.methods)]
        for how in dict.fromkeys(convention(row) for row in rows):
            here = [
                row
                for method in methods
                for row in rows
                if (row["setting"], row["method"], convention(row)) == (setting.name, method, how)
                and (method == BASELINE or row["seed"] in grid.seeds)
            ]
            if here:
                require_one_recipe(here)
                blocks += [f"## {setting.name}", *Section(here, how).blocks()]
    return "\n\n".join(blocks) + "\n"


def require_one_recipe(rows: Rows) -> None:
    """A mean over seeds is one of the same training.

    Raises:
        DataError: it would not be.
    """
    for method, group in grouped(rows, "method").items():
        if len({recipe_of(row) for row in group}) > 1:
            raise DataError(
                f"The seeds of '{method}' in '{group[0]['setting']}' were trained by different recipes. Run the grid "
                "again: it makes anew what its recipes no longer give."
            )


def recipe_of(row: Row) -> str:
    """What was asked for, without the seed and without what was measured at the start."""
    told = json.loads(row["experiment"] or "{}")
    asked = {name: told.get(name) for name in ("model", "data", "train", "margins", "validation")}
    asked["train"] = {name: value for name, value in (asked["train"] or {}).items() if name != "seed"}
    return json.dumps(asked, sort_keys=True)


READING = (
    "All values in per cent. Lines without a seed are mean ± standard deviation over seeds (n − 1); all seeds of a "
    "setting start from one baseline. A mean over sets counts each set once; where some are missing, it says how many."
)


@dataclass(frozen=True)
class Section:
    """The tables of one setting under one convention.

    Args:
        rows: Of this setting, methods in order.
        how: What their values mean.
    """

    rows: Rows
    how: Convention

    def blocks(self) -> list[str]:
        """Headings, budget and tables."""
        own = [row for row in self.rows if row["scorer"] == row["own_score"]]
        energy = [row for row in self.rows if row["scorer"] == "energy"]
        parts = [
            (f"Energy score, mean of {self.sets(energy)}", self.by_method(energy)),
            (f"Each method's own score, mean of {self.sets(own)}", self.by_method(own)),
        ]
        if any(row["accuracy_few"] is not None for row in self.rows):
            parts.append(("Accuracy by frequency of the class, as it is and logit-adjusted", self.by_frequency()))
        parts += [(f"Energy score, {self.label(metric)} by set", self.by_set(energy, metric)) for metric in METRICS]
        parts.append((f"Every scorer, {self.label('auroc')}, mean over sets", self.by_scorer()))
        return [block for title, table in parts for block in (f"### {title}", self.budget(), table)]

    def label(self, metric: str) -> str:
        """As in a report."""
        return columns.label(metric, self.how)

    def sets(self, rows: Rows) -> str:
        """Their names and sizes."""
        sizes = {row["ood_set"]: row["n_ood"] for row in rows}
        inside = {(row["id_set"], row["n_id"]) for row in rows}
        known = " and ".join(f"{name} ({n:,})" for name, n in sorted(inside))
        return f"{len(sizes)} sets against {known}: " + ", ".join(f"{name} ({n:,})" for name, n in sizes.items())

    def budget(self) -> str:
        """What the training of each method took; of each seed, where it differs."""
        found: dict[str, list[str]] = {}
        for method, rows in grouped(self.rows, "method").items():
            ways: dict[str, list[str]] = {}
            for seed, each in grouped(rows, "seed").items():
                ways.setdefault(spent(each[0]), []).append(str(seed))
            for text, seeds in ways.items():
                found.setdefault(text, []).append(method if len(ways) == 1 else f"{method} (seed {', '.join(seeds)})")
        return "Budget: " + "; ".join(f"{', '.join(names)}: {text}" for text, names in found.items()) + "."

    def by_method(self, rows: Rows) -> str:
        """Mean and spread of each method, then every seed."""
        head = ["Method", "Scorer", "Seed", *(self.label(metric) for metric in METRICS), "Accuracy"]
        lines, sets = [], len({row["ood_set"] for row in rows})
        for (method, scorer), group in grouped(rows, "method", "scorer").items():
            values = {seed: self.means(each) for seed, each in grouped(group, "seed").items()}
            fewest = min(len(each) for each in grouped(group, "seed").values())
            lines += with_seeds([method if fewest == sets else f"{method} ({fewest} of {sets} sets)", scorer], values)
        return table(head, lines, 3)

    def means(self, rows: Rows) -> list[float | None]:
        """Of one network: over its sets, and its accuracy."""
        return [*(fmean(row[metric] for row in rows) for metric in METRICS), rows[0]["accuracy"]]

    def by_frequency(self) -> str:
        """Many, medium and few."""
        lines = []
        for method, group in grouped(self.rows, "method").items():
            values = {seed: [each[0][name] for name in TAIL] for seed, each in grouped(group, "seed").items()}
            lines += with_seeds([method], values)
        return table(["Method", "Seed", *TAIL.values()], lines, 2)

    def by_set(self, rows: Rows, metric: str) -> str:
        """Methods down, sets across."""
        sets = list(dict.fromkeys(row["ood_set"] for row in rows))
        lines = []
        for method, group in grouped(rows, "method").items():
            values = {
                seed: [{row["ood_set"]: row[metric] for row in each}.get(name) for name in sets]
                for seed, each in grouped(group, "seed").items()
            }
            lines += with_seeds([method], values)
        return table(["Method", "Seed", *sets], lines, 2)

    def by_scorer(self) -> str:
        """Scorers down, methods across: mean and spread, then every seed; single seeds say so."""
        methods = grouped(self.rows, "method")
        lines = []
        for scorer, group in sorted(grouped(self.rows, "scorer").items()):
            cells = {method: by_seed(rows, "auroc") for method, rows in grouped(group, "method").items()}
            lines.append(
                [f"**{scorer}**", "", *(self.cell(cells.get(name, {}), rows) for name, rows in methods.items())]
            )
            seeds = sorted({seed for values in cells.values() for seed in values})
            lines += [
                [scorer, str(seed), *(per_cent(cells.get(name, {}).get(seed)) for name in methods)] for seed in seeds
            ]
        return table(["Scorer", "Seed", *methods], lines, 2)

    def cell(self, values: Mapping[int, float], rows: Rows) -> str:
        """Mean and spread over seeds; of fewer seeds than the method has, how many."""
        seeds = len({row["seed"] for row in rows})
        said = spread(list(values.values())) if values else ""
        return f"{said} ({len(values)} of {seeds} seeds)" if 0 < len(values) < seeds else said


def convention(row: Row) -> Convention:
    """What the values of a stored row mean."""
    return Convention(row["recall"], row["rule"], row["interpolation"], row["pooling"], row["score"])


def grouped(rows: Iterable[Row], *keys: str) -> dict[Any, list[Row]]:
    """In order of first appearance; one key gives its values, several give tuples."""
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(row[keys[0]] if len(keys) == 1 else tuple(row[key] for key in keys), []).append(row)
    return found


def spent(row: Row) -> str:
    """`150 steps of 128 + 256 images on 1 thread of cpu`."""
    images = f"{row['batch']} + {row['outlier_batch']}" if row["outlier_batch"] else f"{row['batch']}"
    said = f"{row['steps']:,} steps of {images} images"
    if row["device"] is None:
        return said
    threads = f"{row['threads']} thread{'s' if row['threads'] != 1 else ''} of " if row["device"] == "cpu" else ""
    return f"{said} on {threads}{row['device']}"


def with_seeds(names: list[str], values: Mapping[int, Sequence[float | None]]) -> list[list[str]]:
    """Mean ± spread where there are several seeds, then every seed."""
    lines = []
    if len(values) > 1:
        together = [spread(list(column)) for column in zip(*values.values(), strict=True)]
        lines.append([*(f"**{name}**" for name in names), "", *together])
    for seed, numbers in sorted(values.items()):
        lines.append([*names, str(seed), *map(per_cent, numbers)])
    return lines


def spread(values: list[float | None]) -> str:
    """`94.70 ± 0.12`."""
    known = [100 * value for value in values if value is not None]
    return f"{fmean(known):.2f} ± {stdev(known):.2f}" if len(known) > 1 else per_cent(values[0])


def per_cent(value: float | None) -> str:
    """Two decimals; empty where there is none."""
    return "" if value is None else f"{100 * value:.2f}"


def by_seed(rows: Rows, metric: str) -> dict[int, float]:
    """Mean over the sets of each seed."""
    return {seed: fmean(row[metric] for row in each) for seed, each in grouped(rows, "seed").items()}


def table(head: Sequence[str], lines: Iterable[Sequence[str]], words: int) -> str:
    """Markdown; the first columns hold words, the others numbers."""
    rules = ["---"] * words + ["--:"] * (len(head) - words)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rules, *lines))
