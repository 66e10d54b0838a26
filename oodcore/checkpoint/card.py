"""A checkpoint's card: what a person, or the code that loads it, must know about the weights beside it."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from oodcore.atomic import replacing
from oodcore.checkpoint.layout import CARD
from oodcore.data.transforms import Preprocessing
from oodcore.errors import CheckpointError, DataError
from oodcore.models import Network

__all__ = ["Card", "read_card", "write_text"]

LIBRARIES = ("ood-explorer", "torch", "torchvision", "timm", "numpy")


def versions() -> dict[str, str]:
    """Python and the libraries that are installed here."""
    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True, slots=True)
class Card:
    """Everything about a checkpoint except its numbers.

    Args:
        architecture: As `oodcore.models.build` takes it, or `"torchvision:NAME"`, `"timm:NAME"`.
        classes: Names of the logits, in order.
        preprocessing: What turns a picture into the network's input.
        options: What the builder takes besides, as `dropout`.
        title: One line for lists.
        recipe: Settings of the training, by name.
        seed: Of the training.
        data: Data set → digest of its content.
        metrics: One entry per number: its name, value, spread, sets and conventions.
        thresholds: Scorer → threshold, acceptance and calibration set.
        versions: Software that made it.
        parent: The checkpoint that it was fine-tuned from.
        licence: Whose data it learned from, and what that allows.
        notes: What was recognised or assumed on import.
        sha256: File → hash, of every other file in the folder.
    """

    architecture: str
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    options: Mapping[str, float] = field(default_factory=dict)
    title: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    metrics: Sequence[Mapping[str, Any]] = ()
    thresholds: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=versions)
    parent: str | None = None
    licence: str = ""
    notes: Sequence[str] = ()
    sha256: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Network, **about: Any) -> "Card":
        """The card of a network; `about` are further fields."""
        own = {"options": dict(model.options), "notes": tuple(model.notes)}
        return cls(model.architecture, model.classes, model.transform, **{**own, **about})

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"preprocessing": self.preprocessing.to_json()}

    @classmethod
    def from_json(cls, values: Any) -> "Card":
        """The way back from `to_json`.

        Raises:
            CheckpointError: a missing or unknown key, or a value of the wrong kind.
        """
        known = [item.name for item in fields(cls)]
        if not isinstance(values, dict):
            raise CheckpointError("A card must be a JSON object.")
        if unknown := sorted(set(values) - set(known)):
            raise CheckpointError(f"The card has unknown keys {unknown}. Known: {', '.join(known)}.")
        if missing := [key for key in known[:3] if key not in values]:
            raise CheckpointError(f"The card lacks {missing}.")
        classes = values["classes"]
        if not isinstance(values["architecture"], str) or not _strings(classes):
            raise CheckpointError("The card's architecture must be a name, and its classes a list of names.")
        if wrong := [
            key
            for key in ("options", "recipe", "data", "thresholds", "versions", "sha256")
            if not _mapping(values, key)
        ]:
            raise CheckpointError(f"The card's {wrong[0]} must map names to values.")
        if not all(isinstance(value, int | float) for value in values.get("options", {}).values()):
            raise CheckpointError("The card's options must be numbers.")
        if not all(isinstance(values.get(key, []), list | tuple) for key in ("metrics", "notes")):
            raise CheckpointError("The card's metrics and notes must be lists.")
        try:
            preprocessing = Preprocessing.from_json(values["preprocessing"])
        except (DataError, TypeError, OverflowError) as error:
            raise CheckpointError(f"The card's preprocessing cannot be used: {error}") from None
        return cls(**{**values, "classes": tuple(classes), "preprocessing": preprocessing})


def read_card(folder: Path | str) -> Card:
    """The card of a checkpoint folder.

    Raises:
        CheckpointError: no card, or one that cannot be used.
    """
    path = Path(folder) / CARD
    try:
        return Card.from_json(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        raise CheckpointError(f"'{folder}' is no checkpoint: it has no {CARD}.") from None
    except CheckpointError as error:
        raise CheckpointError(f"'{path}': {error}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"'{path}' cannot be read: {error}.") from None


def write_text(path: Path, values: Any) -> None:
    """As JSON."""
    with replacing(path) as part:
        part.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _mapping(values: Mapping[str, Any], key: str) -> bool:
    return isinstance(values.get(key, {}), dict)


def _strings(values: Any) -> bool:
    return isinstance(values, list | tuple) and bool(values) and all(isinstance(value, str) for value in values)
