"""The visitor's photos stay in the session while their uploader is away, and only then."""

import io
from pathlib import Path
from shutil import copytree

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import app
from app import state
from app.services import tuning
from app.widgets import photos

SCORE = str(Path(app.__file__).with_name("views") / "score.py")


def picture(level: int) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (50, 40), (level, 20, 90)).save(data, "PNG")
    return data.getvalue()


def drop(page: AppTest, key: str, *levels: int) -> None:
    page.file_uploader(key=key).set_value([(f"{one}.png", picture(one), "image/png") for one in levels]).run()
    assert not page.exception


def remembered(page: AppTest) -> list[str]:
    return sorted(one.name for one in page.session_state[photos.PHOTOS])


def with_uploader() -> None:
    """A page with one uploader, whose key is chosen; or with none."""
    import streamlit as st

    from app.services import resources
    from app.widgets.photos import own_photos

    key = st.radio("Key", ["flip-A", "flip-B", "none"])
    if key != "none":
        own_photos(st.container(), resources.exhibit(resources.folders()["tiny"]), label="Photos", key=key)


@pytest.fixture
def page(served: Path) -> AppTest:
    return AppTest.from_function(with_uploader, default_timeout=60).run()


def test_they_stay_where_another_uploader_is_drawn_instead(page: AppTest) -> None:
    drop(page, "flip-A", 1)
    for key in ("flip-B", "flip-A"):
        page.radio[0].set_value(key).run()
        assert remembered(page) == ["1.png"]
    page.radio[0].set_value("flip-B").run()
    drop(page, "flip-B", 2)
    assert remembered(page) == ["1.png", "2.png"]
    drop(page, "flip-B", 3)
    assert remembered(page) == ["1.png", "3.png"]


def test_they_stay_where_the_uploader_was_not_drawn_for_a_while(page: AppTest) -> None:
    drop(page, "flip-A", 1, 2)
    drop(page, "flip-A", 2)
    assert remembered(page) == ["2.png"]
    for key in ("none", "flip-A"):
        page.radio[0].set_value(key).run()
        assert remembered(page) == ["2.png"]
    page.run()
    assert remembered(page) == ["2.png"]


def test_they_stay_on_score_while_a_checkpoint_without_scores_is_chosen(served: Path) -> None:
    page = AppTest.from_file(SCORE, default_timeout=60)
    page.query_params["checkpoint"] = "tiny"
    page.run()
    drop(page, "uploads", 1)
    for name in ("bare", "tiny"):
        page.selectbox(key=state.CHECKPOINT).set_value(name).run()
        assert not page.exception
        assert len(page.get("file_uploader")) == (name == "tiny")
        assert remembered(page) == ["1.png"]
    assert "1.png" in list(page.dataframe[0].value["Picture"])


def flips(folders: list[str]) -> None:
    """What Fine-tune shows last of a run, for whichever of them is picked."""
    from pathlib import Path

    import streamlit as st

    from app.widgets.tuned import flipped
    from oodcore.jobs.job import Caps, Job, Standing

    at = Path(st.radio("Run", folders))
    asked = {"model": {"checkpoint": "tiny"}, "data": {"inliers": "shapes", "outliers": "shapes-aux"}}
    order = {"experiment": asked | {"loss": {"name": "energy"}}, "evaluation": {}}
    job = Job(at.name, "finetune", at.name, order, "", 0.0, Caps(), at, lambda job: Standing("finished"))
    flipped(job)


def test_the_uploader_of_fine_tune_keeps_them_whichever_run_is_picked(served: Path, tmp_path: Path) -> None:
    runs = [tmp_path / "first", tmp_path / "second"]
    for run in runs:
        copytree(served / "tiny", run / "result" / tuning.CHECKPOINT)
    page = AppTest.from_function(flips, kwargs={"folders": [str(run) for run in runs]}, default_timeout=60).run()
    drop(page, "flip-photos", 1)
    for run in reversed(runs):
        page.radio[0].set_value(str(run)).run()
        assert not page.exception
        assert [file.name for file in page.file_uploader(key="flip-photos").value] == ["1.png"]
        assert remembered(page) == ["1.png"]
