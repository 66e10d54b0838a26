import csv
import io
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from oodcore import metrics
from oodcore.errors import DataError, ScoreError
from oodcore.report import Convention, Report, Row, measure_row

RNG = np.random.default_rng(0)
ID = RNG.normal(size=1500)
SVHN, DTD = RNG.normal(1, 1, 1500), RNG.normal(2, 1, 300)
NEAREST = Convention(rule="nearest", interpolation="trapezoid")


def measured(ood_set: str = "svhn", scorer: str = "energy", how: Convention | None = None, draws: int = 5) -> Row:
    scores = {"svhn": SVHN, "dtd": DTD}[ood_set]
    return measure_row("wrn|40-2", "cifar10", ood_set, scorer, ID, scores, convention=how, draws=draws)


@pytest.fixture(scope="module")
def report() -> Report:
    return Report([measured(), measured("dtd"), measured(scorer="knn"), measured("dtd", how=NEAREST)])


def shown(report: Report, width: int = 250, **options: bool) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(report.table(**options))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_a_row_holds_the_values_of_the_metrics_and_their_convention() -> None:
    row = measured(how=NEAREST)
    expected = metrics.ood_metrics(ID, SVHN, rule="nearest", interpolation="trapezoid")
    assert row.values == {name: expected[name] for name in row.values}
    how = asdict(row.convention)
    assert {name: expected[name] for name in how} == how
    assert {*row.values, *how, "n_id", "n_ood", "ood_share"} == set(expected)
    assert (row.n_id, row.n_ood, row.ood_share) == (expected["n_id"], expected["n_ood"], expected["ood_share"])


def test_every_value_has_its_interval_and_without_draws_auroc_alone() -> None:
    assert set(measured().intervals) == set(measured().values)
    assert set(measured(draws=0).intervals) == {"auroc"}
    assert measured().intervals["auroc"] == metrics.auroc_interval(ID, SVHN)


def test_intervals_follow_the_row_s_convention() -> None:
    how = Convention(recall=0.8, rule="nearest", interpolation="trapezoid")
    row = measure_row("c", "i", "o", "s", ID, SVHN, convention=how, draws=6)
    assert row.intervals == metrics.ood_intervals(
        ID, SVHN, recall=0.8, rule="nearest", interpolation="trapezoid", draws=6
    )


def test_checks_of_the_scores_stand_beside_what_was_known() -> None:
    few = measured("dtd").findings
    assert [finding.code for finding in few] == ["OOD004"]
    joined = measure_row("c", "i", "o", "s", ID, DTD, draws=0, findings=few)
    assert [finding.code for finding in joined.findings] == ["OOD004", "OOD004"]


def test_json_comes_back_as_it_went(report: Report, tmp_path: Path) -> None:
    report.write(tmp_path / "new" / "report.json")
    assert Report.load(tmp_path / "new" / "report.json") == report
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["report.json"]


def test_a_report_that_still_has_a_time_for_each_row_is_read(report: Report, tmp_path: Path) -> None:
    content = json.loads(report.json())
    older = {**content, "rows": [{**row, "seconds": None} for row in content["rows"]]}
    (tmp_path / "older.json").write_text(json.dumps(older))
    assert Report.load(tmp_path / "older.json") == report


def test_every_stored_row_names_its_convention(report: Report) -> None:
    for entry in json.loads(report.json())["rows"]:
        assert set(entry["convention"]) == {"score", "recall", "rule", "interpolation", "pooling"}
        assert 0 < entry["ood_share"] < 1
    for line in csv.DictReader(io.StringIO(report.csv())):
        assert line["rule"] in ("first", "nearest")
        assert float(line["ood_share"]) == int(line["n_ood"]) / (int(line["n_id"]) + int(line["n_ood"]))


def test_two_conventions_never_share_a_column(report: Report) -> None:
    lines = list(csv.DictReader(io.StringIO(report.csv())))
    assert float(lines[0]["fpr95_ood_positive_first"]) == metrics.fpr_at_recall(ID, SVHN)
    assert lines[0]["fpr95_ood_positive_nearest"] == ""
    assert lines[3]["fpr95_ood_positive_first"] == lines[3]["aupr_id_positive_step"] == ""
    assert float(lines[3]["aupr_id_positive_trapezoid"]) == metrics.aupr(ID, DTD, "id", "trapezoid")
    for text in (report.markdown(), shown(report, 400)):
        assert "FPR95 (OOD positive, first), %" in text
        assert "FPR95 (OOD positive, nearest), %" in text


def test_another_recall_or_pooling_is_another_column() -> None:
    other = measure_row("c", "i", "o", "s", ID, SVHN, convention=Convention(recall=0.9), draws=0)
    pooled = replace(measured(), convention=Convention(pooling="per image"))
    names = Report([measured(), other, pooled]).csv().splitlines()[0].split(",")
    assert {"fpr95_id_positive_first", "fpr90_id_positive_first", "auroc", "auroc_per_image"} <= set(names)


