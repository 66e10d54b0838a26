"""What all shaping steps share: new features, new logits, another scorer."""

from collections.abc import Callable

import pytest
import torch

from oodcore.errors import ScoreError, UnknownNameError
from oodcore.records import Bank, Evidence, Outputs, moments
from oodcore.scorers import scorers
from oodcore.scorers._shaping import ShapedBank

STEPS = [name for name in scorers.names() if "then" in scorers[name].__dataclass_fields__]
every_step = pytest.mark.parametrize("name", STEPS)


@every_step
@pytest.mark.parametrize("then", ["msp", "max_logit", "energy", "kl_matching", "temperature_scaling"])
def test_then_is_fitted_and_called_on_the_shaped_rows(name: str, then: str, world) -> None:
    score = scorers[name](then=then).fit(world.bank)
    shaped_bank = Bank(score.reshaped(world.bank.outputs), world.bank.labels, score.head)
    expected = scorers[then]().fit(shaped_bank)(score.reshaped(world.outliers))
    torch.testing.assert_close(score(world.outliers), expected, rtol=1e-9, atol=1e-9)


@every_step
def test_logits_follow_from_the_shaped_features(name: str, world) -> None:
    score = scorers[name]().fit(world.bank)
    rows = score.reshaped(world.outliers)
    weight, bias = (part.double() for part in score.head)
    torch.testing.assert_close(rows.logits, rows.features @ weight.mT + bias)
    assert rows.features.dtype == torch.float64


@every_step
def test_a_bank_in_pieces_gives_the_same_fit(name: str, world, in_pieces: Callable[[Bank], Evidence]) -> None:
    whole, pieces = (scorers[name](then="kl_matching").fit(b) for b in (world.bank, in_pieces(world.bank)))
    torch.testing.assert_close(pieces(world.outliers), whole(world.outliers), rtol=1e-9, atol=1e-9)


@every_step
def test_a_row_without_any_activity_has_a_score(name: str, world) -> None:
    dead = Outputs(*(torch.zeros_like(field[:2]) for field in world.inliers))
    assert scorers[name]().fit(world.bank)(dead).isfinite().all()


@every_step
@pytest.mark.parametrize("then", ["knn", "grad_norm", "react"])
def test_only_scorers_of_logits_follow(name: str, then: str) -> None:
    with pytest.raises(ScoreError, match=rf"'{then}' reads .*features.*\. Try 'energy'"):
        scorers[name](then=then)


@pytest.mark.parametrize("name", sorted(set(STEPS) - {"selected_norm"}))
def test_odin_follows_only_the_selected_norm(name: str) -> None:
    with pytest.raises(ScoreError, match="'odin' reads gradients"):
        scorers[name](then="odin")


def test_an_unknown_name_gets_a_hint() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'energy'"):
        scorers["react"](then="enregy")


def test_a_shaped_bank_is_evidence(world, in_pieces: Callable[[Bank], Evidence]) -> None:
    def half(outputs: Outputs) -> torch.Tensor:
        return outputs.features.double() / 2

    lazy = ShapedBank(in_pieces(world.bank), world.bank.head, half)
    rows = Outputs.join([part.outputs for part in lazy.chunks()])
    assert isinstance(lazy, Evidence)
    assert len(lazy) == 240
    assert lazy.centers is world.bank.centers
    torch.testing.assert_close(rows.features, world.bank.outputs.features.double() / 2)
    expected = moments(Bank(rows, world.bank.labels, world.bank.head))
    torch.testing.assert_close(lazy.moments.within, expected.within)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("ash_p", {"percentile": 100.0}),
        ("ash_b", {"percentile": -1.0}),
        ("ash_s", {"percentile": 120.0}),
        ("scale", {"percentile": 100.0}),
        ("react", {"keep": 0.0}),
        ("react", {"keep": 90.0}),
        ("vra", {"low": 0.9, "high": 0.5}),
        ("vra", {"high": 95.0}),
        ("dice", {"sparsity": 1.0}),
    ],
)
def test_impossible_shares_are_refused(name: str, numbers: dict[str, float]) -> None:
    with pytest.raises(ScoreError, match="got"):
        scorers[name](**numbers)
