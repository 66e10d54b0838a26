"""The Checkpoints page's logic, without a browser."""

import io
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest

import app
from app.services import cabinet, jobs
from app.widgets import bring
from oodcore.checkpoint import own
from oodcore.checkpoint.own import own_folder
from oodcore.jobs.queue import Limits, Queue
from oodcore.models import build

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
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Queue:
    """A queue in which everything waits."""
    queue = Queue(tmp_path / "jobs", Nowhere(), Limits(running=0))
    monkeypatch.setattr(jobs, "queue", lambda: queue)
    return queue


@pytest.fixture
def page(served: Path, line: Queue) -> AppTest:
    opened = AppTest.from_file(MAIN, default_timeout=100)
    opened.switch_page("views/checkpoints.py")
    return opened


def sentences(page: AppTest) -> str:
    return " ".join(box.value for box in (*page.info, *page.warning, *page.error, *page.success))


def words(page: AppTest) -> str:
    return " ".join(part.value for part in (*page.markdown, *page.caption, *page.subheader))


def weights(classes: int = 10) -> bytes:
    torch.manual_seed(3)
    file = io.BytesIO()
    torch.save(build("resnet-8-w4", classes).state_dict(), file)
    return file.getvalue()


def given(page: AppTest, name: str, content: bytes) -> AppTest:
    page.query_params["view"] = "own"
    page.run()
    page.file_uploader(key="weights").set_value((name, content, "application/octet-stream")).run()
    assert not page.exception
    return page


def click(page: AppTest, label: str) -> AppTest:
    next(one for one in page.button if one.label == label).click().run()
    assert not page.exception
    return page


def area(page: AppTest, name: str) -> tuple[float, str]:
    """Mean AUROC and its change on a tile; their order is the gallery's."""
    at = [button.key for button in page.button if button.label == "Look inside"].index(f"open-{name}")
    found = [metric for metric in page.metric if metric.label == "Mean AUROC ↑"][at]
    return float(found.value.split()[0]), found.delta


def test_the_gallery_lists_every_checkpoint_and_whose_it_is(page: AppTest) -> None:
    page.run()
    assert not page.exception
    shown = words(page)
    assert "`tiny`" in shown
    assert "`shapes-resnet20w4`" in shown
    assert "not fitted" in shown  # `bare`
    titles = [part.value for part in page.subheader]
    assert titles[0] == "Ten drawn figures"
    assert titles[-1] == "Brought and trained by visitors"
    assert any("long" in title and "tailed" in title for title in titles)
    assert len(set(titles)) == len(titles)
    assert "The baseline, and 4 networks made from it" in shown
    assert "Drawn look-alikes, 50 : 1" in shown.replace("\\", "")
    base, tuned = (area(page, name) for name in ("shapes-resnet20w4", "shapes-resnet20w4-energy"))
    assert base[1] == ""
    assert float(tuned[1]) == pytest.approx(tuned[0] - base[0], abs=0.11)
    assert {metric.label for metric in page.metric} == {"Accuracy ↑", "Mean AUROC ↑"}


def test_the_servers_own_are_not_said_to_be_a_visitors(page: AppTest, served: Path) -> None:
    shutil.copytree(served / "tiny", Path("checkpoints") / "lab")
    page.run()
    assert not page.exception
    assert [part.value for part in page.subheader][-1] == "Others on this server"


def test_two_that_differ_in_nothing_that_is_listed(page: AppTest, served: Path) -> None:
    shutil.copytree(served / "tiny", Path("checkpoints") / "lab")
    page.query_params["view"] = "two"
    page.query_params["checkpoint"] = "tiny"
    page.query_params["beside"] = "lab"
    page.run()
    assert not page.exception
    assert "None of the settings listed here differs." in words(page)


