"""The page's logic, without a browser."""

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from streamlit.testing.v1 import AppTest

import app
from app.services import jobs, resources
from app.services.benchmark import Behind, Seed
from app.widgets import cell
from oodcore.checkpoint import read_card
from oodcore.checkpoint.layout import MODEL
from oodcore.jobs import boards
from oodcore.jobs.folder import Status
from oodcore.jobs.kinds.evaluate import work
from oodcore.jobs.queue import Queue
from oodcore.jobs.store import COLUMNS, Store
from oodcore.report.board import Board

MAIN = str(Path(app.__file__).with_name("main.py"))
VALUES = {
    ("baseline", 0): {"energy": (0.60, 0.70), "msp": (0.65, 0.66)},
    ("tuned", 1): {"energy": (0.80, 0.90), "msp": (0.70, 0.72)},
    ("tuned", 2): {"energy": (0.82, 0.94), "msp": (0.71, 0.74)},
}


def row(method: str, seed: int, scorer: str, test: str, auroc: float, **changes: Any) -> dict[str, Any]:
    blank: dict[str, Any] = {"string": "", "int64": 0, "float64": None}
    about = {"setting": "pets", "id_set": "shapes", "n_id": 100, "n_ood": 50, "accuracy": 0.9, "own_score": "msp"}
    how = {"recall": 0.95, "rule": "first", "interpolation": "step", "pooling": "pooled", "score": "higher is more OOD"}
    names = {"method": method, "seed": seed, "scorer": scorer, "ood_set": test, "checkpoint": f"{method}{seed}"}
    values = {"auroc": auroc, "fpr95_ood_positive": 1 - auroc, "fpr95_id_positive": (1 - auroc) / 2}
    spent = {"steps": 77, "batch": 8, "images": 616, "device": "cpu", "threads": 1}
    return {name: blank[kind] for name, kind in COLUMNS.items()} | about | how | names | values | spent | changes


class Idle:
    """A backend that carries nothing out."""

    def __init__(self) -> None:
        self.started: list[Path] = []

    def start(self, folder: Path) -> dict[str, Any]:
        self.started.append(folder)
        return {}

    def alive(self, handle: Any) -> bool:
        return False

    def stop(self, handle: Any) -> None:
        raise AssertionError


