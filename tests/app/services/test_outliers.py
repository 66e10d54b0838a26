"""Where the numbers of the Outlier prior page come from: the library, always."""

from pathlib import Path

import numpy as np
import pytest
import torch

from app.services import outliers, resources
from app.services.memory import Memory
from app.services.outliers import GAMMAS, IMBALANCES, Source
from app.services.resources import Exhibit
from oodcore.checkpoint import shipped
from oodcore.checks import prior_zeros
from oodcore.data.procedural import procedural
from oodcore.evaluate.census import save_censuses, take_census
from oodcore.jobs.queue import Queue
from oodcore.losses.balanced_energy import BalancedEnergy
from oodcore.models.collect import outputs_of
from oodcore.priors import majority, outlier_counts, softmax_average, temper

BASE = "shapes-resnet20w4"
needs_shipped = pytest.mark.skipif(BASE not in shipped(), reason="no shipped checkpoints here")


class Nowhere:
    """A backend on which nothing ever runs."""

    def start(self, folder: Path) -> dict[str, object]:
        return {}

    def alive(self, handle: object) -> bool:
        return True

    def stop(self, handle: object) -> None:
        return None


@pytest.fixture(autouse=True)
def queue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Queue:
    """Jobs that only wait."""
    made = Queue(tmp_path / "jobs", Nowhere())
    monkeypatch.setattr(outliers.jobs, "queue", lambda: made)
    monkeypatch.setattr(outliers, "_SOURCES", Memory(64))
    return made


@pytest.fixture
def tiny(served: Path) -> tuple[Path, Exhibit]:
    return served / "tiny", resources.exhibit(served / "tiny")


def counted(shown: Exhibit, name: str = "shapes-aux", count: int = 100) -> Source:
    census = take_census(shown.model, procedural("shapes-aux", "test", count=count), "test")
    return Source(census, "counted here", f"{shown.key} {name} {count}")


def test_the_table_of_tempered_priors_is_the_librarys(tiny: tuple[Path, Exhibit]) -> None:
    found = counted(tiny[1])
    made = outliers.tables(found)
    assert made.tempered.shape == (len(IMBALANCES), len(GAMMAS), 10)
    for level, imbalance in enumerate(IMBALANCES):
        part = found.census.thinned(imbalance)
        assert made.counts[level] == part.counts.tolist()
        assert made.average[level] == pytest.approx(softmax_average(part.logits).tolist())
        for row in (0, 1, 5, len(GAMMAS) - 1):
            expected = temper(outlier_counts(part.logits), GAMMAS[row])
            assert made.tempered[level, row].tolist() == pytest.approx(expected.tolist(), abs=1e-6)


def test_the_browser_takes_as_many_of_each_kind_as_the_library(tiny: tuple[Path, Exhibit]) -> None:
    """A point is drawn where its rank among its kind is below the number that is taken of it."""
    found = counted(tiny[1])
    made = outliers.tables(found)
    assert made.taken is not None
    for level, imbalance in enumerate(IMBALANCES):
        drawn = np.flatnonzero(made.ranks < np.array(made.taken[level])[made.kinds])
        assert drawn.tolist() == found.census.chosen(imbalance).tolist()


def test_points_carry_what_z_is_made_of(tiny: tuple[Path, Exhibit]) -> None:
    found = counted(tiny[1])
    made, prior = outliers.tables(found), temper(found.census.counts, 0.75)
    z = made.shares / 65535 @ prior.numpy()
    assert z.tolist() == pytest.approx(majority(found.census.logits.double(), prior).tolist(), abs=1e-4)
    assert made.energies.tolist() == pytest.approx(found.census.energies.tolist())
    assert made.labels.tolist() == found.census.logits.argmax(dim=1).tolist()


@pytest.mark.parametrize(("gamma", "weight"), [(0.75, None), (0.0, None), (2.0, 0.5)])
def test_numbers_by_class_are_the_losses(tiny: tuple[Path, Exhibit], gamma: float, weight: float | None) -> None:
    folder, shown = tiny
    found = counted(shown)
    where = outliers.margins(folder, shown, found)
    fitted = outliers.objective(found.census.counts, where, gamma, weight, 4.0)
    columns = outliers.numbers(shown, found.census, fitted)
    loss = BalancedEnergy(margin_in=where.inside, margin_out=where.outside, alpha=4.0, gamma=gamma, gamma_weight=weight)
    assert fitted.loss == loss
    margins = where.outside + 4.0 * temper(found.census.counts, gamma)
    assert columns["margin"] == pytest.approx(margins.tolist())
    shares = temper(found.census.counts, gamma if weight is None else weight)
    assert columns["weight"] == pytest.approx((10 * shares).tolist())
    assert columns["class"] == list(shown.model.classes)
    assert columns["outliers"] == found.census.counts.tolist()
    assert sum(columns["softmax average"]) == pytest.approx(1.0)  # type: ignore[arg-type]