def test_one_is_looked_into_in_plain_words(page: AppTest) -> None:
    page.query_params["view"] = "one"
    page.query_params["checkpoint"] = "shapes-resnet20w4-energy"
    page.run()
    assert not page.exception
    shown = words(page)
    assert "energy margins against outliers: Drawn look-alikes, 50 : 1" in shown.replace("\\", "")
    assert "set to keep 95 % of known images" in shown
    numbers, blocks = page.dataframe[0].value, page.dataframe[1].value
    area = numbers[(numbers["Number"] == "AUROC ↑") & (numbers["Against"] == "Drawn textures")]
    assert " to " in area["95 % interval"].iloc[0]
    assert list(blocks["Block"])[-1] == "3.3"
    assert list(blocks["Hands on"])[-1] == "16 × 8 × 8"
    assert blocks["FeatureNorm, median"].gt(0).all()
    assert not [one for one in page.button if one.label == "Delete it"]


def test_two_are_compared_with_only_what_differs(page: AppTest) -> None:
    page.query_params["view"] = "two"
    page.query_params["checkpoint"] = "shapes-resnet20w4"
    page.query_params["beside"] = "shapes-resnet20w4-energy"
    page.run()
    assert not page.exception
    pairs, settings = page.dataframe[0].value, page.dataframe[1].value
    change = pairs["shapes-resnet20w4-energy"] - pairs["shapes-resnet20w4"]
    assert pairs["Change"].tolist() == pytest.approx(change.tolist())
    rows = settings.set_index("Setting")
    assert rows.loc["Loss"].tolist() == ["cross-entropy alone", "energy margins against outliers"]
    assert rows.loc["Auxiliary outliers"].tolist() == ["–", "Drawn look-alikes, 50 : 1"]
    assert "Side of the input, pixels" not in rows.index
    assert not [value for value in rows.to_numpy().ravel() if "[" in value or "_" in value]


def test_a_link_to_a_checkpoint_that_is_not_here(page: AppTest) -> None:
    page.query_params["view"] = "one"
    page.query_params["checkpoint"] = "no-such"
    page.run()
    assert "'no-such', which is not on this server" in sentences(page)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("net.pt", b"", "is empty"),
        ("net.pt", b"these are no weights" * 30, "not a PyTorch checkpoint"),
        ("net.pt", weights()[:3000], "cut off or damaged"),
        ("net.safetensors", b"these are no weights" * 30, "not a safetensors file"),
    ],
)
def test_a_wrong_file_is_one_sentence(page: AppTest, name: str, content: bytes, says: str) -> None:
    given(page, name, content)
    assert len(page.error) == 1
    assert says in page.error[0].value
    assert not [one for one in page.button if one.label == "Keep it on this server"]


def test_weights_are_kept_fitted_and_deleted(page: AppTest, served: Path, line: Queue) -> None:
    before = {folder.name for folder in served.iterdir()}
    given(page, "../../evil name.pt", weights())
    assert "resnet\\-8\\-w4" in words(page) or "resnet-8-w4" in words(page)
    (note,) = [caption.value for caption in page.caption if "carry no normalisation" in caption.value]
    assert note.endswith("You can change this below.")
    page.selectbox(key="classes-from").set_value("Drawn shapes").run()
    page.text_input(key="title").set_value("Mine *really*").run()
    click(page, "Keep it on this server")
    assert "Kept as" in sentences(page)
    (made,) = {folder.name for folder in served.iterdir() if not folder.name.startswith(".")} - before
    assert made.startswith("own-resnet-8-w4-")
    assert own_folder() == served
    assert r"Mine \*really\*" in words(page)

    click(page, "Fit its scorers")
    (job,) = line.jobs()
    assert (job.kind, dict(job.order)) == (
        "fit",
        {"checkpoint": made, "id": "shapes", "ood": ["shapes-near", "shapes-far"], "owner": job.owner_hash},
    )
    assert not [one for one in page.button if one.label == "Fit its scorers"]

    click(page, "Delete it")
    assert r"'Mine \*really\*' is deleted." in sentences(page)
    assert not (served / made).exists()


