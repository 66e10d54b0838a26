"""An experiment as data: network, images, loss and settings in one TOML file, checked before any work.

Every published and every own setting is such a file in `oodcore/recipes`. Plain dataclasses, so that training also runs
where only PyTorch is installed.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from oodcore.data.transforms import Coding
from oodcore.errors import DataError, OODError, UnknownNameError
from oodcore.losses import Loss, losses
from oodcore.registry import did_you_mean
from oodcore.train.margins import PUBLISHED_GAP
from oodcore.train.recipe import Recipe

__all__ = [
    "Data",
    "Experiment",
    "Margins",
    "Start",
    "Validation",
    "flattened",
    "overridden",
    "read_experiment",
    "recipes",
    "usual_margins",
]

MARGINS = ("margin_in", "margin_out")
RECIPES = Path(__file__).parent / "recipes"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Start:
    """Where the weights come from: fresh ones of an architecture, or those of a checkpoint.

    Args:
        architecture: As `oodcore.models.build` takes it; with fresh weights.
        checkpoint: Name or folder; its weights, classes and preprocessing.
        options: What the architecture's builder takes besides, as `dropout`.
        coding: Of a fresh network's input: that of its training images.
        mean: Subtracted per channel by a fresh network, of values in 0..1; None for CIFAR's usual.
        std: Divided by per channel.
    """

    architecture: str | None = None
    checkpoint: str | None = None
    options: Mapping[str, float] = field(default_factory=dict)
    coding: Coding | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Data:
    """Which images are trained on.

    Args:
        inliers: A labelled set of the catalogue, or a folder.
        split: Of it; the calibration split is never trained on.
        outliers: Auxiliary outliers; None trains without.
        long_tail: Tail over head of the inliers' classes, in (0, 1]; None takes all images.
        outlier_limit: At most so many outliers, evenly spread; the class prior still counts all of them.
        not_tested: OOD test sets with which the outliers must share nothing; "all" takes those that are here.
    """

    inliers: str = "cifar10"
    split: str = "train"
    outliers: str | None = None
    long_tail: float | None = None
    outlier_limit: int | None = None
    not_tested: tuple[str, ...] = ("all",)

    def __post_init__(self) -> None:
        if self.outlier_limit is not None and self.outlier_limit < 1:
            raise DataError(f"outlier_limit must be at least 1; got {self.outlier_limit}.")


@dataclass(frozen=True, slots=True)
class Margins:
    """Energy margins from percentiles of the network's own energies before training. Those that [loss] gives stand.

    Args:
        inside: Percentile of calibration energies that becomes margin_in.
        outside: Percentile of held-out outliers' energies that becomes margin_out.
        alpha_gap: Gap between margins for which the loss's alpha was published; alpha is then scaled to the gap found.
    """

    inside: float = 25.0
    outside: float = 75.0
    alpha_gap: float | None = None

    def __post_init__(self) -> None:
        if not (0 <= self.inside <= 100 and 0 <= self.outside <= 100):
            raise DataError(f"Margins are percentiles from 0 to 100; got {self.inside:g} and {self.outside:g}.")
        if self.alpha_gap is not None and not 0 < self.alpha_gap < float("inf"):
            raise DataError(f"alpha_gap must be above 0; got {self.alpha_gap:g}.")


@dataclass(frozen=True, slots=True)
class Validation:
    """Accuracy, AUROC and FPR95 on images that are neither trained on nor tested.

    Args:
        every: Steps between two validations; one follows the last step always.
        limit: At most so many images of each side, evenly spread.
        outlier_split: Split of the auxiliary outliers that is held out.
    """

    every: int = 200
    limit: int = 2500
    outlier_split: str = "val"

    def __post_init__(self) -> None:
        if self.every < 1 or self.limit < 2:
            raise DataError(
                f"every must be at least 1, and limit at least 2 images; got {self.every} and {self.limit}."
            )


@dataclass(frozen=True, slots=True)
class Experiment:
    """Everything that decides a run. The seed is in `train`."""

    title: str
    model: Start
    data: Data
    loss: str = "cross_entropy"
    loss_options: Mapping[str, Any] = field(default_factory=dict)
    train: Recipe = field(default_factory=Recipe)
    margins: Margins | None = None
    validation: Validation = field(default_factory=Validation)
    source: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.model.architecture is None) == (self.model.checkpoint is None):
            raise DataError("[model] needs either an architecture (fresh weights) or a checkpoint, not both.")
        given = [name for name in MARGINS if name in self.loss_options]
        if self.margins is not None and len(given) == 1:
            raise DataError(f"[loss] gives {given[0]} alone, and [margins] measures both. Give both margins, or none.")
        if self.make_loss().about.outliers and self.data.outliers is None:
            raise DataError(f"The loss '{self.loss}' needs auxiliary outliers: name them with outliers in [data].")

    @property
    def gives_margins(self) -> bool:
        """Whether [loss] says where energies should lie, so that nothing has to be measured."""
        return all(name in self.loss_options for name in MARGINS)

    def make_loss(self, **changes: Any) -> Loss:
        """The loss with its options; `changes` come last, as measured margins."""
        cls = losses[self.loss]
        options = {**self.loss_options, **changes}
        _require_known(f"option of {self.loss}", options, [each.name for each in fields(cls)])  # type: ignore[arg-type]
        hints = get_type_hints(cls)
        return cls(**{name: _fitting(f"loss.{name}", value, hints[name]) for name, value in options.items()})

    def to_json(self) -> dict[str, Any]:
        """Plain values, as a card keeps them; `from_json` is the way back."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        plain["loss"] = {"name": self.loss, **plain.pop("loss_options")}
        return plain

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Experiment":
        """From the tables of a TOML file.

        Raises:
            DataError, UnknownNameError, ScoreError: an unknown key, or a value that cannot be; the sentence names it.
        """
        known = ["title", "source", "notes", "model", "data", "loss", "train", "margins", "validation"]
        _require_known("table", values, known)
        loss = dict(_table(values, "loss", {"name": "cross_entropy"}))
        margins = values.get("margins")
        return cls(
            title=_fitting("title", values.get("title", ""), str),
            model=_made(Start, "model", _table(values, "model")),
            data=_made(Data, "data", _table(values, "data")),
            loss=_fitting("loss.name", loss.pop("name", "cross_entropy"), str),
            loss_options=loss,
            train=_made(Recipe, "train", _table(values, "train", {})),
            margins=None if margins is None else _made(Margins, "margins", _table(values, "margins")),
            validation=_made(Validation, "validation", _table(values, "validation", {})),
            source=_fitting("source", values.get("source", ""), str),
            notes=_fitting("notes", values.get("notes", []), tuple[str, ...]),
        )


