"""Frames against computations of their own: NumPy alone, from the kept rows of the shipped networks."""

import csv
import json
from functools import cache

import numpy as np
import pytest

from app.services import scenes
from app.services.scenes import balance
from app.services.scenes.cast import ALIKE, FAR, KNOWN, NEAR, ROLES, Cast
from app.services.scenes.frames import PICTURE, Scene, Show
from oodcore import checkpoint
from oodcore.checkpoint import load_prior, load_reference
from oodcore.data import jigsaw
from oodcore.errors import DataError
from oodcore.models.collect import outputs_of


@cache
def cast() -> Cast:
    return Cast(checkpoint.known())


@cache
def scene(name: str) -> Scene:
    return scenes.SCENES[name](cast())


@cache
def logits(role: str, name: str) -> np.ndarray:
    return load_reference(ROLES[role])[name].outputs.logits.double().numpy()


def log_sum(values: np.ndarray) -> np.ndarray:
    top = values.max(-1, keepdims=True)
    return np.log(np.exp(values - top).sum(-1)) + top[..., 0]


def softmax(values: np.ndarray) -> np.ndarray:
    return np.exp(values - log_sum(values)[..., None])


def energy(values: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    return -temperature * log_sum(values / temperature)


def above(known: np.ndarray, strange: np.ndarray) -> float:
    """AUROC by looking at every pair."""
    gaps = strange[:, None] - known[None]
    return float(((gaps > 0) + 0.5 * (gaps == 0)).mean())


def let_through(known: np.ndarray, strange: np.ndarray) -> float:
    """Strangers at or below the score under which 95 % of the known lie."""
    line = np.sort(known)[int(np.ceil(0.95 * len(known))) - 1]
    return float((strange <= line).mean())


def at(name: str, fact: str, **wanted: float | str) -> float:
    return scene(name).value(fact, scene(name).place(wanted))


def picture(role: str, name: str) -> np.ndarray:
    return cast().actor(role).outputs.logits[scene("softmax").picture(name)].double().numpy()


@pytest.mark.parametrize("shift", [-10.0, 0.0, 3.5])
@pytest.mark.parametrize("name", ["triangle", "coffee"])
def test_a_shift_moves_the_energy_and_no_share(shift: float, name: str) -> None:
    row = picture("before", name)
    assert at("softmax", "confidence", shift=shift, picture=name) == pytest.approx(softmax(row).max(), abs=1e-9)
    assert at("softmax", "energy", shift=shift, picture=name) == pytest.approx(float(energy(row)) - shift, abs=1e-9)


@pytest.mark.parametrize("asked", [0.5, 0.95, 0.999])
def test_shares_of_accepted_answers(asked: float) -> None:
    for fact, name in (("kept", KNOWN), ("passed", NEAR), ("alike", ALIKE)):
        expected = (softmax(logits("before", name)).max(1) >= asked).mean()
        assert at("softmax", fact, asked=asked) == pytest.approx(float(expected))


@pytest.mark.parametrize(("network", "role"), [("as trained", "before"), ("fine-tuned", "energy")])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 10.0])
@pytest.mark.parametrize(("against", "name"), [("new shapes", NEAR), ("textures", FAR)])
def test_energies_at_every_temperature(network: str, role: str, temperature: float, against: str, name: str) -> None:
    where = {"network": network, "temperature": temperature, "against": against}
    known, strange = (energy(logits(role, one), temperature) for one in (KNOWN, name))
    assert at("energy", "auroc", **where) == pytest.approx(above(known, strange), abs=1e-9)
    assert at("energy", "fpr95", **where) == pytest.approx(let_through(known, strange))
    sure, unsure = (-softmax(logits(role, one)).max(1) for one in (KNOWN, name))
    assert at("energy", "confidence", **where) == pytest.approx(above(sure, unsure), abs=1e-3)  # float ties near 1
    own = energy(picture(role, "cross"), temperature)
    assert at("energy", "energy", **where, picture="cross") == pytest.approx(float(own), abs=1e-9)
    line = np.sort(known)[int(np.ceil(0.95 * (len(known) + 1))) - 1]
    assert bool(at("energy", "flagged", **where, picture="cross")) == bool(own > line)


