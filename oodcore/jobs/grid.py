"""Settings × methods × seeds as data: one TOML file, and the cells that it means."""

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, TypeVar

from oodcore.checkpoint import known, read_card
from oodcore.checkpoint.layout import MODEL
from oodcore.config import Experiment, read_experiment, with_seed
from oodcore.data.archives import file_digest
from oodcore.errors import DataError, OODError, UnknownNameError
from oodcore.registry import did_you_mean

__all__ = ["BASELINE", "Cell", "Grid", "Method", "Setting", "read_grid", "substance"]

BASELINE = "baseline"
WORDS = ("title", "source", "notes")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting:
    """A network before fine-tuning, and what everything made from it is measured on.

    Args:
        name: Of the rows.
        baseline: Recipe of the pre-training, by name or as a file.
        id_set: In-distribution set.
        ood_sets: Test sets.
        auxiliary: Sets of outliers that methods train with; what they exclude is left out for the baseline too.
        score: The baseline's own scorer.
    """

    name: str
    baseline: str
    id_set: str
    ood_sets: tuple[str, ...]
    auxiliary: tuple[str, ...] = ()
    score: str = "msp"


@dataclass(frozen=True, slots=True)
class Method:
    """A way of fine-tuning.

    Args:
        name: Of the rows.
        recipe: By name or as a file; `{baseline}` stands for the setting's, `{method}` for the name.
        score: Its own scorer, beside the energy.
        settings: Where it is run; empty for everywhere.
        changes: As `"train.lr=0.01"`.
    """

    name: str
    recipe: str = "{baseline}-{method}"
    score: str = "energy"
    settings: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Grid:
    """Everything that a benchmark runs.

    Args:
        title: One line.
        settings: At least one.
        methods: In the order of the tables.
        seeds: Of the fine-tunings; a baseline has the one of its recipe.
        scorers: Names, or `("all",)`.
        first_seed_only: Scorers that later seeds leave out, as those that cost several passes.
        bank_rows: Training images that scorers learn from.
        folder: Where recipes that are files lie.
    """

    title: str
    settings: tuple[Setting, ...]
    methods: tuple[Method, ...]
    seeds: tuple[int, ...]
    scorers: tuple[str, ...] = ("all",)
    first_seed_only: tuple[str, ...] = ()
    bank_rows: int = 2000
    folder: Path = field(default_factory=Path)

    def cells(self, runs: Path, only: Sequence[str] = ()) -> list["Cell"]:
        """Baselines first, then everything with the first seed, then with the next.

        Args:
            runs: Folder of the runs' folders.
            only: Patterns of names, as `"cifar10-energy*"`; none takes all.
        """
        found = [Cell(self, setting, None, None, runs) for setting in self.settings]
        found += [
            Cell(self, setting, method, seed, runs)
            for seed in self.seeds
            for setting in self.settings
            for method in self.methods
            if not method.settings or setting.name in method.settings
        ]
        return [cell for cell in found if not only or any(fnmatch(cell.name, pattern) for pattern in only)]


