"""`oodcore.load`: a network from a name, a folder, a file of weights, torchvision or timm."""

from collections.abc import Mapping, Sequence
from copy import copy
from functools import partial
from pathlib import Path
from types import MappingProxyType

from torch import Tensor

from oodcore.checkpoint.card import Card, read_card
from oodcore.checkpoint.layout import CARD, MODEL
from oodcore.checkpoint.places import file_of, folder_of, shipped
from oodcore.checkpoint.store import save
from oodcore.data.transforms import Preprocessing
from oodcore.errors import CheckpointError
from oodcore.models import Network, build
from oodcore.models.class_lists import usual_classes
from oodcore.models.foreign import compare, recognise
from oodcore.models.skeleton import skeleton
from oodcore.models.weights_file import SUFFIXES, Upload, read_weights, strings

__all__ = ["described", "import_checkpoint", "load"]

LIBRARIES = ("torchvision:", "timm:")
CENTERS = ("projection", "centers")


def load(
    source: Path | str | Upload,
    *,
    classes: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    root: Path | str | None = None,
) -> Network:
    """A network in eval mode, with `classes`, `transform`, `head`, `card` and `notes`.

    Args:
        source: A name that `known` lists, a checkpoint folder, a file of weights (`.pt`, `.pth`, `.th`, `.bin`,
            `.ckpt`, `.safetensors`), `"torchvision:NAME"` or `"timm:NAME"`. The latter two download weights;
            `"timm:NAME?weights=none"` leaves them random, `"timm:NAME?weights=PATH"` takes them from a file. Or a file
            in memory.
        classes: Names of the logits, instead of the recorded or assumed ones.
        preprocessing: Instead of the recorded or assumed one.
        root: Where names are looked for besides the usual places; see `known`.

    Raises:
        CheckpointError: nothing there, not recognised, damaged, or unsafe to open.
        UnknownNameError: no checkpoint or model has this name.
    """
    return described(_load(source, root), classes, preprocessing).eval()


def described(model: Network, classes: Sequence[str] | None, preprocessing: Preprocessing | None) -> Network:
    """The same weights under other class names or with another preprocessing; the network that was given stays.

    Args:
        model: Weights are shared with it.
        classes: Names of the logits, or None for its own.
        preprocessing: Or None for its own.

    Raises:
        CheckpointError: another number of classes.
    """
    model = copy(model)
    if classes is not None:
        if len(classes) != len(model.classes):
            raise CheckpointError(
                f"The network has {len(model.classes)} outputs; {len(classes)} class names were given."
            )
        model.classes = tuple(classes)
        model.notes = _without_assumed(model.notes, "`classes`")
    if preprocessing is not None:
        model.transform = preprocessing
        model.notes = _without_assumed(model.notes, "`preprocessing`")
    return model


def import_checkpoint(
    source: Path | str,
    folder: Path | str,
    name: str,
    *,
    classes: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    title: str = "",
    licence: str = "",
) -> Path:
    """Make a checkpoint folder, `folder/name`, from anything that `load` takes.

    Raises:
        CheckpointError: see `load`; or a name that is no plain folder name, or is taken.
    """
    if not name or name != Path(name).name or name.startswith("."):
        raise CheckpointError(f"'{name}' is no name for a checkpoint. Use letters, digits and dashes.")
    if name in shipped():
        raise CheckpointError(f"'{name}' is the name of a shipped checkpoint. Choose another one.")
    target = Path(folder) / name
    if target.exists():
        raise CheckpointError(f"'{target}' exists already. Choose another name, or remove it first.")
    model = load(source, classes=classes, preprocessing=preprocessing)
    return save(target, model, Card.of(model, title=title or name, licence=licence, parent=Path(source).name))


def _without_assumed(notes: Sequence[str], argument: str) -> list[str]:
    """What was given is no longer assumed."""
    return [note for note in notes if not ("Assumed:" in note and argument in note)]


def _load(source: Path | str | Upload, root: Path | str | None) -> Network:
    if isinstance(source, Upload):
        return _from_file(source)
    text, path = str(source), Path(source)
    if text.startswith(LIBRARIES):
        from oodcore.models.libraries import from_name

        return from_name(text)
    if path.is_file():
        return _from_file(path)
    if path.suffix in SUFFIXES and not path.is_dir():
        raise CheckpointError(f"There is no file '{path}'.")
    return _from_folder(folder_of(source, root))


def _from_folder(folder: Path) -> Network:
    file_of(folder, CARD)
    card = read_card(folder)
    path = file_of(folder, MODEL)
    if path is None:
        raise CheckpointError(f"'{folder}' has a card, but no {MODEL}.")
    model = _filled(card.architecture, card.classes, read_weights(path, stripped=False).tensors, card.options)
    model.transform, model.card, model.notes = card.preprocessing, card, list(card.notes)
    return model


def _from_file(path: Path | Upload) -> Network:
    tensors, about = read_weights(path)
    names = strings(about.get("classes"))
    if names and "architecture" in about:
        return _filled(about["architecture"], names, read_weights(path, stripped=False).tensors)
    weights, trained = _parted(tensors)
    found = recognise(weights)
    if found is None:
        from oodcore.models.libraries import from_weights

        return from_weights(tensors, path)
    usual = usual_classes(found.outputs)
    model = _filled(found.architecture, usual[1] if usual else found.outputs, {**found.tensors, **trained})
    model.transform = found.transform
    model.notes = found.notes
    if usual:
        model.notes.append(
            f"The weights carry no class names. Assumed: those of {usual[0]}. "
            "Change them with `classes`, or with --classes of `ood checkpoints import`."
        )
    return model


def _filled(
    architecture: str,
    classes: int | Sequence[str],
    tensors: dict[str, Tensor],
    options: Mapping[str, float] = MappingProxyType({}),
) -> Network:
    weights, trained = _parted(tensors)
    if architecture.startswith(LIBRARIES):
        from oodcore.models.libraries import from_name

        model = from_name(architecture, weights="none", classes=classes)
    else:
        make = partial(build, architecture, classes, **options)
        compare(weights, skeleton(make), architecture)  # before memory is taken for it
        model = make()
    compare(weights, model.state_dict(), architecture)
    model.load_state_dict(weights)
    if trained:
        model.attach_centers(**trained)
    return model.eval()


def _parted(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The architecture's own weights, and the class centres with their projection where a file holds both."""
    trained = {key: tensors[key] for key in CENTERS if key in tensors}
    if len(trained) < len(CENTERS):
        return tensors, {}
    return {key: tensor for key, tensor in tensors.items() if key not in trained}, trained