def test_sets_of_different_ood_share_stand_in_different_tables(report: Report) -> None:
    text = report.markdown()
    assert "### cifar10 (1,500) against svhn (1,500): 50.0% OOD" in text
    assert "### cifar10 (1,500) against dtd (300): 16.7% OOD" in text
    assert "OOD005 (note): AUPR values were taken at OOD shares from 16.7% to 50.0%." in text


def test_means_count_every_set_once_and_say_so(report: Report) -> None:
    (mean,) = report.means()
    assert (mean.scorer, mean.convention) == ("energy", Convention())
    expected = (metrics.auroc(ID, SVHN) + metrics.auroc(ID, DTD)) / 2
    assert mean.values["auroc"] == pytest.approx(expected)
    assert mean.label == "mean of 2 sets, unweighted"
    line = next(line for line in report.markdown().splitlines() if "unweighted" in line)
    assert line == "### cifar10, mean of 2 sets, unweighted (svhn, dtd): 16.7% to 50.0% OOD"


def test_means_over_different_sets_do_not_meet() -> None:
    third = replace(measured(), ood_set="lsun")
    lone = [replace(row, checkpoint="other") for row in (measured(), third)]
    text = Report([measured(), measured("dtd"), *lone]).markdown()
    assert text.count("unweighted") == 2


def test_a_set_measured_twice_counts_once_by_its_later_row() -> None:
    again = replace(measured(), values={"auroc": 0.0})
    (mean,) = Report([measured(), measured("dtd"), again]).means()
    assert len(mean.rows) == 2
    assert mean.values == {"auroc": metrics.auroc(ID, DTD) / 2}


def test_reports_join() -> None:
    assert Report([measured()]) + Report([measured("dtd")]) == Report([measured(), measured("dtd")])


def test_the_terminal_shows_intervals_codes_and_meanings(report: Report) -> None:
    text = shown(report)
    interval = metrics.auroc_interval(ID, SVHN)
    cell = f"{100 * metrics.auroc(ID, SVHN):.1f} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
    assert cell in text
    assert "OOD004" in text
    assert "share of ID flagged when 95% of OOD is caught (first threshold that does)." in text
    assert "share of OOD passed when 95% of ID is kept (first threshold that does)." in text


def test_the_terminal_can_show_means_and_chosen_metrics_only(report: Report) -> None:
    assert "svhn (1,500)" not in shown(report, only_means=True)
    text = report.markdown(["auroc"], only_means=True)
    assert "AUROC" in text
    assert "FPR95" not in text


def test_names_cannot_break_a_table_or_carry_markup() -> None:
    row = replace(measured(), checkpoint="a|b\n[red]c")
    text = Report([row]).markdown()
    assert "| a\\|b [red]c |" in text
    assert "[red]c" in shown(Report([row]))


def test_findings_are_told_once_with_the_results_they_concern() -> None:
    rows = [replace(measured("dtd"), scorer=name) for name in ("a", "b", "c", "d", "e")]
    (note,) = Report(rows).notes()
    assert note.startswith("OOD004 (note): Only 300 outliers")
    assert note.endswith("[a on dtd, b on dtd, c on dtd and 2 more]")


def test_an_empty_report_is_a_report(tmp_path: Path) -> None:
    Report().write(tmp_path / "empty.json")
    assert Report.load(tmp_path / "empty.json") == Report()
    for ending in ("csv", "md"):
        Report().write(tmp_path / f"empty.{ending}")
    shown(Report())


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DataError, match="No space left on device"):
        report.write(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_only_known_endings_are_written(report: Report, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\.json, \.csv, \.md; got 'report\.xlsx'"):
        report.write(tmp_path / "report.xlsx")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="could not be written"):
        report.write(tmp_path / "file" / "report.json")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "no readable report"),
        ("", "not a report"),
        ("[]", "not a report"),
        ('{"rows": []}', "not a report"),
        ('{"format": "ood-explorer report 1", "rows": [{"checkpoint": "a"}]}', "not a report"),
        ('{"format": "ood-explorer report 9", "rows": []}', "this version reads"),
        ('{"format": "ood-explorer report 1", "rows": 3}', "not a report"),
    ],
)
def test_what_is_not_a_report_is_told_in_a_sentence(tmp_path: Path, content: str | None, sentence: str) -> None:
    path = tmp_path / "report.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=sentence):
        Report.load(path)


def test_an_unknown_convention_in_a_file_is_refused(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(report.json().replace('"rule": "first"', '"rule": "best"'))
    with pytest.raises((DataError, ScoreError)):
        Report.load(path)