def test_a_roc_curve_goes_through_what_a_threshold_gives() -> None:
    place = scene("energy").place({"temperature": 2, "network": "fine-tuned"})
    curve = scene("energy").views["roc"].curves[0].y.at(place)
    known, strange = (energy(logits("energy", one), 2.0) for one in (KNOWN, NEAR))
    line = np.sort(known)[-101]  # exactly a tenth lies above
    assert curve[4] == pytest.approx(float((strange > line).mean()), abs=2e-3)
    assert curve[-1] == 1
    assert (np.diff(curve) >= 0).all()


@pytest.mark.parametrize("margin", [-20.0, -15.0, -11.5])
def test_who_is_pulled_by_the_inner_margin(margin: float) -> None:
    expected = (energy(logits("before", KNOWN)) > margin).mean()
    assert at("margins", "pulled_in", margin_in=margin) == pytest.approx(float(expected), abs=1e-3)


@pytest.mark.parametrize("margin", [-9.0, -5.0, -1.0])
def test_who_is_pulled_by_the_outer_margin(margin: float) -> None:
    expected = (energy(logits("before", ALIKE)) < margin).mean()
    assert at("margins", "pulled_out", margin_out=margin) == pytest.approx(float(expected), abs=1e-3)


@pytest.mark.parametrize(
    ("network", "role"), [("as trained", "before"), ("outlier exposure", "exposure"), ("energy margins", "energy")]
)
def test_networks_before_and_after(network: str, role: str) -> None:
    known = energy(logits(role, KNOWN))
    assert at("margins", "near", network=network) == pytest.approx(above(known, energy(logits(role, NEAR))), abs=1e-9)
    assert at("margins", "far", network=network) == pytest.approx(above(known, energy(logits(role, FAR))), abs=1e-9)
    labels = load_reference(ROLES[role])[KNOWN].labels.numpy()
    assert at("margins", "accuracy", network=network) == pytest.approx((logits(role, KNOWN).argmax(1) == labels).mean())


def test_the_hinges_are_written_with_this_pictures_numbers() -> None:
    here = scene("margins")
    own = float(energy(picture("before", "triangle")))
    line = here.numbers["inside"].at(here.place({"margin_in": -15, "picture": "triangle"}))
    assert line.endswith(f"= {max(0, own + 15) ** 2:.2f}")
    line = here.numbers["outside"].at(here.place({"margin_out": -5, "picture": "triangle"}))
    assert line.endswith(f"= {max(0, -5 - own) ** 2:.2f}")


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("alpha", [0.0, 3.5])
def test_margins_rise_with_the_tempered_prior(gamma: float, alpha: float) -> None:
    counts = load_prior(ROLES["before"])
    assert counts is not None
    tempered = counts.double().numpy() ** gamma
    tempered /= tempered.sum()
    place = scene("balance").place({"gamma": gamma, "alpha": alpha})
    assert scene("balance").views["lifts"].values.at(place) == pytest.approx(alpha * tempered, abs=1e-9)
    assert at("balance", "most", gamma=gamma, alpha=alpha) == pytest.approx(alpha * tempered.max(), abs=1e-9)
    z = float(softmax(picture("before", "coffee")) @ tempered)
    line = scene("balance").numbers["majority"].at(dict(place) | {PICTURE: scene("balance").picture("coffee")})
    assert line.endswith(f"= {z:.3f}")


def test_measured_means_are_those_of_the_table() -> None:
    with balance.results().open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["way"] == "balanced, γ 1" and row["imbalance"] == "50"]
    rare = [float(row[f"auroc_alike_{family}"]) for row in rows for family in ("chevron", "spade", "ripple")]
    where = {"imbalance": 50, "loss": "balanced, γ 1"}
    assert at("balance", "rarely", **where) == pytest.approx(sum(rare) / len(rare))
    assert at("balance", "seeds", **where) == len(rows)


def test_a_sweep_that_is_not_whole_shows_what_is_whole(tmp_path) -> None:
    table = tmp_path / "some.csv"
    with balance.results().open(encoding="utf-8", newline="") as file:
        lines = file.read().splitlines()
    table.write_text("\n".join([lines[0], *lines[2:8]]), encoding="utf-8")
    found = balance.measured(table)
    assert {imbalance for imbalance, _ in found} == {1, 5}
    assert (5, "balanced, γ 1") not in found


