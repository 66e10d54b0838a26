"""Maps ready to draw: shipped layouts, scores and nearest centres beside the right points, placed pictures."""

from copy import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.services import clusters, resources, samples
from oodcore.checkpoint import folder_of
from oodcore.functional import free_energy
from oodcore.jobs.queue import Limits, Queue
from oodcore.maps import Settings, write_layout

CFL = "shapes-resnet20w4-semantic"


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    """One that starts nothing."""
    return Queue(tmp_path / "jobs", limits=Limits(running=0))


def mapped(name: str, space: str, queue: Queue, settings: Settings | None = None) -> clusters.Map:
    folder = folder_of(name)
    shown = resources.exhibit(folder)
    layout = clusters.made(shown, folder, settings or Settings(), queue)
    return clusters.drawn(shown, space, layout)  # type: ignore[arg-type]


def test_a_shipped_layout_is_taken_as_it_is(queue: Queue) -> None:
    one = mapped(CFL, "embeddings", queue)
    assert one.settings == Settings()
    assert one.cloud.trained
    assert len(one.xy) == 4000
    assert one.measured == 8000


def test_another_seed_is_principal_components_until_a_job_has_made_it(queue: Queue) -> None:
    settings, folder = Settings(seed=7), folder_of(CFL)
    shown = resources.exhibit(folder)
    quick = mapped(CFL, "features", queue, settings)
    assert quick.settings is None
    order = clusters.wanted(shown, folder, settings)
    assert clusters.ordered(queue, order) is None
    job = queue.submit("layout", order, owner="x" * 40, title="Map")
    found = clusters.ordered(queue, order)
    assert found is not None
    assert found.id == job.id
    assert clusters.made(shown, folder, settings, queue) is None
    layout = clusters.made(shown, folder, Settings(), queue)
    assert layout is not None
    write_layout(job.result / "layout.safetensors", type(layout)(layout.rows, layout.xy, layout.centers, settings))
    job.run.tell(type(job.run.status)("finished", 2, 2))  # type: ignore[misc]
    assert mapped(CFL, "features", queue, settings).settings == settings


def test_numbers_stand_beside_their_own_points(queue: Queue) -> None:
    one = mapped(CFL, "embeddings", queue)
    start = 0
    for name, rows in one.rows.items():
        bank = one.shown.reference[name]
        expected = free_energy(bank.outputs.logits[rows])
        assert torch.equal(one.energy[start : start + len(rows)], expected)
        start += len(rows)
    panel = one.shown.panel
    assert panel is not None
    assert one.representation is not None
    first = panel.subset(["representation"])(one.shown.reference[next(iter(one.rows))].outputs)["representation"]
    assert torch.allclose(one.representation[: len(first)], first.float())


def test_without_trained_centres_there_is_no_representation_score_and_no_embedding(queue: Queue) -> None:
    one = mapped("shapes-resnet20w4", "features", queue)
    assert one.representation is None
    assert clusters.scale(one, "representation") is None
    assert list(clusters.spaces(one.shown)) == ["features"]


def test_a_map_is_that_of_its_own_checkpoint_whatever_the_weights(queue: Queue) -> None:
    """The same weights may lie here under two names, with the classes called otherwise."""
    one = mapped(CFL, "features", queue)
    model = copy(one.shown.model)
    model.classes = tuple(f"my {name}" for name in model.classes)
    other = replace(one.shown, name="own-copy", model=model)
    assert other.key != one.shown.key
    layout = clusters.made(one.shown, folder_of(CFL), Settings(), queue)
    again = clusters.drawn(other, "features", layout)
    assert again.shown.name == "own-copy"
    assert again.shown.model.classes[0].startswith("my ")
    assert clusters.drawn(one.shown, "features", layout) is one
    assert torch.equal(again.xy, one.xy)


def test_a_scale_turns_at_the_threshold(queue: Queue) -> None:
    one = mapped(CFL, "features", queue)
    found = clusters.scale(one, "energy")
    assert found is not None
    assert found.threshold
    assert found.middle == one.shown.calibration("energy").threshold(0.95)
    assert found.low < found.middle < found.high


@pytest.mark.parametrize("space", ["features", "embeddings"])
def test_known_pictures_land_near_their_class_and_strange_ones_are_far(queue: Queue, space: str) -> None:
    one = mapped(CFL, space, queue)
    groups = samples.groups(one.shown.model.classes, one.shown.known)
    share = {}
    for name in ("shapes", "photographs"):
        pictures = groups[name].pictures()
        answers = resources.answers(one.shown, pictures, lambda ahead: None)
        placed, nearest, distances = clusters.placed(one, answers)
        assert float(distances.min()) > 0
        share[name] = float(placed.share.median())
        assert float(placed.xy.min()) >= 0
        assert float(placed.xy.max()) <= 1
        if name == "shapes":
            answered = [answer.label for answer in answers]
            assert sum(a == b for a, b in zip(answered, nearest.tolist(), strict=True)) >= len(answered) - 1
    assert share["photographs"] > share["shapes"]


def test_the_server_never_imports_umap() -> None:
    import subprocess
    import sys

    code = (
        "import sys, app.services.clusters, app.widgets.clusters, app.services.sheets; "
        "from app.services import clusters, resources; from oodcore.checkpoint import folder_of; "
        f"folder = folder_of({CFL!r}); shown = resources.exhibit(folder); "
        "clusters.drawn(shown, 'embeddings', None).separation; "
        "assert not {'umap', 'numba', 'pynndescent'} & set(sys.modules)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
