"""The page's logic, without a browser and without a process: what is ordered, what is shown of a run, who may what."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
from streamlit.testing.v1 import AppTest

import app
from app.services import jobs
from oodcore.jobs.comparison import Comparison, Side
from oodcore.jobs.folder import Status
from oodcore.jobs.queue import Job, Limits, Queue
from oodcore.report import Convention

WEIGHT = "Weight of the outlier term"
RANKS = {"auroc": 0.9, "fpr95_ood_positive": 0.2, "fpr95_id_positive": 0.3}
VIEW = str(Path(app.__file__).with_name("views") / "finetune.py")


class Paper:
    """A backend that starts nothing."""

    def start(self, folder: Path) -> Mapping[str, Any]:
        return {"pid": 1, "name": folder.name}

    def alive(self, handle: Mapping[str, Any]) -> bool:
        return "name" in handle

    def stop(self, handle: Mapping[str, Any]) -> None:
        return


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Queue:
    made = Queue(tmp_path / "jobs", Paper(), Limits(running=1, owner=2))
    monkeypatch.setattr(jobs, "queue", lambda: made)
    return made


@pytest.fixture
def page(served: Path, queue: Queue) -> AppTest:
    opened = AppTest.from_file(VIEW, default_timeout=60)
    opened.query_params["checkpoint"] = "tiny"
    return opened


def sentences(page: AppTest) -> str:
    return " ".join(box.value for box in (*page.info, *page.warning, *page.error))


def press(page: AppTest, label: str) -> AppTest:
    button = next(button for button in page.button if button.label.startswith(label))
    return button.click().run()


def number(page: AppTest, label: str) -> Any:
    return next(field for field in page.number_input if field.label == label)


def test_it_opens_with_a_form_and_says_what_to_do(page: AppTest) -> None:
    page.run()
    assert not page.exception
    assert sentences(page) == ""
    text = " ".join(element.value for element in page.markdown)
    assert "No run yet.** Pick a loss and press Start." in text
    assert number(page, "Steps").value == 60
    captions = " ".join(caption.value for caption in page.caption)
    assert "How much both energy terms count beside the cross-entropy" in captions


def test_start_orders_what_the_form_says(page: AppTest, queue: Queue) -> None:
    page.run()
    number(page, "Steps").set_value(12)
    number(page, WEIGHT).set_value(0.25)
    press(page, "Start")
    (job,) = queue.jobs()
    wanted = job.order["experiment"]
    assert wanted["model"]["checkpoint"] == "tiny"
    assert (wanted["train"]["steps"], wanted["loss"]["weight"]) == (12, 0.25)
    assert wanted["loss"]["name"] == "energy"
    assert wanted["margins"] == {"inside": 25.0, "outside": 75.0, "alpha_gap": None}
    assert "margin_in" not in wanted["loss"]
    assert job.order["evaluation"]["ood_sets"] == ["shapes-near", "shapes-far"]
    assert page.selectbox(key="run").value == job.id
    assert page.query_params["run"] in (job.id, [job.id])
    assert not page.exception


@pytest.mark.parametrize("loss", ["outlier_exposure", "balanced_energy", "semantic_energy"])
def test_every_loss_has_its_own_numbers(page: AppTest, queue: Queue, loss: str) -> None:
    page.query_params["loss"] = loss
    page.run()
    assert not page.exception
    press(page, "Start")
    assert queue.jobs()[0].order["experiment"]["loss"]["name"] == loss
    labels = [field.label for field in page.number_input]
    assert ("Alpha, rise of the margin" in labels) == (loss == "balanced_energy")
    assert ("Inner margin, percentile" in labels) == (loss != "outlier_exposure")


def test_a_published_setting_says_what_was_adapted(page: AppTest, queue: Queue) -> None:
    page.query_params["setting"] = "cifar10-wrn-40-2-energy"
    page.run()
    text = " ".join(element.value for element in page.markdown)
    assert "It was made for 'cifar10-wrn-40-2'; here it starts from 'tiny'." in text
    assert "Margins are measured on this network's energies" in text
    press(page, "Start")
    assert queue.jobs()[0].order["experiment"]["source"] == "recipe cifar10-wrn-40-2-energy"
    assert any("60 steps instead of 10 epochs" in note for note in queue.jobs()[0].order["experiment"]["notes"])


def test_strange_links_are_told(page: AppTest) -> None:
    page.query_params["loss"] = "magic"
    page.query_params["setting"] = "no-such"
    page.query_params["run"] = "finetune-0123456789"
    page.run()
    assert not page.exception
    said = sentences(page)
    assert "This link asks for the loss 'magic'" in said
    assert "'no-such', which does not apply here" in said
    assert "There is no run 'finetune-0123456789' here any more" in said


def test_nonsense_in_the_form_is_a_sentence(page: AppTest, queue: Queue) -> None:
    page.run()
    number(page, WEIGHT).set_value(-1.0).run()
    assert not page.exception
    assert "“Weight of the outlier term” must be 0 or more; got -1." in sentences(page)
    assert not [button for button in page.button if button.label.startswith("Start")]


def test_a_link_orders_nothing_that_would_be_refused_later(page: AppTest, queue: Queue) -> None:
    page.query_params["loss"] = "outlier_exposure"
    page.query_params["numbers"] = "margins.inside:10,train.steps:null,train.compile:true"
    page.run()
    assert not page.exception
    assert "margins.inside:10, train.steps:null, train.compile:true" in sentences(page).replace("\\", "")
    press(page, "Start 60 steps")
    assert queue.jobs()[0].order["experiment"]["margins"] is None


def test_a_warm_up_that_never_ends_is_told_before_the_start(page: AppTest, queue: Queue) -> None:
    page.query_params["loss"] = "semantic_energy"
    page.run()
    number(page, "Warm-up steps").set_value(60).run()
    assert "set “Warm-up steps” lower, as 12" in sentences(page)
    assert not [button for button in page.button if button.label.startswith("Start")]


def test_further_settings_are_ordered(page: AppTest, queue: Queue) -> None:
    page.query_params["loss"] = "balanced_energy"
    page.run()
    number(page, "Averaging of the weights").set_value(0.9)
    number(page, "Border of the random crop, pixels").set_value(2)
    number(page, "Gap for which alpha was chosen").set_value(9.0)
    next(box for box in page.selectbox if box.label == "Precision").set_value("bf16-mixed")
    press(page, "Start")
    assert not page.exception
    wanted = queue.jobs()[0].order["experiment"]
    assert wanted["margins"]["alpha_gap"] == 9
    assert {name: wanted["train"][name] for name in ("ema", "pad", "precision")} == {
        "ema": 0.9,
        "pad": 2,
        "precision": "bf16-mixed",
    }


def test_limits_are_told_when_start_is_pressed(page: AppTest, queue: Queue) -> None:
    page.run()
    press(page, "Start")
    press(page, "Start")
    assert sentences(page) == ""
    press(page, "Start")
    assert "You have 2 runs that run or wait" in sentences(page)
    page.run()
    assert "You have 2 runs" not in sentences(page)


def told(job: Job, steps: int) -> None:
    for step in range(1, steps + 1):
        terms = {"cross_entropy": 1 / step, "energy_in": 0.5, "energy_out": 0.25}
        numbers = {"terms": terms, "activity": {"energy_in": 0.5, "energy_out": 0.1}, "lr": 0.01}
        job.run.append({"kind": "step", "step": step, **numbers, "images_per_second": 1234.0, "seconds_left": 30.0})
    job.run.append({"kind": "validation", "step": steps, "accuracy": 0.9, "auroc": 0.8, "fpr95_ood_positive": 0.4})
    job.run.tell(Status("running", steps, 60))


def test_a_live_run_shows_speed_and_time_left_and_can_be_cancelled(page: AppTest, queue: Queue) -> None:
    page.run()
    press(page, "Start")
    (job,) = queue.jobs()
    told(job, 6)
    page.run()
    captions = " ".join(caption.value for caption in page.caption)
    assert "1,234 images a second · 30 s of training left" in captions
    assert "step 6 of 60" in page.get("progress")[0].proto.text
    press(page, "Cancel")
    assert job.run.cancelling
    assert not page.exception


def test_a_run_of_somebody_else_can_be_watched_only(page: AppTest, queue: Queue) -> None:
    page.run()
    press(page, "Start")
    (job,) = queue.jobs()
    told(job, 2)
    page.session_state[jobs.OWNER] = "s" * 43
    page.query_params["run"] = job.id
    page.run()
    captions = " ".join(caption.value for caption in page.caption)
    assert "Started by somebody else: you can watch it, but not stop or change it." in captions
    assert next(button for button in page.button if button.label == "Cancel").disabled


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (
            Status("failed", 3, 60, "The loss is NaN or infinite at step 3. Try a lower learning rate."),
            "lower learning",
        ),
        (Status("cancelled", 3, 60, "Stopped on request. It can go on from here."), "Stopped on request"),
    ],
)
def test_what_ended_says_why_and_can_go_on(page: AppTest, queue: Queue, status: Status, said: str) -> None:
    page.run()
    press(page, "Start")
    (job,) = queue.jobs()
    job.run.tell(status)
    page.run()
    assert said in sentences(page)
    press(page, "Go on")
    assert job.standing.active
    assert not page.exception


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_what_ended_without_a_result_is_discarded_by_its_owner(
    page: AppTest, queue: Queue, state: Literal["failed", "cancelled"]
) -> None:
    page.run()
    press(page, "Start")
    (job,) = queue.jobs()
    assert "Discard it" not in [button.label for button in page.button]
    job.run.tell(Status(state, 3, 60, "It came to an end."))
    mine = page.run().session_state[jobs.OWNER]
    page.session_state[jobs.OWNER] = "s" * 43
    press(page.run(), "Discard it")  # a popover that is shut for others
    assert "started by somebody else" in sentences(page)
    assert queue.jobs() == [job]
    page.session_state[jobs.OWNER] = mine
    press(page.run(), "Discard it")
    assert not page.exception
    assert queue.jobs() == []
    assert any("No run yet." in element.value for element in page.markdown)


def test_a_run_whose_start_was_deleted_can_be_kept_and_downloaded(page: AppTest, queue: Queue, served: Path) -> None:
    shutil.copytree(served / "tiny", served / "begun")
    page.query_params["checkpoint"] = "begun"
    page.run()
    press(page, "Start")
    (job,) = queue.jobs()
    shutil.rmtree(served / "begun")
    shutil.copytree(served / "tiny", job.result / "checkpoint")
    side = Side(0.9, {"shapes": [-9.0, -8.0], "shapes-far": [-3.0]}, {"shapes-far": RANKS})
    Comparison(side, side, Convention()).write(job.result / "comparison.json")
    job.run.tell(Status("finished", 60, 60))
    page.run()
    assert not page.exception
    assert "'begun', with which this run began, is no longer on this server" in sentences(page)
    titles = [part.value for part in page.subheader]
    assert titles[:3] == ["Before and after", "Decisions that flipped", "Take it along"]
    assert len(page.metric) == 4
    page.text_input(key=f"name-{job.id}").set_value("Orphan")
    press(page, "Keep")
    assert (served / "orphan").is_dir()
    shutil.rmtree(served / "orphan")


def test_a_damaged_order_is_no_traceback(page: AppTest, queue: Queue) -> None:
    page.run()
    press(page, "Start")
    (job,) = queue.jobs()
    values = json.loads((job.folder / "job.json").read_text())
    values["order"] = {}
    (job.folder / "job.json").write_text(json.dumps(values))
    page.run()
    assert not page.exception
    (job.folder / "job.json").write_text("{")
    page.run()
    assert not page.exception


def test_a_checkpoint_whose_images_are_not_here(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.services import tuning

    monkeypatch.setattr(tuning, "fitting_sets", lambda classes, absent: [])
    page.run()
    assert not page.exception
    assert "are not on this server, so it cannot be trained here" in sentences(page)


def test_outliers_that_are_not_here_are_listed_with_how_to_get_them(
    page: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OOD_DATA", str(tmp_path))
    page.query_params["checkpoint"] = "cifar10-resnet20"
    page.query_params["auxiliary"] = "tin-aux50"
    page.run()
    assert not page.exception
    assert all(option.endswith("– not on this server") for option in page.selectbox(key="auxiliary").options)
    assert "is not on this server, so nothing can be trained with it here. It is" in sentences(page)
    assert page.selectbox(key="known").options == ["CIFAR-10, JPEG-coded – not on this server"]
    assert not [button for button in page.button if button.label.startswith("Start")]


def test_a_link_brings_the_images_and_the_numbers_back(page: AppTest, queue: Queue) -> None:
    page.query_params["numbers"] = "train.lr:0.5,train.steps:7,margins.inside:30.0,loss.magic:1,train.flip:2"
    page.query_params["auxiliary"] = "shapes-aux-10"
    page.run()
    assert not page.exception
    assert "do not apply here: loss.magic:1, train.flip:2" in sentences(page).replace("\\", "")
    number(page, WEIGHT).set_value(0.3).run()
    assert page.query_params["numbers"] in (
        ["train.steps:7,train.lr:0.5,loss.weight:0.3,margins.inside:30.0"],
        "train.steps:7,train.lr:0.5,loss.weight:0.3,margins.inside:30.0",
    )
    press(page, "Start")
    wanted = queue.jobs()[0].order["experiment"]
    assert (wanted["train"]["steps"], wanted["train"]["lr"], wanted["loss"]["weight"]) == (7, 0.5, 0.3)
    assert (wanted["margins"]["inside"], wanted["data"]["outliers"]) == (30.0, "shapes-aux-10")


def test_runs_are_laid_over_each_other_as_the_link_says(page: AppTest, queue: Queue) -> None:
    page.run()
    press(page, "Start")
    press(page, "Start")
    one, other = queue.jobs()
    page.run()
    assert not [field for field in page.multiselect if field.key == "over"]  # neither has begun
    told(one, 2)
    told(other, 2)
    page.query_params["over"] = [other.id, "finetune-0123456789"]
    page.run()
    assert page.multiselect(key="over").value == [other.id]
    assert "finetune-0123456789" in sentences(page).replace("\\", "")


def test_the_list_says_how_long_a_run_stays_in_it(page: AppTest, queue: Queue) -> None:
    page.run()
    assert any(f"until {queue.limits.kept} later ones have ended" in caption.value for caption in page.caption)
