"""A network and two in-distribution sets → a fitted, calibrated panel that says what it was fitted on."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from importlib.metadata import version
from typing import Any, NamedTuple

from oodcore.checkpoint import Card
from oodcore.data import ImageSet, long_tail
from oodcore.errors import DataError, ScoreError
from oodcore.evaluate.work import Work, bank_of, scores_of, spread_rows
from oodcore.losses.semantic_energy import SemanticEnergy
from oodcore.models import Network
from oodcore.models.blocks import NormRatios, norm_ratios
from oodcore.models.collect import device_of
from oodcore.models.fingerprint import code_version, weights_hash
from oodcore.panel import FittedPanel, Panel
from oodcore.panel.members import needs, parsed
from oodcore.records import Bank
from oodcore.scorers import Scorer, scorers

__all__ = ["Choice", "as_trained", "choose", "fit_panel", "select_block", "tail_of"]

RATIO_IMAGES = 1000  # each costs two passes


class Choice(NamedTuple):
    """The scorers that suit a network, and why others do not."""

    names: tuple[str, ...]
    skipped: dict[str, str]


def choose(model: Network, wanted: Sequence[str] | str = "all") -> Choice:
    """Names of scorers for this network. `"all"` leaves out what it cannot serve; a name asked for is an error then.

    Raises:
        UnknownNameError: no scorer has this name.
        ScoreError: a scorer that was named needs what the network lacks.
    """
    asked = [wanted] if isinstance(wanted, str) else list(dict.fromkeys(wanted))
    everything = "all" in asked
    names = [*(scorers.names() if everything else ()), *(name for name in asked if name != "all")]
    lacks = {name: reason for name in dict.fromkeys(names) if (reason := _lacks(model, name))}
    if insisted := [reason for name, reason in lacks.items() if name in asked]:
        raise ScoreError(" ".join(insisted))
    return Choice(tuple(name for name in dict.fromkeys(names) if name not in lacks), lacks)


def _lacks(model: Network, name: str) -> str:
    wanted = needs(name)
    if "embeddings" in wanted and getattr(model, "centers", None) is None:
        return f"'{name}' needs trained class centres, which this network does not have."
    if "norms" in wanted and not model.block_names:
        return f"'{name}' needs the norms of blocks, and none were found in this network."
    return ""


def fit_panel(
    model: Network,
    id_train: ImageSet,
    calibration: ImageSet,
    wanted: Sequence[str] | str = "all",
    work: Work | None = None,
) -> FittedPanel:
    """Every scorer, fitted on one pass over the ID training images and calibrated on images apart from them.

    `about` of the result says on what: names, digests and sizes of both sets, weights, preprocessing, versions, the
    block that NormRatio selected, and the scorers that were left out with the reason.

    Args:
        model: What `oodcore.load` gives.
        id_train: In-distribution images with labels; what scorers learn from.
        calibration: In-distribution images that are in neither `id_train` nor any reported test.
        wanted: Names of scorers, or `"all"`.
        work: How passes are run.

    Raises:
        DataError: an image lies in both sets, or the labels are not the network's classes.
        ScoreError: see `choose`; or a statistic cannot be fitted.
    """
    work = work or Work()
    _require_apart(id_train, calibration)
    choice = choose(model, wanted)
    bank = bank_of(model, id_train, work)
    _require_classes(bank, id_train, model)
    ratios = select_block(model, id_train, work) if any(_takes(name, "block") for name in choice.names) else None
    panel = Panel({name: _configured(name, ratios, model) for name in choice.names})
    fitted = panel.fit(bank.to(device_of(model)), about=_about(model, id_train, calibration, choice, ratios))
    return fitted.calibrate(scores_of(fitted, model, calibration, work)[0])


def tail_of(card: Card | None) -> float | None:
    """Share of the tail in the head of the training images; None where they form no long tail, or no card says so."""
    settings = card.recipe.get("data") if card is not None else None
    tail = settings.get("long_tail") if isinstance(settings, Mapping) else None
    return None if tail is None else float(tail)


def as_trained(card: Card | None, images: ImageSet) -> ImageSet:
    """The images of a training split that a network was trained on: of a long tail, not all of them.

    Raises:
        DataError: the split is too small for that tail.
    """
    tail = tail_of(card)
    return images if tail is None else long_tail(images, tail)


def select_block(model: Network, id_train: ImageSet, work: Work | None = None) -> NormRatios:
    """NormRatio on at most 1,000 training images, evenly spread."""
    work = work or Work()
    part = id_train.take(spread_rows(len(id_train), RATIO_IMAGES))
    return norm_ratios(model, part, batch_size=work.batch_size, progress=work.telling("Comparing blocks"))


def _takes(name: str, option: str) -> bool:
    return option in {field.name for field in fields(parsed(name))}  # type: ignore[arg-type]


def _configured(name: str, ratios: NormRatios | None, model: Network) -> Scorer:
    """Its own defaults; what reads one block gets the selected one, and what reads embeddings their own distance."""
    scorer = parsed(name)
    if ratios and _takes(name, "block"):
        return replace(scorer, block=ratios.selected)  # type: ignore[type-var]
    return replace(scorer, **_trained_distance(model)) if _takes(name, "distance") else scorer  # type: ignore[type-var]


def _trained_distance(model: Network) -> dict[str, Any]:
    """Distance and temperature with which the class centres were trained, where the card tells of it."""
    loss = getattr(model.card, "recipe", {}).get("loss")
    if not isinstance(loss, Mapping) or loss.get("name") != "semantic_energy":
        return {}
    trained = SemanticEnergy(distance=loss.get("distance", "cosine"), temperature=loss.get("temperature"))
    return {"distance": trained.distance, "temperature": trained.tau}


def _require_apart(id_train: ImageSet, calibration: ImageSet) -> None:
    shared = set(id_train.fingerprints) & set(calibration.fingerprints)
    if shared:
        raise DataError(
            f"{len(shared)} images are in both '{id_train.name}' and the calibration set '{calibration.name}', so "
            "thresholds would be too strict. Use the sets that split_calibration gives."
        )


def _require_classes(bank: Bank, images: ImageSet, model: Network) -> None:
    strange = int((bank.labels < 0).sum())
    if strange:
        raise DataError(
            f"{strange} of {len(bank)} images of '{images.name}' have no class of this network. It knows "
            f"{_listed(model.classes)}; the set has {_listed(images.classes)}. Fit on its own training set, or import "
            "the weights with the class names in the order of its logits."
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f", … ({len(names)})" if len(names) > 5 else "") if names else "no classes"


def _about(
    model: Network, id_train: ImageSet, calibration: ImageSet, choice: Choice, ratios: NormRatios | None
) -> dict[str, Any]:
    return {
        "architecture": model.architecture,
        "weights": weights_hash(model),
        "preprocessing": model.transform.to_json(),
        "classes": list(model.classes),
        "fit": _described(id_train),
        "calibration": _described(calibration),
        "block": ratios and _selection(ratios, id_train),
        "skipped": choice.skipped,
        "code": code_version(),
        "versions": {name: version(name) for name in ("ood-explorer", "torch", "torchvision", "numpy")},
    }


def _selection(ratios: NormRatios, id_train: ImageSet) -> dict[str, Any]:
    """Of `select_block`, so that a reader sees how close the choice was."""
    return {
        "name": ratios.blocks[ratios.selected],
        "index": ratios.selected,
        "ratios": ratios.values.tolist(),
        "n": min(len(id_train), RATIO_IMAGES),
        "silent": ratios.silent,
    }


def _described(images: ImageSet) -> dict[str, Any]:
    return {"name": images.name, "n": len(images), "digest": images.digest, "coding": images.coding}
