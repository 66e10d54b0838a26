import dataclasses

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
    resources._SAID._kept.clear()
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