def test_a_checkpoints_reference_is_shown_without_data(tiny: tuple[Path, Exhibit]) -> None:
    folder, shown = tiny
    found = outliers.source(folder, shown, "shapes-far")
    assert found is not None
    assert found.of_reference
    assert not found.tunable
    assert found.census.counts.tolist() == outlier_counts(shown.reference["shapes-far"]).tolist()
    assert "a sample of 80" in found.words
    assert outliers.tables(found).taken is None


def test_known_images_are_no_outliers(tiny: tuple[Path, Exhibit]) -> None:
    folder, shown = tiny
    assert "shapes" not in outliers.offered(folder, shown)
    assert outliers.source(folder, shown, "shapes") is None


def test_a_set_that_was_not_counted_is_found_when_its_job_has_ended(tiny: tuple[Path, Exhibit], queue: Queue) -> None:
    from oodcore.jobs.folder import Status

    folder, shown = tiny
    assert outliers.source(folder, shown, "shapes-aux") is None
    assert outliers.ordered(folder, shown, "shapes-aux") is None
    job = queue.submit("prior", outliers.order(folder, shown, "shapes-aux"), owner="o" * 40, title="Count")
    assert outliers.source(folder, shown, "shapes-aux") is None
    waiting = outliers.ordered(folder, shown, "shapes-aux")
    assert waiting is not None
    assert waiting.id == job.id
    census = counted(shown).census
    save_censuses(job.result / "outliers.safetensors", {"shapes-aux": census})
    job.run.tell(Status("finished", 100, 100))
    found = outliers.source(folder, shown, "shapes-aux")
    assert found is not None
    assert torch.equal(found.census.counts, census.counts)
    assert found.tunable


def test_orders_name_the_part_that_networks_are_trained_on(tiny: tuple[Path, Exhibit]) -> None:
    parts = {
        name: outliers.order(*tiny, name)["split"]
        for name in ("shapes-aux", "shapes-aux-50", "tin-aux50", "shapes-far")
    }
    assert parts == {"shapes-aux": "test", "shapes-aux-50": "train", "tin-aux50": "train", "shapes-far": "train"}


def test_margins_are_suggested_by_the_energies_or_else_published(tiny: tuple[Path, Exhibit]) -> None:
    from oodcore.checkpoint import load_energies
    from oodcore.errors import ScoreError
    from oodcore.train.margins import suggest

    folder, shown = tiny
    found = counted(shown)
    where = outliers.margins(folder, shown, found)
    try:
        pair = suggest(load_energies(folder)["shapes"], found.census.energies)
    except ScoreError:
        assert (where.inside, where.outside, where.alpha) == (-23.0, -5.0, 10.0)
        assert "published" in where.words
    else:
        assert (where.inside, where.outside) == pair
        assert where.alpha == pytest.approx(10 * pair.gap / 18)


@needs_shipped
def test_a_fine_tuned_network_is_shown_with_its_own_margins() -> None:
    name = f"{BASE}-balanced"
    folder = resources.folders()[name]
    shown = resources.exhibit(folder)
    found = outliers.source(folder, shown, "shapes-aux")
    assert found is not None
    loss = shown.model.card.recipe["loss"]  # type: ignore[union-attr]
    where = outliers.margins(folder, shown, found)
    assert (where.inside, where.outside, where.alpha) == (loss["margin_in"], loss["margin_out"], loss["alpha"])
    assert "fine-tuned" in where.words


@needs_shipped
def test_what_is_shipped_is_what_the_network_says_of_the_pictures() -> None:
    folder = resources.folders()[BASE]
    shown = resources.exhibit(folder)
    found = outliers.source(folder, shown, "shapes-aux")
    assert found is not None
    assert found.tunable
    rows = [3, 1500]
    images = procedural("shapes-aux", "test", rows=rows)
    logits = outputs_of(shown.model, shown.model.transform.pixels(images.images, "lossless"), norms=False).logits
    assert torch.allclose(logits, found.census.logits[rows], atol=1e-3)
    assert images.labels.tolist() == found.census.labels[rows].tolist()
    whole = outliers.source(folder, shown, "shapes-aux-50")
    assert whole is not None
    assert whole.census.images == 10_000
    assert not whole.tunable


def test_doubts_are_the_librarys(tiny: tuple[Path, Exhibit]) -> None:
    from dataclasses import replace

    census = counted(tiny[1]).census
    empty = replace(census, counts=torch.tensor([0, *census.counts.tolist()[1:]]))
    assert outliers.findings(tiny[1], empty, 0.5) == [prior_zeros(empty.counts, 0.5)]
    assert outliers.findings(tiny[1], empty, 0.0) == [prior_zeros(empty.counts, 0.0)]
    assert outliers.findings(tiny[1], replace(empty, counts=empty.counts + 1), 0.5) == []
    shared = replace(census, counts=torch.ones(10, dtype=torch.int64), kinds=(tiny[1].model.classes[2],))
    assert [finding.code for finding in outliers.findings(tiny[1], shared, 0.5)] == ["OOD003"]