@dataclass(frozen=True, slots=True)
class Cell:
    """One network: trained in its folder, measured, and told in rows.

    Args:
        grid: Of which it is a part.
        setting: See `Setting`.
        method: None for the baseline.
        seed: None for the baseline, which has its recipe's.
        runs: Folder of the runs' folders.
    """

    grid: Grid
    setting: Setting
    method: Method | None
    seed: int | None
    runs: Path

    @property
    def name(self) -> str:
        """`cifar10-energy-s1`; `cifar10-baseline`."""
        if self.method is None:
            return f"{self.setting.name}-{BASELINE}"
        return f"{self.setting.name}-{self.method.name}-s{self.seed}"

    @property
    def folder(self) -> Path:
        """Of the run. A baseline's is called after its recipe, for other grids may start from it too."""
        name = Path(self.setting.baseline).stem if self.method is None else self.name
        return self.runs.resolve() / name

    @property
    def results(self) -> Path:
        """File of its rows. Settings that share a baseline measure it each in its own way."""
        return self.folder / ("results.json" if self.method else f"results-{self.setting.name}.json")

    @property
    def parent(self) -> "Cell | None":
        """The baseline, from which a fine-tuning starts."""
        return None if self.method is None else replace(self, method=None, seed=None)

    @property
    def own_score(self) -> str:
        """The scorer that its method was made for."""
        return self.setting.score if self.method is None else self.method.score

    @property
    def without(self) -> tuple[str, ...]:
        """Scorers that are left out here."""
        return () if self.seed in (None, self.grid.seeds[0]) else self.grid.first_seed_only

    @property
    def experiment(self) -> Experiment:
        """What is run: a fine-tuning starts from the checkpoint in the baseline's folder.

        Raises:
            DataError, UnknownNameError, ScoreError: see `read_experiment`.
        """
        parent = self.parent
        if self.method is None or parent is None:
            return read_experiment(self._source(self.setting.baseline))
        recipe = self.method.recipe.replace("{baseline}", self.setting.baseline).replace("{method}", self.method.name)
        found = read_experiment(self._source(recipe), self.method.changes)
        if self.seed is not None:
            found = with_seed(found, self.seed)
        if found.model.checkpoint is None:
            return found
        return replace(found, model=replace(found.model, checkpoint=str(parent.start)))

    @property
    def start(self) -> Path:
        """Checkpoint of a baseline: in its run's folder; where it never ran here, one that its recipe made elsewhere.

        Such a one is known under the recipe's name, as those that are shipped.
        """
        here = self.folder / "checkpoint"
        other = None if self.folder.exists() else known().get(self.folder.name)
        return other if other is not None and self._made(other) else here

    @property
    def evaluation(self) -> dict[str, Any]:
        """How it is measured: the arguments of `complete`."""
        grid, setting = self.grid, self.setting
        return {
            "id_set": setting.id_set,
            "ood_sets": list(setting.ood_sets),
            "auxiliary": list(setting.auxiliary),
            "scorers": list(grid.scorers),
            "without": list(self.without),
            "bank_rows": grid.bank_rows,
        }

    def key(self) -> str:
        """sha256 over what is run, from which weights, and how it is measured: equal keys give equal rows.

        Raises:
            DataError: the baseline, from which it starts, is not there yet.
        """
        values = substance(self.experiment)
        if values["model"]["checkpoint"] is not None:
            values["model"]["checkpoint"] = self.parent_weights()
        whole = json.dumps({"run": values, "evaluation": self.evaluation}, sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()

    def parent_weights(self) -> str:
        """sha256 of the baseline's file of weights.

        Raises:
            DataError: it is not there yet.
        """
        path = self.parent.start / MODEL if self.parent else None
        if path is None or not path.is_file():
            raise DataError(f"'{self.name}' starts from '{path}', which is not there. Run its baseline first.")
        return file_digest(path)

    def _made(self, checkpoint: Path) -> bool:
        """Whether this cell's recipe made it."""
        wanted = substance(self.experiment)
        asked = {name: value for name, value in read_card(checkpoint).recipe.items() if name in wanted}
        try:
            return substance(Experiment.from_json(asked)) == wanted
        except OODError:
            return False

    def _source(self, recipe: str) -> str:
        return str(self.grid.folder / recipe) if recipe.endswith(".toml") else recipe


def substance(experiment: Experiment) -> dict[str, Any]:
    """What decides a run; other words about it do not make another one."""
    return {key: value for key, value in experiment.to_json().items() if key not in WORDS}


def read_grid(path: Path) -> Grid:
    """From a TOML file with tables `[settings.NAME]` and `[methods.NAME]`.

    Raises:
        DataError: not there, no TOML, or a value that cannot be.
        UnknownNameError: an unknown key.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise DataError(f"There is no file '{path}'. Name a grid, as benchmarks/cifar10.toml.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, IsADirectoryError) as error:
        raise DataError(f"'{path}' is no readable TOML: {error}.") from None
    tables = {kind: values.pop(kind, {}) for kind in ("settings", "methods")}
    if not all(isinstance(table, dict) for table in tables.values()) or not tables["settings"]:
        raise DataError(f"{path.name}: a grid needs tables [settings.NAME], and [methods.NAME] for what is compared.")
    values |= {
        "settings": tuple(_made(Setting, f"settings.{name}", each, name) for name, each in tables["settings"].items()),
        "methods": tuple(_made(Method, f"methods.{name}", each, name) for name, each in tables["methods"].items()),
        "folder": path.resolve().parent,
    }
    return _checked(_made(Grid, path.name, values))


def _made(cls: type[T], where: str, values: Any, name: str | None = None) -> T:
    """A dataclass from a table; lists become tuples, and values must be of the kind of the field's."""
    if not isinstance(values, Mapping):
        raise DataError(f"[{where}] must be a table.")
    given = dict(values) | ({} if name is None else {"name": name})
    known = {each.name: each for each in fields(cls)}  # type: ignore[arg-type]
    for key, value in given.items():
        if key not in known:
            raise UnknownNameError(did_you_mean(f"key of [{where}]", key, list(known)))
        given[key] = tuple(value) if isinstance(value, list) else value
        if not _fits(given[key], known[key].type):
            raise DataError(f"[{where}] {key} cannot be {value!r}; expected {_kind(known[key].type)}.")
    if missing := [key for key, each in known.items() if each.default is MISSING and key not in given | {"folder": ""}]:
        raise DataError(f"[{where}] lacks {', '.join(missing)}.")
    return cls(**given)


def _fits(value: Any, kind: Any) -> bool:
    if kind in (str, int, Path):
        return isinstance(value, kind) and not isinstance(value, bool)
    inner = kind.__args__[0]  # tuple[inner, ...]
    return isinstance(value, tuple) and all(isinstance(each, inner) and not isinstance(each, bool) for each in value)


def _kind(kind: Any) -> str:
    words = {str: "a text", int: "a whole number"}
    return words.get(kind) or ("whole numbers in a list" if kind.__args__[0] is int else "texts in a list")


def _checked(grid: Grid) -> Grid:
    if not grid.seeds:
        raise DataError("A grid needs at least one seed, as seeds = [1, 2, 3].")
    known = [setting.name for setting in grid.settings]
    for name in (*known, *(method.name for method in grid.methods)):
        if name != Path(name).name or name.startswith("."):
            raise DataError(f"'{name}' cannot name a folder or a file of results. Use letters, digits and dashes.")
    for method in grid.methods:
        for name in method.settings:
            if name not in known:
                raise UnknownNameError(did_you_mean(f"setting of [methods.{method.name}]", name, known))
        if method.name == BASELINE:
            raise DataError(f"No method can be called '{BASELINE}': that is the network before fine-tuning.")
    return grid