@pytest.mark.parametrize("tau", [0.02, 0.1, 1.0])
@pytest.mark.parametrize(("against", "name"), [("new shapes", NEAR), ("textures", FAR)])
def test_representation_scores(tau: float, against: str, name: str) -> None:
    def score(rows: np.ndarray, centers: np.ndarray) -> np.ndarray:
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return -tau * log_sum(-(2 - 2 * unit @ centers.T) / tau)

    sets = load_reference(ROLES["semantic"])
    centers = sets[KNOWN].centers.double().numpy()
    centers /= np.linalg.norm(centers, axis=1, keepdims=True)
    known, strange = (score(sets[one].outputs.embeddings.double().numpy(), centers) for one in (KNOWN, name))
    assert at("clusters", "auroc", tau=tau, against=against) == pytest.approx(above(known, strange), abs=1e-6)
    assert at("clusters", "fpr95", tau=tau, against=against) == pytest.approx(let_through(known, strange), abs=2e-3)


@pytest.mark.parametrize(("network", "role"), [("as trained", "before"), ("fine-tuned", "energy")])
@pytest.mark.parametrize("block", [1, 5, 9])
@pytest.mark.parametrize(("against", "name"), [("new shapes", NEAR), ("textures", FAR)])
def test_norms_of_blocks(network: str, role: str, block: int, against: str, name: str) -> None:
    sets = load_reference(ROLES[role])
    known, strange = (-sets[one].outputs.norms.double().numpy()[:, block - 1] for one in (KNOWN, name))
    where = {"network": network, "block": block, "against": against}
    assert at("norms", "auroc", **where) == pytest.approx(above(known, strange), abs=1e-9)
    assert at("norms", "fpr95", **where) == pytest.approx(let_through(known, strange))


def test_the_shuffled_tiles_are_those_of_the_picture() -> None:
    actor, index = cast().actor("before"), 2
    pixels = cast()._views[index].pixels
    whole, cut = (
        outputs_of(actor.model, one[None]).norms for one in (pixels, jigsaw(pixels, (4, 7, 0, 8, 2, 6, 1, 5, 3)))
    )
    line = scene("norms").numbers["ratio"].at(scene("norms").place({"block": 4}) | {PICTURE: index})
    assert line.endswith(f"= {float(whole[0, 3] / cut[0, 3]):.2f}")


@pytest.mark.parametrize("name", scenes.SCENES)
def test_a_scene_is_small_and_whole(name: str) -> None:
    found = scene(name)
    for dial in found.dials.values():
        assert len(dial.values) == len(dial.words)
        assert 0 <= dial.start < len(dial.values)
    for fact in found.facts.values():
        assert np.isfinite(fact.table.values.astype(float)).all()
    whole = found.stage(
        Show(tuple(found.dials), tuple(found.views), tuple(found.facts), tuple(found.numbers)), found.place({})
    )
    assert len(json.dumps(whole, allow_nan=False)) < 300_000


def test_a_stage_that_stands_still_is_the_part_of_the_whole() -> None:
    found = scene("energy")
    place = found.place({"network": "fine-tuned", "temperature": 4})
    part = found.stage(Show(("temperature",), ("histogram",), ("auroc",)), place)
    table = part["facts"][0]["table"]
    assert table["over"] == ["temperature"]
    assert table["rows"][place["temperature"]] == pytest.approx(found.value("auroc", place), abs=1e-4)
    assert part["dials"][0]["start"] == place["temperature"]


def test_values_between_positions_go_to_the_nearest_and_beyond_are_told() -> None:
    dial = scene("energy").dials["temperature"]
    assert dial.values[dial.find(9.4)] == 10
    assert dial.values[dial.find("0.5")] == 0.5
    for wrong in ("50", "hot", "nan"):
        with pytest.raises(DataError, match=r"'temperature' goes from 0\.1 to 20"):
            dial.find(wrong)
    with pytest.raises(DataError, match="fine-tuned"):
        scene("energy").dials["network"].find("fine-tune")


def test_a_table_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balance, "TABLE", "nothing.csv")
    with pytest.raises(DataError, match=r"nothing\.csv', which is missing"):
        balance.results()
