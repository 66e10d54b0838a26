"""What visitors bring: tried, kept under its content's name, and removed by nobody else."""

import hashlib
import os
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save as safetensors_bytes

from oodcore.checkpoint import known, load, own, read_card, save, shipped
from oodcore.checkpoint.own import (
    Quota,
    adopt,
    class_list,
    examine,
    fittable,
    is_own,
    keep,
    own_folder,
    owned,
    publish,
    remove,
    require_room,
    within_roots,
)
from oodcore.checkpoint.places import folder_of
from oodcore.errors import CheckpointError, OODError
from oodcore.models import build
from oodcore.models.weights_file import Upload

MINE, THEIRS = "a token", "another token"


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OOD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("OOD_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


def weights(classes: int = 3, **changed: torch.Tensor) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return build("resnet-8-w4", classes).state_dict() | changed


def pickled(content: Any, name: str = "net.pt") -> Upload:
    import io

    file = io.BytesIO()
    torch.save(content, file)
    return Upload(name, file.getvalue())


def test_an_upload_is_recognised_tried_and_found_again_by_its_content(cache: Path) -> None:
    found = examine(pickled(weights()))
    assert found.architecture == "resnet-8-w4"
    folder = keep(found, owner_hash=hashed(MINE), title="  My\nnetwork  ", source="../../net.pt")
    assert folder.parent == own_folder() == cache / "checkpoints"
    assert folder.name.startswith("own-resnet-8-w4-")
    assert known()[folder.name] == folder
    card = read_card(folder)
    assert (card.title, card.parent) == ("My network", "../../net.pt")
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(load(folder)(x).logits, found(x).logits)


def test_safetensors_in_memory_bring_their_notes() -> None:
    about = {"architecture": "resnet-8-w4", "classes": '["ant", "bee", "cow"]'}
    upload = Upload("net.safetensors", safetensors_bytes(weights(), about))
    assert examine(upload).classes == ("ant", "bee", "cow")


def test_the_same_content_is_kept_once_and_other_content_apart(cache: Path) -> None:
    first = keep(examine(pickled(weights())), owner_hash=hashed(MINE), title="First")
    again = keep(examine(pickled(weights(), "renamed.pth")), owner_hash=hashed(MINE), title="Second")
    assert again == first
    assert read_card(first).title == "First"
    assert owned(first, MINE)
    assert not owned(first, THEIRS)
    named = keep(examine(pickled(weights()), classes=("x", "y", "z")), owner_hash=hashed(MINE))
    assert named != first


def test_the_same_content_from_two_people_is_two_checkpoints_until_one_of_them_is_fitted() -> None:
    found = examine(pickled(weights()))
    first = keep(found, owner_hash=hashed(MINE), title="First")
    second = keep(found, owner_hash=hashed(THEIRS), title="Second")
    assert second != first
    assert fittable(second, hashed(THEIRS))
    assert owned(second, THEIRS)
    assert owned(first, MINE)
    assert not owned(first, THEIRS)
    (first / "panel.safetensors").touch()
    assert keep(found, owner_hash=hashed(THEIRS)) == second
    assert keep(found, owner_hash=hashed("a third token")) == first
    remove(first, MINE)
    assert keep(found, owner_hash=hashed(THEIRS)) == second
    remove(second, THEIRS)


def test_a_copy_of_ones_own_counts_towards_the_quota(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "EACH", Quota(1, 2**30))
    keep(examine(pickled(weights(2))), owner_hash=hashed(MINE))
    keep(examine(pickled(weights(3))), owner_hash=hashed(THEIRS))
    with pytest.raises(CheckpointError, match="You keep 1 checkpoints"):
        keep(examine(pickled(weights(2))), owner_hash=hashed(THEIRS))


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch hacked",)


def bomb() -> Upload:
    import io

    file = io.BytesIO()
    torch.save({"fc.weight": torch.zeros(1)}, file)
    packed = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.infolist():
            new.writestr(item.filename, bytes(2**22) if item.filename.endswith("data/0") else old.read(item))
    return Upload("bomb.pt", packed.getvalue())


@pytest.mark.parametrize(
    ("upload", "says"),
    [
        (Upload("net.pt", b""), "empty"),
        (Upload("net.pt", b"these are no weights" * 30), "not a PyTorch checkpoint"),
        (Upload("net.safetensors", b"these are no weights" * 30), "not a safetensors file"),
        (Upload("photo.png", b"\x89PNG" * 30), "no file of weights"),
        (pickled({"a": Evil()}), r"run code \(posix.system\)"),
        (Upload("net.pt", pickle.dumps(Evil())), "run code"),
        (Upload("net.pt", pickled(weights()).content[:2000]), "cut off or damaged"),
        (pickled(weights(**{"fc.bias": torch.tensor([0.0, float("nan"), 0.0])})), "NaN or infinite weights"),
        (pickled(weights(**{"fc.bias": torch.zeros(4)})), r"'fc.bias' has shape \(4,\)"),
        (pickled(weights() | {"extra.weight": torch.zeros(4)}), "1 keys are unknown"),
        (pickled({"strange.weight": torch.zeros(4, 4)}), "match no network known here"),
        (pickled({"fc.weight": torch.zeros(1).expand(10**10)}), "not all in the file"),
        (bomb(), "unpack to far more"),
    ],
)
def test_each_wrong_file_is_one_sentence_and_nothing_is_kept(upload: Upload, says: str, cache: Path) -> None:
    with pytest.raises(CheckpointError, match=says) as caught:
        examine(upload)
    assert "\n" not in str(caught.value)
    assert not Path("hacked").exists()
    assert not cache.exists()


def test_a_huge_file_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "UPLOAD_BYTES", 1000)
    monkeypatch.setattr(own, "load", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(CheckpointError, match="the limit is"):
        examine(pickled(weights()))


def test_weights_that_turn_into_nan_on_a_picture_are_told() -> None:
    broken = weights(**{"fc.weight": torch.full((3, 16), 3e38), "fc.bias": torch.full((3,), 3e38)})
    with pytest.raises(CheckpointError, match="NaN or infinity"):
        examine(pickled(broken))


def test_names_of_libraries_are_names_and_no_paths(tmp_path: Path) -> None:
    for name in ("timm:resnet18?weights=/etc/passwd", "shapes-resnet20w4", "/etc/passwd", "timm:../x"):
        with pytest.raises(OODError, match="'timm:NAME'"):
            examine(name)


def test_a_path_must_lie_in_a_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    root.mkdir()
    monkeypatch.setenv("OOD_DATA", str(root))
    for place in (root / "net.pt", tmp_path / "outside.pt"):
        torch.save(weights(), place)
    (root / "note.txt").write_text("x")
    (root / "link.pt").symlink_to(tmp_path / "outside.pt")
    assert within_roots("net.pt") == within_roots(f" {root / 'net.pt'} ") == root / "net.pt"
    for wrong in (
        "../outside.pt", str(tmp_path / "outside.pt"), "link.pt", "note.txt", "none.pt", "", "\0", "~nobody/x.pt",
    ):  # fmt: skip
        with pytest.raises(CheckpointError, match="in this server's data folders"):
            within_roots(wrong)


def test_class_names_as_people_type_them() -> None:
    assert class_list(" ant, bee ,cow\n", 3) == ("ant", "bee", "cow")
    assert class_list("ant\nbee\n", 2) == ("ant", "bee")
    assert class_list("  ", 3) is None
    with pytest.raises(CheckpointError, match="3 outputs; 2 class names"):
        class_list("ant,bee", 3)
    with pytest.raises(CheckpointError, match="same name"):
        class_list("ant,Ant", 2)


def test_only_its_owner_removes_it_and_shipped_ones_stay() -> None:
    folder = keep(examine(pickled(weights())), owner_hash=hashed(MINE))
    with pytest.raises(CheckpointError, match="somebody else"):
        remove(folder, THEIRS)
    with pytest.raises(CheckpointError, match="somebody else"):
        remove(folder, "")
    assert folder.is_dir()
    remove(folder, MINE)
    assert not folder.exists()
    with pytest.raises(CheckpointError, match="no longer there"):
        remove(folder, MINE)
    with pytest.raises(CheckpointError, match="ships with the app"):
        remove(folder_of(shipped()[0]), MINE)


def test_a_folder_elsewhere_is_nobodys_even_with_a_forged_note(tmp_path: Path) -> None:
    folder = keep(examine(pickled(weights())), owner_hash=hashed(MINE))
    elsewhere = tmp_path / folder.name
    folder.rename(elsewhere)
    assert not is_own(elsewhere)
    with pytest.raises(CheckpointError, match="somebody else"):
        remove(elsewhere, MINE)


def test_what_was_made_of_it_is_put_in_its_place(tmp_path: Path) -> None:
    folder = keep(examine(pickled(weights())), owner_hash=hashed(MINE))
    model = load(folder)
    made = save(tmp_path / "made", model, replace(read_card(folder), notes=("fitted",)))
    with pytest.raises(CheckpointError, match="somebody else, who alone can fit it"):
        publish(made, folder, owner_hash=hashed(THEIRS))
    assert read_card(folder).notes != ["fitted"]
    publish(made, folder, owner_hash=hashed(MINE))
    assert read_card(folder).notes == ["fitted"]
    assert owned(folder, MINE)
    remove(folder, MINE)
    with pytest.raises(CheckpointError, match="no longer there"):
        publish(made, folder, owner_hash=hashed(MINE))
    assert not folder.exists()


def test_ones_own_may_be_fitted_again_the_servers_own_once_and_others_never(tmp_path: Path) -> None:
    mine = keep(examine(pickled(weights())), owner_hash=hashed(MINE))
    servers = save(tmp_path / "checkpoints" / "lab", load(mine), read_card(mine))
    for _ in ("not fitted yet", "fitted"):
        assert fittable(mine, hashed(MINE))
        assert not fittable(mine, hashed(THEIRS))
        assert not fittable(mine, "")
        (mine / "panel.safetensors").touch()
    assert fittable(servers, hashed(THEIRS))
    (servers / "panel.safetensors").touch()
    assert not fittable(servers, hashed(THEIRS))
    assert not fittable(folder_of(shipped()[0]), hashed(MINE))


def test_one_person_may_keep_so_many_and_is_told_which_to_delete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "EACH", Quota(2, 2**30))
    monkeypatch.setattr(own, "EVERYONE", Quota(3, 2**30))
    first, second = (keep(examine(pickled(weights(classes))), owner_hash=hashed(MINE)) for classes in (2, 3))
    third = examine(pickled(weights(4)))
    with pytest.raises(CheckpointError, match=f"You keep 2 checkpoints .* Delete one of yours .*'{second.name}'"):
        keep(third, owner_hash=hashed(MINE))
    with pytest.raises(CheckpointError, match="You keep 2 checkpoints"):
        adopt(first, "a copy", owner_hash=hashed(MINE))
    assert keep(examine(pickled(weights(2))), owner_hash=hashed(MINE)) == first  # it is here already
    keep(third, owner_hash=hashed(THEIRS))
    with pytest.raises(CheckpointError, match="as it has room for"):
        adopt(first, "a copy", owner_hash=hashed(THEIRS))
    remove(first, MINE)
    assert adopt(second, "a copy", owner_hash=hashed(MINE)).is_dir()