def test_benchmark_opens_with_the_checkpoint_that_was_looked_at(page: AppTest) -> None:
    page.query_params["view"] = "one"
    page.query_params["checkpoint"] = "shapes-resnet20w4-oe"
    page.run()
    assert not page.exception
    assert "Checkpoints" not in [button.label for button in page.button]
    click(page, "Benchmark")
    assert page.query_params["cell"] in ("shapes-resnet20w4-oe|energy|mean", ["shapes-resnet20w4-oe|energy|mean"])
    assert any(
        "kept with the checkpoint 'shapes-resnet20w4-oe'" in part.value for part in (*page.markdown, *page.caption)
    )


def test_somebody_else_cannot_delete_it(page: AppTest, served: Path) -> None:
    given(page, "net.pt", weights())
    click(page, "Keep it on this server")
    made = next(folder for folder in served.iterdir() if folder.name.startswith("own-"))
    try:
        other = AppTest.from_file(MAIN, default_timeout=100)
        other.switch_page("views/checkpoints.py")
        other.query_params["view"] = "one"
        other.query_params["checkpoint"] = made.name
        other.run()
        assert not other.exception
        assert not [one for one in other.button if one.label in ("Delete it", "Fit its scorers", "Fit it again")]
        assert "Only who brought it" in sentences(other)
        assert "brought by a visitor" in words(other)
    finally:
        shutil.rmtree(made)
        shutil.rmtree(served / ".owners")


def test_what_somebody_else_has_fitted_already_needs_no_fit(
    page: AppTest, served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bring, "keep", lambda *_, **__: served / "tiny")
    given(page, "net.pt", weights())
    click(page, "Keep it on this server")
    assert "It is here already, fitted, as `tiny`." in sentences(page)


def test_a_wrong_number_of_class_names_is_told_and_nothing_is_kept(page: AppTest, served: Path) -> None:
    given(page, "net.pt", weights())
    page.selectbox(key="classes-from").set_value("Type them").run()
    page.text_area(key="class-names").set_value("cat, dog").run()
    assert "10 outputs; 2 class names were given" in sentences(page)
    assert not [folder for folder in served.iterdir() if folder.name.startswith("own-")]


def test_a_path_outside_of_the_data_folders_is_refused(page: AppTest, tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(weights())
    page.query_params["view"] = "own"
    page.run()
    page.segmented_control(key="way").set_value("path").run()
    page.text_input(key="weights-path").set_value(str(tmp_path / "net.pt")).run()
    assert "in this server's data folders" in sentences(page).replace("\\", "")


def test_a_library_network_is_fetched_as_a_run_and_a_path_is_no_name(page: AppTest, line: Queue) -> None:
    page.query_params["view"] = "own"
    page.run()
    page.segmented_control(key="way").set_value("library").run()
    page.text_input(key="library").set_value("timm:x?weights=/etc/passwd").run()
    click(page, "Fetch it")
    assert "'timm:NAME'" in sentences(page).replace("\\", "")
    assert not line.jobs()
    page.text_input(key="library").set_value("torchvision:resnet18").run()
    click(page, "Fetch it")
    assert line.jobs()[0].order["library"] == "torchvision:resnet18"


def test_its_owner_fits_it_again(page: AppTest, served: Path, line: Queue) -> None:
    given(page, "net.pt", weights())
    page.selectbox(key="classes-from").set_value("Drawn shapes").run()
    click(page, "Keep it on this server")
    made = next(folder for folder in served.iterdir() if folder.name.startswith("own-"))
    try:
        shutil.copy(served / "tiny" / "panel.safetensors", made)  # as if it was fitted
        assert cabinet.one(made.name, made).fitted
        page.run()
        click(page, "Fit it again")
        assert line.jobs()[0].order["owner"] == line.jobs()[0].owner_hash
        popover = page.get("popover")[0].proto.popover
        assert (popover.label, popover.disabled) == ("Fit again", True)
    finally:
        shutil.rmtree(made)
        shutil.rmtree(served / ".owners")


def test_whoever_keeps_too_much_is_told_what_to_delete(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "EACH", own.Quota(0, 2**30))
    given(page, "net.pt", weights())
    click(page, "Keep it on this server")
    assert "You keep 0 checkpoints" in sentences(page)