def recipes() -> list[str]:
    """Names of the settings that come with this package."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def read_experiment(source: str | Path, changes: Sequence[str] = ()) -> Experiment:
    """A recipe by name, or any TOML file.

    Args:
        source: One of `recipes()`, or a path.
        changes: As `"train.lr=0.01"`, `"loss.alpha=3"`, `"data.outliers='tin-aux50'"`.

    Raises:
        DataError, UnknownNameError, ScoreError: not there, no TOML, or see `Experiment.from_json`.
    """
    path = Path(source)
    if path.suffix != ".toml":
        if str(source) not in recipes():
            raise UnknownNameError(did_you_mean("recipe", str(source), recipes()))
        path = RECIPES / f"{source}.toml"
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"There is no file '{path}'. Name a recipe ({', '.join(recipes()[:4])}, …) or a file."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"'{path}' is no readable TOML: {error}.") from None
    try:
        return Experiment.from_json(overridden(values, changes))
    except OODError as error:
        raise type(error)(f"{path.name}: {error}") from None


def overridden(values: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """The same tables with single values replaced, each `"table.key=value"` in TOML's notation.

    Raises:
        DataError: not of this form.
    """
    result = deepcopy(dict(values))
    for change in changes:
        where, equals, text = change.partition("=")
        *tables, key = (part.strip() for part in where.split("."))
        if not equals or not key:
            raise DataError(f"A change reads table.key=value, as train.lr=0.01; got '{change}'.")
        place: Any = result
        for table in tables:
            place = place.setdefault(table, {})
            if not isinstance(place, dict):
                raise DataError(f"'{change}' cannot be: {table} is no table.")
        place[key] = _value(text.strip())
    return result


def usual_margins(loss: str) -> Margins | None:
    """The rule where nobody gave another: quartiles, and the loss's own alpha scaled; None for a loss without margins.

    Raises:
        UnknownNameError: no such loss.
    """
    options = {each.name for each in fields(losses[loss])}  # type: ignore[arg-type]
    if not options.issuperset(MARGINS):
        return None
    return Margins(alpha_gap=PUBLISHED_GAP if "alpha" in options else None)


def flattened(values: Mapping[str, Any]) -> dict[str, Any]:
    """Every value of an experiment's tables by its place, as `train.lr`."""
    tables = {key: value if isinstance(value, Mapping) else {"": value} for key, value in values.items()}
    return {f"{table}.{key}".strip("."): value for table, keys in tables.items() for key, value in keys.items()}


