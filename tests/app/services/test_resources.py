import dataclasses
import shutil
import threading
import time
from pathlib import Path

import pytest
import torch

from app.services import resources, samples
from app.services.resources import Exhibit, answers
from app.services.samples import Picture, Prepared, prepared


@pytest.fixture
def board(served: object) -> tuple[Exhibit, list[Picture]]:
    """A checkpoint with a gradient scorer, under a key of its own, so that nothing of it is known yet."""
    shown = dataclasses.replace(resources.exhibit(resources.folders()["shapes-resnet20w4"]))
    shown.__dict__["key"] = f"of this test {id(shown)}"
    return shown, samples.groups(shown.model.classes, shown.known)["textures"].pictures()


def nobody(ahead: int) -> None:
    assert ahead == 0


def test_a_gradient_score_is_taken_when_it_is_needed_and_then_kept(
    board: tuple[Exhibit, list[Picture]], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, pictures = board
    assert shown.panel is not None
    (odin,) = shown.panel.gradient_names
    first = answers(shown, pictures, nobody, ["energy"])
    assert all(set(shown.scorers) - set(answer.scores) == {odin} for answer in first)
    asked = answers(shown, pictures, nobody, [odin])
    views = [prepared(picture, shown.model.transform) for picture in pictures]
    pixels = torch.stack([view.pixels for view in views if isinstance(view, Prepared)])
    expected = shown.panel.subset([odin]).score(shown.model, pixels)[odin]
    found = torch.tensor([answer.scores[odin] for answer in asked], dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    monkeypatch.setattr(resources, "outputs_of", lambda *_, **__: pytest.fail("the network ran again"))
    assert answers(shown, pictures, nobody, ["energy", odin]) == asked
    assert answers(shown, pictures, nobody) == asked


def test_answers_belong_to_their_pictures(board: tuple[Exhibit, list[Picture]]) -> None:
    shown, pictures = board
    alone = [answers(shown, [picture], nobody)[0] for picture in pictures]
    resources._SAID.drop(lambda key: True)
    together = answers(shown, pictures[::-1], nobody)[::-1]
    for one, other in zip(alone, together, strict=True):
        assert one.label == other.label
        assert one.scores["energy"] == pytest.approx(other.scores["energy"], rel=1e-4)
        torch.testing.assert_close(one.features, other.features, rtol=1e-3, atol=1e-4)


def test_a_map_is_made_for_the_picture_and_the_network_that_were_asked_for(
    board: tuple[Exhibit, list[Picture]],
) -> None:
    shown, pictures = board
    (answer,) = answers(shown, pictures[:1], nobody)
    found = resources.explained(shown, pictures[0], nobody)
    assert found.energy == pytest.approx(answer.scores["energy"], rel=1e-4)
    assert resources.explained(shown, pictures[0], nobody) is found
    assert resources.explained(shown, pictures[1], nobody).energy != found.energy


def test_a_visitor_with_few_pictures_does_not_wait_for_all_of_another_ones(
    board: tuple[Exhibit, list[Picture]], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, pictures = board
    order: list[str] = []
    many = [pictures[0]._replace(id=f"many {index}") for index in range(3 * resources.BATCH)]
    few = threading.Thread(
        target=answers, args=(shown, [pictures[0]._replace(id="few")], lambda ahead: None), daemon=True
    )

    def run(_: Exhibit, batch: list[Picture], names: object) -> dict[str, object]:
        order.append(batch[0].id.split()[0])
        if len(order) == 1:
            few.start()
            while len(resources._TURNS._line) < 2:
                time.sleep(0.001)
        return {}

    monkeypatch.setattr(resources, "_run", run)
    answers(shown, many, lambda ahead: None)
    few.join(20)
    assert order == ["many", "few", "many", "many"]


def test_what_somebody_else_asked_for_meanwhile_is_not_run_again(
    board: tuple[Exhibit, list[Picture]], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, pictures = board
    found = answers(shown, pictures, nobody)
    monkeypatch.setattr(resources, "outputs_of", lambda *_, **__: pytest.fail("the network ran again"))
    assert list(resources._run(shown, pictures, []).values()) == found


def test_open_checkpoints_take_so_many_bytes_and_no_more(
    served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tmp_path / name for name in ("first", "second", "third")]
    for folder in folders:
        shutil.copytree(served / "tiny", folder)
    size = sum(file.stat().st_size for file in folders[0].iterdir())
    monkeypatch.setattr(resources._EXHIBITS, "size", 2 * size)
    first, second, _ = (resources.exhibit(folder) for folder in folders)
    assert first.size == size
    assert resources.exhibit(folders[1]) is second
    assert resources.exhibit(folders[0]) is not first


def test_it_is_known_beforehand_whether_anybody_has_to_wait(board: tuple[Exhibit, list[Picture]]) -> None:
    shown, pictures = board
    assert resources.is_open(resources.folders()[shown.name])
    assert not resources.is_open(Path("no-such"))
    assert not resources.answered(shown, pictures, ["energy"])
    answers(shown, pictures, nobody, ["energy"])
    assert resources.answered(shown, pictures, ["energy"])
    assert not resources.answered(shown, pictures, ["energy", "odin"])


def test_weights_are_compared_once_with_what_the_panel_was_fitted_on_and_not_with_every_batch(
    board: tuple[Exhibit, list[Picture]], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, pictures = board
    compared: list[object] = []
    monkeypatch.setattr("oodcore.panel.fitted.weights_hash", lambda model: compared.append(model) or "other")
    assert shown.panel is not None
    other = dataclasses.replace(shown, panel=dataclasses.replace(shown.panel, about={"weights": "other"}))
    other.__dict__["key"] = f"{shown.key} once"
    monkeypatch.setattr(resources, "BATCH", 2)
    assert len(answers(other, pictures, nobody, ["odin"])) == len(pictures) > 2
    assert compared == [shown.model]
