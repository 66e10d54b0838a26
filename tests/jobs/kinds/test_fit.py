"""A visitor's checkpoint becomes one that decides; what is stopped or deleted meanwhile leaves nothing behind."""

import hashlib
from pathlib import Path

import pytest
import torch

from oodcore.checkpoint import load, load_reference, read_card
from oodcore.checkpoint import own as kept_here
from oodcore.checkpoint.own import Quota, examine, keep, owned, remove
from oodcore.data.procedural import SETS
from oodcore.errors import CheckpointError
from oodcore.jobs.folder import RunFolder
from oodcore.jobs.kinds import StoppedError, fit
from oodcore.models import build
from oodcore.models.weights_file import Upload
from oodcore.panel import Panel

OWNER = "a token"
HASH = hashlib.sha256(OWNER.encode()).hexdigest()
ORDER = {"id": "shapes", "ood": ["shapes-far"], "rows": 60, "limit": 60, "owner": HASH}


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Kept, not fitted."""
    import io

    monkeypatch.setenv("OOD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("OOD_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(2)
    file = io.BytesIO()
    torch.save(build("resnet-8-w4", 10).state_dict(), file)
    model = examine(Upload("net.pt", file.getvalue()), classes=tuple(SETS["shapes"].families))
    return keep(model, owner_hash=HASH, title="Mine")


def place(tmp_path: Path) -> RunFolder:
    (tmp_path / "job").mkdir(exist_ok=True)
    return RunFolder(tmp_path / "job")


@pytest.mark.slow
def test_it_is_fitted_on_a_copy_and_put_in_place_as_a_whole(own: Path, tmp_path: Path) -> None:
    weights = load(own).state_dict()
    where, seen = place(tmp_path), []
    for event in fit.work({**ORDER, "checkpoint": own.name}, where, root=None):
        seen.append((event.kind, (own / "panel.safetensors").exists()))
    assert seen == [("progress", False), ("progress", False), ("progress", False), ("finished", True)]
    panel = Panel.load(own / "panel.safetensors")
    panel.check(load(own))
    assert panel.about["fit"]["n"] == panel.about["calibration"]["n"] == 60
    assert {"energy", "knn", "odin"} <= set(panel.calibrations)
    assert len(panel.about["block"]["ratios"]) == 3
    assert set(load_reference(own)) == {"shapes", "shapes-far"}
    card = read_card(own)
    assert card.title == "Mine"
    assert next(entry for entry in card.metrics if entry["name"] == "accuracy")["n"] == 60
    assert all(torch.equal(value, weights[key]) for key, value in load(own).state_dict().items())
    assert owned(own, OWNER)
    again = [event.kind for event in fit.work({**ORDER, "checkpoint": own.name}, where, root=None)]
    assert again == ["progress", "progress", "finished"]  # what is there is not made again


def test_a_wish_to_stop_ends_it_inside_a_pass(own: Path, tmp_path: Path) -> None:
    where = place(tmp_path)
    work = fit.work({**ORDER, "checkpoint": own.name}, where, root=None)
    next(work)
    where.cancel()
    next(work)
    with pytest.raises(StoppedError):
        next(work)
    assert not (own / "panel.safetensors").exists()
    assert not (where.path / "result").exists()


def test_what_was_deleted_meanwhile_stays_deleted(own: Path, tmp_path: Path) -> None:
    where = place(tmp_path)
    (where.path / "result").mkdir()  # as if the fit had just ended
    work = fit.work({**ORDER, "checkpoint": own.name}, where, root=None)
    next(work)
    assert next(work).values["message"] == "Putting it in place."
    remove(own, OWNER)
    with pytest.raises(CheckpointError, match="no longer there"):
        list(work)
    assert not own.exists()


@pytest.mark.parametrize("owner", [hashlib.sha256(b"another token").hexdigest(), "", None])
def test_nobody_fits_what_somebody_else_brought(own: Path, tmp_path: Path, owner: str | None) -> None:
    order, where = {**ORDER, "checkpoint": own.name, "owner": owner}, place(tmp_path)
    with pytest.raises(CheckpointError, match="brought by somebody else, who alone can fit it"):
        list(fit.work(order, where, root=None))
    assert not (own / "panel.safetensors").exists()
    assert not (where.path / "result").exists()  # refused before any work
    assert not (tmp_path / "job" / "part").exists()


def test_shipped_and_unknown_ones_are_refused_in_a_sentence(own: Path, tmp_path: Path) -> None:
    for name, says in (("shapes-resnet20w4", "ships with the app"), ("no-such", "no longer on this server")):
        with pytest.raises(CheckpointError, match=says):
            list(fit.work({**ORDER, "checkpoint": name}, place(tmp_path), root=None))


def test_a_library_name_is_no_path(own: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="'timm:NAME'"):
        list(fit.work({"library": "timm:x?weights=/etc/passwd", "owner": ""}, place(tmp_path), root=None))


@pytest.fixture
def fetched(own: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Instead of a library's network, the one that is kept already."""
    network = load(own)
    monkeypatch.setattr(kept_here, "examine", lambda name: network)
    return own


@pytest.mark.parametrize("fitted", [False, True])
def test_what_somebody_else_fetched_can_be_fetched_again(fetched: Path, tmp_path: Path, fitted: bool) -> None:
    if fitted:
        (fetched / "panel.safetensors").touch()
    order = {"library": "timm:x", "id": None, "owner": hashlib.sha256(b"another token").hexdigest()}
    *_, last = fit.work(order, place(tmp_path), root=None)
    assert last.kind == "finished"
    assert (last.values["checkpoint"] == fetched.name) == fitted
    assert owned(fetched, OWNER)


def test_a_fetch_that_had_kept_its_network_before_a_restart_finishes_at_the_edge_of_the_quota(
    fetched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, where = {"library": "timm:x", "id": None, "owner": HASH}, place(tmp_path)
    remove(fetched, OWNER)
    monkeypatch.setattr(kept_here, "EACH", Quota(1, 2**30))
    for _ in ("at first", "after a restart"):
        *_, last = fit.work(order, where, root=None)
        assert last.values["checkpoint"] == fetched.name
    (tmp_path / "next").mkdir()
    with pytest.raises(CheckpointError, match="You keep 1 checkpoints"):
        list(fit.work(order, RunFolder(tmp_path / "next"), root=None))