def with_seed(experiment: Experiment, seed: int) -> Experiment:
    """The same run with another seed."""
    return replace(experiment, train=replace(experiment.train, seed=seed))


def _value(text: str) -> Any:
    """A TOML value; what is none is a plain word."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _table(values: Mapping[str, Any], name: str, default: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    found = values.get(name, default)
    if not isinstance(found, Mapping):
        raise DataError(f"A table [{name}] is needed.")
    return found


def _require_known(kind: str, values: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in values:
        if name not in known:
            raise UnknownNameError(did_you_mean(kind, name, list(known)))


def _made(cls: type[T], table: str, values: Mapping[str, Any]) -> T:
    """A dataclass from a table; see `_fitting`."""
    _require_known(f"key of [{table}]", values, [each.name for each in fields(cls)])  # type: ignore[arg-type]
    hints = get_type_hints(cls)
    fitting = {name: _fitting(f"{table}.{name}", value, hints[name]) for name, value in values.items()}
    return cls(**fitting)


def _fitting(name: str, value: Any, hint: Any) -> Any:
    """The value as a field of this type takes it: whole numbers may stand for fractions, lists for tuples.

    Raises:
        DataError: another type; the sentence says which is wanted.
    """
    try:
        return _as(value, hint)
    except TypeError:
        raise DataError(f"{name} cannot be {value!r}; expected {_words(hint)}.") from None


def _as(value: Any, hint: Any) -> Any:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _as_one_of(value, parts)
    if origin is tuple and isinstance(value, list | tuple):
        wanted = parts[:1] * len(value) if parts[-1] is Ellipsis else parts
        if len(wanted) == len(value):
            return tuple(_as(each, part) for each, part in zip(value, wanted, strict=True))
    if origin is Mapping and isinstance(value, Mapping):
        return {key: _as(each, parts[1]) for key, each in value.items()}
    if hint is Any or type(value) is hint or (origin is Literal and value in parts):
        return value
    if hint is float and type(value) is int:
        return float(value)
    raise TypeError


def _as_one_of(value: Any, hints: Sequence[Any]) -> Any:
    for hint in hints:
        try:
            return _as(value, hint)
        except TypeError:
            continue
    raise TypeError


def _words(hint: Any) -> str:
    """A type as people say it."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(_words(part) for part in parts if part is not NoneType)
    if origin is Literal:
        return "one of " + ", ".join(f"'{part}'" for part in parts)
    if origin is tuple:
        return f"a list, each {_words(parts[0])}" if parts[-1] is Ellipsis else f"{len(parts)} numbers"
    known = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Mapping: "a table"}
    return known.get(origin or hint, str(hint))
