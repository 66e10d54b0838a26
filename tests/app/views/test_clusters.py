"""The page's logic, without a browser."""

import io
import json
from pathlib import Path
from typing import Any, Literal

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import app
from app.services import jobs
from oodcore.jobs.folder import Status
from oodcore.jobs.queue import Limits, Queue

VIEW = "views/clusters.py"
MAIN = str(Path(app.__file__).with_name("main.py"))


class Nowhere:
    """Takes jobs and never begins."""

    def start(self, folder: Path) -> dict[str, Any]:
        return {}

    def alive(self, handle: object) -> bool:
        return False

    def stop(self, handle: object) -> None:
        pass


@pytest.fixture
def page(served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """On the shipped checkpoints, with a queue of its own."""
    monkeypatch.setenv("OOD_JOBS", str(tmp_path / "jobs"))
    monkeypatch.setenv("OOD_DATA", str(tmp_path))
    opened = AppTest.from_file(MAIN, default_timeout=60)
    opened.run()
    return opened.switch_page(VIEW)


def sentences(page: AppTest) -> str:
    return " ".join(box.value for box in (*page.info, *page.warning, *page.error))


def drawn(page: AppTest) -> dict[str, Any]:
    """What the browser draws."""
    (found,) = (part for part in page.get("bidi_component") if part.proto.component_name.endswith("points"))
    return dict(json.loads(found.proto.json))


def metrics(page: AppTest) -> list[str]:
    return [metric.value for metric in page.metric]


def test_it_opens_with_two_maps_and_their_numbers(page: AppTest) -> None:
    page.run()
    assert not page.exception
    assert sentences(page) == ""
    assert len(metrics(page)) == 6
    assert page.metric[3].delta
    assert page.selectbox(key="beside").value.endswith("-semantic")


def test_another_checkpoint_changes_the_numbers(page: AppTest) -> None:
    before = metrics(page.run())
    page.selectbox(key="checkpoint").set_value("shapes-resnet20w4-energy").run()
    assert not page.exception
    assert metrics(page)[:3] != before[:3]
    assert metrics(page)[3:] == before[3:]


def test_one_map_alone(page: AppTest) -> None:
    page.run()
    page.toggle(key="two").set_value(False).run()
    assert not page.exception
    assert len(metrics(page)) == 3


def test_a_checkpoint_without_centres_says_why_it_has_no_embeddings(page: AppTest) -> None:
    page.run()
    assert any("no embeddings" in caption.value for caption in page.caption)


def test_a_stray_link_is_told(page: AppTest) -> None:
    page.query_params["beside"] = "no-such"
    page.query_params["colour"] = "nonsense"
    page.run()
    assert not page.exception
    assert "'no-such', which is not on this server" in sentences(page)


def test_a_new_seed_shows_the_quick_map_and_offers_the_job(page: AppTest) -> None:
    page.run()
    page.number_input(key="map-seed").set_value(3).run()
    assert not page.exception
    assert "quick map by principal components" in sentences(page)
    assert [button.label for button in page.button].count("Draw by UMAP") == 2
    assert len(metrics(page)) == 6


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_anybody_may_draw_a_map_anew_whose_job_has_ended(
    page: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: Literal["failed", "cancelled"]
) -> None:
    line = Queue(tmp_path / "line", Nowhere(), Limits(running=0))
    monkeypatch.setattr(jobs, "queue", lambda: line)
    page.query_params.update({"two": "false", "map-seed": "3"})
    page.run()
    assert not page.exception
    next(button for button in page.button if button.label == "Draw by UMAP").click().run()
    (job,) = line.jobs()
    assert "Draw by UMAP" not in [button.label for button in page.button]
    job.run.tell(Status(state, 1, 4, "It came to an end."))
    page.session_state[jobs.OWNER] = "s" * 43
    page.run()
    assert not page.exception
    assert "It came to an end." in sentences(page)
    assert "quick map by principal components" in sentences(page)
    next(button for button in page.button if button.label == "Draw by UMAP").click().run()
    assert len(line.jobs()) == 2
    assert line.jobs()[0].owned_by("s" * 43)


def test_families_that_share_no_image_say_so(page: AppTest) -> None:
    page.run()
    page.selectbox(key="beside").set_value("cifar10-resnet20-semantic").run()
    assert not page.exception
    assert "measured on different images" in sentences(page)
    assert "not on this machine" in page.expander[0].label


def test_a_checkpoint_without_a_reference_says_what_to_do(page: AppTest) -> None:
    page.run()
    page.selectbox(key="checkpoint").set_value("bare").run()
    assert not page.exception
    assert "ood fit bare" in sentences(page)


def test_a_checkpoint_of_one_s_own_has_a_quick_map(page: AppTest) -> None:
    page.run()
    page.selectbox(key="checkpoint").set_value("tiny").run()
    assert not page.exception
    assert "quick map" in sentences(page)


def test_photos_good_and_broken(page: AppTest) -> None:
    page.run()
    data = io.BytesIO()
    Image.new("RGB", (50, 40), "red").save(data, "PNG")
    files = [("mine.png", data.getvalue(), "image/png"), ("broken.png", b"no picture", "image/png")]
    page.file_uploader(key="map-photos").set_value(files).run()
    assert not page.exception
    assert "broken" in sentences(page)
    assert page.pills(key="placed").options[0] == "Your photos (1)"
    assert page.pills(key="placed").value == ["yours"]


def test_a_link_says_which_sets_are_placed_and_hidden(page: AppTest) -> None:
    page.query_params.update({"placed": ["textures", "no such set"], "hidden": "shapes-far"})
    page.run()
    assert not page.exception
    assert page.pills(key="placed").value == ["textures"]
    found = drawn(page)
    assert found["hidden"] == ["shapes-far:2000"]
    assert len(found["panels"][0]["photos"]) == 4
    page.pills(key="placed").set_value(["photographs"]).run()
    assert page.query_params["placed"] == "photographs"
    data = io.BytesIO()
    Image.new("RGB", (50, 40), "red").save(data, "PNG")
    page.file_uploader(key="map-photos").set_value([("mine.png", data.getvalue(), "image/png")]).run()
    assert page.pills(key="placed").value == ["yours", "photographs"]
    page.pills(key="placed").set_value([]).run()
    assert page.query_params["placed"] == ""
    assert drawn(page)["panels"][0]["photos"] == []


def test_what_was_given_on_another_page_is_placed_here(page: AppTest) -> None:
    data = io.BytesIO()
    Image.new("RGB", (50, 40), "red").save(data, "PNG")
    page.switch_page("views/score.py").run()
    page.file_uploader(key="uploads").set_value([("mine.png", data.getvalue(), "image/png")]).run()
    page.switch_page(VIEW).run()
    assert not page.exception
    assert page.pills(key="placed").value == ["yours"]