@pytest.fixture
def stored(served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One small result store, and no other; jobs in a folder of this test."""
    monkeypatch.setattr(boards, "PACKAGE", tmp_path / "elsewhere" / "oodcore")
    monkeypatch.setenv("OOD_RESULTS", str(tmp_path / "stores"))
    queue = Queue(tmp_path / "jobs", Idle())
    monkeypatch.setattr(jobs, "queue", lambda: queue)
    folder = tmp_path / "stores" / "grid"
    for (method, seed), scores in VALUES.items():
        rows = [
            row(method, seed, scorer, test, value)
            for scorer, pair in scores.items()
            for test, value in zip(("shapes-near", "shapes-far"), pair, strict=True)
        ]
        Store(folder).write(f"{method}-{seed}", rows)
    return folder


@pytest.fixture
def page(stored: Path) -> AppTest:
    opened = AppTest.from_file(MAIN, default_timeout=60)
    opened.switch_page("views/benchmark.py")
    return opened


def sentences(page: AppTest) -> str:
    return " ".join(box.value for box in (*page.info, *page.warning, *page.error))


def captions(page: AppTest) -> str:
    return " ".join(box.value for box in page.caption)


def table(page: AppTest) -> dict[str, Any]:
    """What the browser draws."""
    for found in page.get("bidi_component"):
        if found.proto.component_name.endswith("matrix"):
            return json.loads(found.proto.json)
    raise AssertionError("no table is drawn")


def texts(page: AppTest) -> list[list[str]]:
    return [[cell["text"] if cell else "" for cell in line] for line in table(page)["cells"]]


def test_the_page_opens_on_the_store_with_means_over_seeds(page: AppTest) -> None:
    page.run()
    assert not page.exception
    assert not page.warning
    assert not page.error
    drawn = table(page)
    assert [row["title"] for row in drawn["rows"]] == ["baseline", "tuned"]
    assert [column["title"] for column in drawn["columns"]] == ["shapes-near", "shapes-far", "mean of 2 sets"]
    assert texts(page) == [["60.0", "70.0", "65.0"], ["81.0", "92.0", "86.5"]]
    assert drawn["cells"][1][0]["spread"] == "± 1.4"
    assert drawn["cells"][1][0]["mark"] == "best"
    assert "Mean ± standard deviation (n − 1) over 1 to 2 seeds" in captions(page)
    assert "77 steps of 8 images" in captions(page)


def test_the_answers_say_what_is_best_and_by_how_much(page: AppTest) -> None:
    answers = table(page.run())["answers"]
    assert (answers[0]["value"], answers[0]["name"]) == ("86.5 ± 2.1", "tuned with energy")
    assert (answers[1]["value"], answers[1]["name"][:17]) == ("21.00", "baseline with msp")
    assert "clear lead" in answers[1]["words"]
    assert answers[-1]["value"] == "2 of 2"


def test_metric_and_convention_are_switched_and_told(page: AppTest) -> None:
    page.query_params.update({"metric": "fpr"})
    page.run()
    first = texts(page)
    assert "FPR95 (OOD positive, first)" in captions(page)
    page.segmented_control(key="found").set_value("id").run()
    assert not page.exception
    assert "FPR95 (ID positive, first)" in captions(page)
    assert texts(page) != first
    assert texts(page)[0][0] == "20.0"


def test_a_metric_that_is_not_stored_is_told(page: AppTest) -> None:
    page.query_params["metric"] = "aupr"
    page.run()
    assert not page.exception
    assert "hold no AUPR. Run an evaluation below" in sentences(page)


def test_rows_and_columns_are_chosen_and_never_the_same(page: AppTest) -> None:
    page.run()
    page.segmented_control(key="rows").set_value("test").run()
    assert not page.exception
    assert [row["title"] for row in table(page)["rows"]][:2] == ["shapes-near", "shapes-far"]
    assert page.segmented_control(key="columns").value in ("network", "scorer")
    page.query_params.update({"rows": "scorer", "columns": "scorer"})
    other = AppTest.from_file(MAIN, default_timeout=60)
    other.switch_page("views/benchmark.py")
    other.query_params.update({"rows": "scorer", "columns": "scorer"})
    other.run()
    assert not other.exception
    assert other.segmented_control(key="columns").value != "scorer"


def test_differences_to_the_baseline(page: AppTest) -> None:
    page.query_params["minus"] = "baseline"
    page.run()
    assert texts(page) == [["60.0", "70.0", "65.0"], ["+21.0", "+22.0", "+21.5"]]
    assert table(page)["diverging"] is True
    assert "difference to baseline" in captions(page)


def test_a_link_opens_a_cell_and_one_without_scores_says_so(page: AppTest) -> None:
    page.query_params["cell"] = "tuned|energy|shapes-far"
    page.run()
    assert not page.exception
    assert any(heading.value == "tuned with energy on shapes\\-far" or "tuned with energy on" in heading.value
               for heading in page.subheader)  # fmt: skip
    assert table(page)["selected"] == "tuned|energy|shapes-far"
    assert "not on this server: no evaluation of these weights" in sentences(page)


def test_the_page_opens_on_the_best_cell_whose_curves_are_here(page: AppTest, stored: Path) -> None:
    weights = read_card(resources.folders()["shapes-resnet20w4"]).sha256[MODEL]
    rows = [
        row("shipped", 3, "energy", test, 0.75, checkpoint=weights, setting="pets")
        for test in ("shapes-near", "shapes-far")
    ]
    Store(stored).write("shipped-3", rows)
    page.run()
    assert not page.exception
    assert table(page)["answers"][0]["name"] == "tuned with energy"
    assert table(page)["selected"] == "shipped|energy|mean"
    assert len(page.get("plotly_chart")) == 1
    page.button(key="show-curves").click().run()
    assert page.query_params["cell"] == "shipped|energy|mean"
    assert len(page.get("plotly_chart")) == 4
    assert "not on this server" not in sentences(page)


def test_a_cell_takes_every_seed_of_every_set_home(page: AppTest) -> None:
    page.query_params["cell"] = "tuned|energy|mean"
    page.run()
    kept = [json.loads(found.proto.json) for found in page.get("bidi_component")
            if found.proto.component_name.endswith("saves")]  # fmt: skip
    (text,) = (one["table"] for one in kept if one["name"] == "on-every-set")
    lines = [line for line in csv.DictReader(text.splitlines()) if line["part"] == "seed"]
    assert [(line["test_set"], line["seed"], float(line["percent"])) for line in lines] == [
        ("shapes-near", "1", pytest.approx(80)),
        ("shapes-near", "2", pytest.approx(82)),
        ("shapes-far", "1", pytest.approx(90)),
        ("shapes-far", "2", pytest.approx(94)),
    ]


@pytest.mark.parametrize("nonsense", ["a|b", "tuned|energy|c", "|" * 50])
def test_nonsense_for_a_cell_opens_the_best_one(page: AppTest, nonsense: str) -> None:
    page.query_params["cell"] = nonsense
    page.run()
    assert not page.exception
    assert table(page)["selected"] == "tuned|energy|mean"


@pytest.mark.parametrize("key", ["metric", "found", "rows", "columns", "minus", "score"])
def test_nonsense_in_the_link_counts_as_absent(page: AppTest, key: str) -> None:
    page.query_params[key] = "<b>no</b>"
    page.run()
    assert not page.exception
    assert texts(page)[1][2] == "86.5"


def test_a_link_to_results_that_are_not_here(page: AppTest) -> None:
    page.query_params["results"] = "gone"
    page.run()
    assert "'gone', which are not on this server. Showing 'pets' instead" in sentences(page)
    assert texts(page)[1][2] == "86.5"


def test_two_conventions_are_two_results(page: AppTest, stored: Path) -> None:
    Store(stored).write("z", [row("tuned", 1, "energy", "shapes-near", 0.1, rule="nearest")])
    page.run()
    assert page.selectbox(key="results").options[:2] == ["pets", "pets (nearest)"]
    assert texts(page)[1][0] == "81.0"


def test_a_damaged_file_is_one_sentence_and_the_rest_is_shown(page: AppTest, stored: Path) -> None:
    other = stored.parent / "broken"
    other.mkdir()
    (other / "cell.parquet").write_bytes(b"no table")
    page.run()
    assert not page.exception
    assert "cannot be read" in sentences(page)
    assert texts(page)[1][2] == "86.5"


def test_without_any_result_it_says_what_to_do(page: AppTest, stored: Path) -> None:
    shutil.rmtree(stored.parent)
    page.run()
    assert not page.exception
    # the shipped cards are there even without a store
    assert page.selectbox(key="results").value.startswith("cards-")


def test_without_pyarrow_the_cards_are_shown(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    from oodcore.errors import OODError
    from oodcore.jobs import store

    def missing() -> None:
        raise OODError("Result tables need pyarrow, which is not installed. pip install pyarrow")

    monkeypatch.setattr(store, "_arrow", missing)
    page.run()
    assert not page.exception
    assert "need pyarrow" in sentences(page)
    assert page.selectbox(key="results").value.startswith("cards-")


def test_the_link_says_whose_curves_are_drawn(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell, "seeds", lambda board, results: [Seed(each, (), each.network) for each in results])

    def behind(board: Board, seed: Seed, scorer: str) -> Behind:
        name = f"{seed.result.seed} {seed.result.test}"
        return Behind(torch.zeros(3), torch.ones(4), f"Of {name}", True, (name, scorer))

    monkeypatch.setattr(cell, "behind", behind)
    page.query_params.update({"cell": "tuned|energy|mean", "curves-seed": "2", "curves-against": "shapes-far"})
    page.run()
    assert not page.exception
    assert any("Of 2 shapes-far" in box.value for box in page.markdown)
    page.segmented_control(key="curves-seed").set_value("1").run()
    assert any("Of 1 shapes-far" in box.value for box in page.markdown)
    assert "curves-seed" not in page.query_params  # the first is the usual one
    page.selectbox(key="curves-against").set_value("shapes-near").run()
    assert any("Of 1 shapes-near" in box.value for box in page.markdown)
    page.segmented_control(key="curves-seed").set_value("2").run()
    assert page.query_params["curves-seed"] == "2"


def test_the_curves_of_a_cell_can_be_read_by_another_rule(page: AppTest) -> None:
    def read(opened: AppTest) -> tuple[str, str]:
        assert not opened.exception
        roc = next(chart.proto for chart in opened.get("plotly_chart") if "ROC curve" in str(chart.proto))
        fpr = re.search(r"FPR ([\d.]+) %", str(roc))
        assert fpr is not None
        return fpr[1], next(box.value for box in opened.markdown if "Precision and recall" in box.value)

    known = torch.tensor([0.2] * 25 + [0.05] * 50 + [0.0] * 25)
    outliers = torch.tensor([0.3] * 34 + [0.15] * 60 + [0.05] * 6)  # 94 % of them are caught at 0.15
    page.query_params.update({"results": "cards-shapes", "cell": "shapes-resnet20w4|energy|shapes-near"})
    found = Behind(known, outliers, "A hundred each", False, ("a rule",))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cell, "behind", lambda board, seed, scorer: found)
        assert [float(re.findall(r"[\d.]+", told)[-1]) for told in read(page.run())] == [75, 84.8]
        page.segmented_control(key="curves-rule").set_value("nearest").run()
        page.segmented_control(key="curves-area").set_value("trapezoid").run()
        assert (page.query_params["curves-rule"], page.query_params["curves-area"]) == ("nearest", "trapezoid")
        assert [float(re.findall(r"[\d.]+", told)[-1]) for told in read(page)] == [25, 79.1]


def test_a_link_may_ask_for_all_scores(page: AppTest, stored: Path) -> None:
    rows = [row("tuned", 1, f"knn{at:02}", test, 0.5) for at in range(20) for test in ("shapes-near", "shapes-far")]
    Store(stored).write("many", rows)
    page.query_params.update({"rows": "scorer", "columns": "test"})
    assert len(table(page.run())["rows"]) == 12
    other = AppTest.from_file(MAIN, default_timeout=60)
    other.switch_page("views/benchmark.py")
    other.query_params.update({"rows": "scorer", "columns": "test", "all-scores": "true"})
    assert len(table(other.run())["rows"]) == 22


def test_curves_of_a_shipped_checkpoint_say_their_rows_and_both_numbers(page: AppTest) -> None:
    page.query_params.update({"results": "cards-shapes", "cell": "shapes-resnet20w4|vim|shapes-near", "score": "vim"})
    page.run()
    assert not page.exception
    text = next(box.value for box in page.markdown if "of exactly these" in box.value)
    here, stored = (float(number) for number in re.findall(r"\*\*(\d+\.\d+) %\*\*", text))
    assert "at most 1,000" in text.replace("\\", "")
    assert "1,000 ID and 1,000 OOD scores" in text
    assert "A part of the images" in text
    assert 0 < abs(here - stored) < 5
    assert len(page.get("plotly_chart")) == 4


def test_the_energy_of_every_image_gives_the_stored_number(page: AppTest) -> None:
    page.query_params.update({"results": "cards-shapes", "cell": "shapes-resnet20w4|energy|shapes-near"})
    page.run()
    text = next(box.value for box in page.markdown if "of exactly these" in box.value)
    here, stored = (float(number) for number in re.findall(r"\*\*(\d+\.\d+) %\*\*", text))
    assert here == pytest.approx(stored, abs=0.011)
    assert "A part of the images" not in text


def test_an_evaluation_is_ordered_and_its_results_are_shown(page: AppTest) -> None:
    started = cast(Idle, jobs.queue().backend).started
    page.run()
    page.multiselect(key="measure-scorers").set_value(["energy", "msp"])
    page.segmented_control(key="measure-limit").set_value("500").run()
    next(button for button in page.button if button.label == "Measure").click().run()
    assert not page.exception
    (folder,) = started
    order = json.loads((folder / "job.json").read_text())["order"]
    assert order["ood_sets"] == ["shapes-near", "shapes-far"]
    assert (order["scorers"], order["limit"], order["rule"]) == (["energy", "msp"], 500, "first")
    run = jobs.queue().job(folder.name).run
    list(work({**order, "limit": 30}, run, root=None))
    run.tell(Status("finished", 3, 3))
    page.run()
    next(button for button in page.button if button.label == "Show its results").click().run()
    assert not page.exception
    assert page.selectbox(key="results").value == folder.name
    assert "shapes (30 images)" in captions(page).replace("\\", "")
    page.button(key="show-curves").click().run()
    text = next(box.value for box in page.markdown if "of exactly these" in box.value)
    assert "30 ID and 30 OOD scores" in text
    here, stored = (float(number) for number in re.findall(r"\*\*(\d+\.\d+) %\*\*", text))
    assert here == pytest.approx(stored, abs=0.02)
    page.segmented_control(key="metric").set_value("aupr").run()
    assert "AUPR (OOD positive, step)" in captions(page)
    # the same question is answered at once
    page.query_params.pop("results", None)
    next(button for button in page.button if button.label == "Measure").click().run()
    assert len(started) == 1
    assert page.selectbox(key="results").value == folder.name


def test_somebody_elses_evaluation_is_seen_by_its_link_alone(page: AppTest) -> None:
    job = jobs.queue().submit("evaluate", {"checkpoints": []}, owner="somebody else", title="Theirs")
    page.run()
    assert not any("Theirs" in label for label in page.selectbox(key="results").options)
    jobs.queue().cancel(job.id, owner="somebody else")


def test_the_open_cell_stays_with_its_network_and_set_under_another_score(page: AppTest) -> None:
    page.query_params.update({"cell": "baseline|energy|shapes-far", "score": "msp"})
    page.run()
    assert table(page)["selected"] == "baseline|msp|shapes-far"


def test_somebody_elses_answer_is_shown_at_once_to_who_asks_the_same(page: AppTest) -> None:
    page.run()
    page.multiselect(key="measure-scorers").set_value(["energy"]).run()
    next(button for button in page.button if button.label == "Measure").click().run()
    (job,) = jobs.queue().jobs()
    list(work({**job.order, "limit": 20}, job.run, root=None))
    job.run.tell(Status("finished", 3, 3))
    other = AppTest.from_file(MAIN, default_timeout=60)
    other.switch_page("views/benchmark.py")
    other.run()
    other.multiselect(key="measure-scorers").set_value(["energy"]).run()
    next(button for button in other.button if button.label == "Measure").click().run()
    assert not other.exception
    assert len(jobs.queue().jobs()) == 1
    assert other.selectbox(key="results").value == job.id