def test_nobody_takes_the_name_of_an_upload() -> None:
    made = keep(examine(pickled(weights())), owner_hash=hashed(MINE))
    remove(made, MINE)
    other = keep(examine(pickled(weights(4))), owner_hash=hashed(THEIRS))
    with pytest.raises(CheckpointError, match="begin with 'own-'"):
        adopt(other, made.name, owner_hash=hashed(THEIRS))
    assert keep(examine(pickled(weights())), owner_hash=hashed(MINE)) == made


def test_bytes_are_counted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = keep(examine(pickled(weights(2))), owner_hash=hashed(MINE))
    size = sum(file.stat().st_size for file in folder.iterdir())
    monkeypatch.setattr(own, "EACH", Quota(9, size + 10_000))
    require_room(hashed(MINE), 10_000)
    with pytest.raises(CheckpointError, match="one person may keep"):
        keep(examine(pickled(weights(3))), owner_hash=hashed(MINE))


def test_a_large_network_of_a_library_is_refused_before_it_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "load", lambda *_, **__: pytest.fail("it was fetched"))
    with pytest.raises(CheckpointError, match=r"'torchvision:vgg16' has 528 MB of weights; the limit is 400 MB"):
        examine("torchvision:vgg16")


def test_what_a_run_made_is_adopted_under_a_name_of_plain_letters(cache: Path, tmp_path: Path) -> None:
    made = keep(examine(pickled(weights())), owner_hash=hashed(THEIRS)).rename(tmp_path / "made")
    folder = adopt(made, " ../My Run 7! ", owner_hash=hashed(MINE))
    assert folder == own_folder() / "my-run-7"
    assert known()["my-run-7"].resolve() == folder.resolve()
    assert owned(folder, MINE)
    assert not owned(folder, THEIRS)
    assert made.is_dir()
    assert not list(own_folder().glob(".my-run*"))
    remove(folder, MINE)


@pytest.mark.parametrize(
    ("title", "said"), [("…", "letters or digits"), (shipped()[0], "already"), ("gone", "discarded")]
)
def test_names_that_cannot_be_adopted(cache: Path, tmp_path: Path, title: str, said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        adopt(tmp_path / "nothing", title, owner_hash=hashed(MINE))
