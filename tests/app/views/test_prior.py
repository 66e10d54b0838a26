"""The Outlier prior page's logic, without a browser."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import app
from app.services import jobs, outliers
from app.services.memory import Memory
from oodcore.checkpoint import shipped
from oodcore.jobs.folder import Status
from oodcore.jobs.queue import Queue
from oodcore.priors import temper

BASE = "shapes-resnet20w4"
VIEW = str(Path(app.__file__).parent / "views" / "prior.py")
pytestmark = pytest.mark.skipif(BASE not in shipped(), reason="no shipped checkpoints here")


class Nowhere:
    """A backend on which nothing ever runs."""

    def start(self, folder: Path) -> dict[str, object]:
        return {}

    def alive(self, handle: object) -> bool:
        return True

    def stop(self, handle: object) -> None:
        return None


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Queue:
    """Jobs that only wait."""
    made = Queue(tmp_path / "jobs", Nowhere())
    monkeypatch.setattr(jobs, "queue", lambda: made)
    monkeypatch.setattr(outliers, "_SOURCES", Memory(64))  # `tiny` may have been counted by another test
    return made


@pytest.fixture
def page(served: Path, queue: Queue) -> AppTest:
    opened = AppTest.from_file(VIEW, default_timeout=60)
    opened.query_params["checkpoint"] = BASE
    return opened


def sentences(page: AppTest) -> str:
    return " ".join(box.value for box in (*page.info, *page.warning, *page.error))


def words(page: AppTest) -> str:
    return " ".join(text.value for text in (*page.caption, *page.markdown, *page.subheader))


def test_it_opens_with_the_crowd_of_the_drawn_look_alikes(page: AppTest) -> None:
    page.run()
    assert not page.exception
    assert sentences(page) == ""
    frame = page.dataframe[0].value
    assert list(frame["class"])[:2] == ["disc", "ring"]
    assert frame["share of outliers"].sum() == pytest.approx(1)
    assert "counted over all 2,000 pictures, shipped with the checkpoint" in words(page)


def test_more_crowding_makes_the_prior_more_uneven(served: Path, queue: Queue) -> None:
    shares = {}
    for imbalance in ("1", "100"):
        opened = AppTest.from_file(VIEW, default_timeout=60)
        opened.query_params["checkpoint"], opened.query_params["imbalance"] = BASE, imbalance
        shares[imbalance] = opened.run().dataframe[0].value["share of outliers"].max()
    assert shares["100"] > shares["1"] + 0.05


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_the_link_tempers_as_the_library_does(page: AppTest, gamma: float) -> None:
    page.query_params["gamma"] = str(gamma)
    frame = page.run().dataframe[0].value
    assert frame["tempered prior"].tolist() == pytest.approx(temper(frame["outliers"].tolist(), gamma).tolist())
    if gamma == 0:
        assert frame["margin"].tolist() == pytest.approx([frame["margin"].iloc[0]] * 10)


def test_a_larger_alpha_raises_the_margins(page: AppTest) -> None:
    page.query_params["alpha"] = "0"
    frame = page.run().dataframe[0].value
    assert frame["margin"].nunique() == 1
    low = frame["margin"].iloc[0]
    other = AppTest.from_file(VIEW, default_timeout=60)
    other.query_params["checkpoint"], other.query_params["alpha"] = BASE, "5"
    frame = other.run().dataframe[0].value
    assert frame["margin"].tolist() == pytest.approx((low + 5 * frame["tempered prior"]).tolist())


@pytest.mark.parametrize("nonsense", ["abc", "-3", "1e9", "nan", ""])
def test_nonsense_in_the_link_counts_as_absent(page: AppTest, nonsense: str) -> None:
    usual = page.run().dataframe[0].value
    other = AppTest.from_file(VIEW, default_timeout=60)
    for key in ("gamma", "alpha", "imbalance", "weight-gamma", "class", "sort"):
        other.query_params[key] = nonsense
    other.query_params["checkpoint"] = BASE
    other.run()
    assert not other.exception
    assert other.dataframe[0].value.equals(usual)


def test_a_class_in_the_link_shows_its_outliers(page: AppTest) -> None:
    name = page.run().dataframe[0].value["class"].iloc[1]
    assert "Taken for" not in words(page)
    other = AppTest.from_file(VIEW, default_timeout=60)
    other.query_params["checkpoint"], other.query_params["class"] = BASE, name
    other.run()
    assert f"Taken for {name}" in words(other)
    assert "lowest energy first" in words(other)


@pytest.mark.skipif("cifar10-resnet20" not in shipped(), reason="no network of photographs is shipped here")
def test_pictures_that_may_not_be_shipped_say_how_to_get_them_and_tell_no_folder(
    page: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OOD_DATA", raising=False)
    page.query_params["checkpoint"], page.query_params["class"] = "cifar10-resnet20", "frog"
    page.run()
    assert not page.exception
    assert page.dataframe[0].value["outliers"].sum() == 24_996
    assert "Pictures of 'Tiny ImageNet, 50 other classes' are not on this server" in sentences(page)
    assert str(tmp_path) not in sentences(page)


def test_two_networks_side_by_side(page: AppTest) -> None:
    page.run()
    page.toggle(key="side-by-side").set_value(True).run()
    assert not page.exception
    frame = page.dataframe[0].value
    assert list(frame["checkpoint"].unique()) == [BASE, f"{BASE}-balanced"]
    page.selectbox(key="checkpoint-2").set_value(BASE).run()
    page.selectbox(key="outliers-2").set_value("shapes-aux-50").run()
    frame = page.dataframe[0].value
    assert list(frame["set"].unique()) == ["shapes-aux", "shapes-aux-50"]
    assert page.query_params["outliers-2"] == "shapes-aux-50"
    assert frame["outliers"].iloc[10:].tolist() == [1880, 2243, 1128, 1225, 689, 378, 409, 223, 1696, 129]


def test_a_set_that_was_not_counted_can_be_ordered(page: AppTest, queue: Queue) -> None:
    page.query_params["checkpoint"], page.query_params["outliers"] = "tiny", "shapes-aux"
    page.run()
    assert not page.exception
    assert not page.dataframe
    assert "Not counted yet" in words(page)
    next(button for button in page.button if button.label == "Count them").click().run()
    assert not page.exception
    (job,) = queue.jobs()
    assert (job.kind, job.order["outliers"], job.order["split"]) == ("prior", "shapes-aux", "test")
    assert "the count goes on" in words(page)
    assert "Not counted yet" not in words(page)


def test_while_a_set_is_counted_its_crowd_grows_on_the_page(page: AppTest, queue: Queue) -> None:
    page.query_params["checkpoint"], page.query_params["outliers"] = "tiny", "shapes-aux"
    page.run()
    next(button for button in page.button if button.label == "Count them").click().run()
    assert not page.get("plotly_chart")
    queue.tick()
    (job,) = queue.jobs()
    for step in (64, 128, 1900):  # the last was told before it was stopped and started again
        job.run.append({"kind": "counted", "step": step, "counts": [step, *[0] * 9]})
    job.run.tell(Status("running", 192, 2000))
    page.run()
    assert not page.exception
    (drawn,) = page.get("plotly_chart")
    assert json.loads(drawn.proto.spec)["data"][0]["y"] == [128, *[0] * 9]
    assert "most, 128, are taken for disc" in str(drawn.proto)


def test_a_set_that_is_not_on_this_server_says_how_to_get_it(page: AppTest) -> None:
    page.query_params["outliers"] = "random-300k"
    page.run()
    assert not page.exception
    assert "300,000 random images' is not on this server" in sentences(page)
    assert "outlier-exposure" in sentences(page)


def test_links_to_what_is_not_here(page: AppTest) -> None:
    page.query_params["checkpoint"], page.query_params["outliers"] = "no-such", "none-such"
    page.run()
    assert not page.exception
    assert "'no-such', which is not on this server" in sentences(page)
    assert "outliers 'none-such'" in sentences(page)
    assert len(page.dataframe) == 1


def test_outliers_for_tests_are_marked(page: AppTest) -> None:
    options = page.run().selectbox(key="outliers").options
    assert options[0] == "Drawn look-alikes, crowding yours to choose"
    assert "Drawn textures – for tests alone" in options
    assert not any("look-alikes" in option and "tests" in option for option in options)


def test_a_checkpoint_without_reference_or_scorers_still_counts(page: AppTest) -> None:
    page.query_params["checkpoint"] = "bare"
    page.run()
    assert not page.exception
    assert "Not counted yet" in words(page)
