import csv
import io
from typing import Any

import pytest

from oodcore.errors import DataError
from oodcore.report import Convention
from oodcore.report.board import Board, Result
from oodcore.report.matrix import Matrix, best, lead, matrix
from oodcore.report.papers import budget, caption, to_csv, to_html, to_latex

TABLE = {
    ("base", 0): {"energy": (0.50, 0.60), "msp": (0.55, 0.52)},
    ("a_1", 1): {"energy": (0.80, 0.90), "msp": (0.60, 0.70)},
    ("a_1", 2): {"energy": (0.84, 0.94), "msp": (0.62, 0.74)},
    ("b", 1): {"energy": (0.81, 0.70), "msp": (0.90, 0.60)},
    ("b", 2): {"energy": (0.85, 0.72), "msp": (0.92, 0.62)},
}


def board(**changes: Any) -> Board:
    results = [
        Result(network, seed, f"{network}{seed}", scorer, test, 50, {"auroc": value, "fpr95_id_positive": 1 - value})
        for (network, seed), scores in TABLE.items()
        for scorer, pair in scores.items()
        for test, value in zip(("near", "far"), pair, strict=True)
    ]
    about: dict[str, Any] = {"baseline": "base", "budgets": {"a_1": "10 steps", "b": "10 steps", "base": "99 steps"}}
    title = changes.pop("title", "Pets & co")
    return Board("pets", title, "From a test.", "pets", 100, Convention(), tuple(results), **(about | changes))


def table(
    metric: str = "auroc", down: str = "network", across: str = "test", fixed: str = "energy", **more: Any
) -> Matrix:
    return matrix(board(), metric, down, across, fixed, **more)  # type: ignore[arg-type]


def test_networks_down_and_test_sets_across_with_their_mean_last() -> None:
    shown = table()
    assert shown.rows == ("base", "a_1", "b")
    assert shown.columns == ("near", "far", "mean")
    assert shown.values["a_1", "far"].mean == pytest.approx(0.92)
    assert shown.values["b", "mean"].mean == pytest.approx((0.81 + 0.70 + 0.85 + 0.72) / 4)


def test_the_best_of_each_column_is_marked_and_what_the_spread_does_not_tell_from_it() -> None:
    shown = table()
    assert shown.best == {("b", "near"), ("a_1", "far"), ("a_1", "mean")}
    assert ("a_1", "near") in shown.level  # 82 against 83, with a spread of 2.8 each
    assert ("b", "far") not in shown.level  # 71 against 92


def test_a_single_row_has_no_best() -> None:
    lone = Result("n", 1, "", "energy", "near", 5, {"auroc": 0.5})
    shown = matrix(Board("x", "X", "", "p", 5, Convention(), (lone,)), "auroc", "network", "test", "energy")
    assert shown.best == shown.level == frozenset()
    assert shown.shade("n", "near") == 1


def test_where_less_is_better_the_smallest_is_best() -> None:
    shown = table("fpr95_id_positive")
    assert shown.best == {("b", "near"), ("a_1", "far"), ("a_1", "mean")}
    assert shown.shade("a_1", "far") == 1
    assert shown.shade("base", "near") == 0


def test_where_rows_are_test_sets_the_best_of_each_row_is_marked() -> None:
    shown = table(down="test", across="network")
    assert shown.best == {("near", "b"), ("far", "a_1"), ("mean", "a_1")}


def test_scorers_stand_best_first() -> None:
    shown = table(down="scorer", across="network", fixed="near")
    means = [sum(shown.values[row, column].mean for column in shown.columns) for row in shown.rows]
    assert means == sorted(means, reverse=True)
    worst_first = table("fpr95_id_positive", down="scorer", across="network", fixed="near")
    assert worst_first.rows == shown.rows


def test_rows_without_a_value_are_left_out() -> None:
    lone = Result("b", 1, "b1", "knn", "near", 50, {"auroc": 0.4})
    shown = matrix(board(), "auroc", "scorer", "test", "base")
    assert shown.rows == ("energy", "msp") or shown.rows == ("msp", "energy")
    whole = Board("x", "X", "", "pets", 9, Convention(), (*board().results, lone))
    assert "knn" not in matrix(whole, "auroc", "scorer", "test", "base").rows
    assert "knn" in matrix(whole, "auroc", "scorer", "test", "b").rows


def test_differences_to_a_network_are_with_the_same_score_on_the_same_images() -> None:
    shown = table(minus="base")
    change = shown.change("a_1", "near")
    assert change is not None
    assert change.mean == pytest.approx(0.32)
    assert change.spread == pytest.approx(shown.values["a_1", "near"].spread)
    assert shown.change("base", "near") is None
    assert shown.shade("a_1", "near") == pytest.approx(0.32 / 0.33)
    by_fpr = table("fpr95_id_positive", minus="base")
    assert by_fpr.shade("a_1", "near") > 0  # less of what is bad
    by_set = table(down="scorer", across="test", fixed="a_1", minus="base")
    worse = by_set.change("msp", "near")
    assert worse is not None
    assert worse.mean == pytest.approx(0.06)


def test_the_worst_tenth_of_many_cells_shares_the_pale_end() -> None:
    results = tuple(
        Result(f"n{i}", 1, str(i), "energy", "near", 5, {"auroc": 0.1 if i == 0 else 0.7 + i / 100}) for i in range(30)
    )
    shown = matrix(Board("x", "X", "", "p", 5, Convention(), results), "auroc", "network", "test", "energy")
    assert shown.span == (pytest.approx(0.73), pytest.approx(0.99))
    assert shown.shade("n0", "near") == 0


def test_rows_and_columns_must_differ() -> None:
    with pytest.raises(DataError, match="cannot both be"):
        table(across="network")


def test_the_best_network_and_score_and_by_how_much() -> None:
    found = best(board(), "auroc", "mean")
    assert [each.place.network for each in found] == ["a_1", "b", "base"]
    assert found[0].place.scorer == "energy"
    by_fpr = best(board(), "fpr95_id_positive", "mean")
    assert [each.place for each in by_fpr] == [each.place for each in found]
    gap = lead(found[0], found[1], board())
    assert gap.mean == pytest.approx(0.87 - 0.77)
    assert lead(by_fpr[0], by_fpr[1], board()).mean == pytest.approx(gap.mean)
    assert [each.place.scorer for each in best(board(), "auroc", "near", "msp")] == ["msp"] * 3


def test_csv_has_a_line_per_cell_and_its_column_names_the_convention() -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(table("fpr95_id_positive", minus="base")))))
    assert len(lines) == 9
    one = next(line for line in lines if (line["network"], line["ood_sets"]) == ("a_1", "near"))
    assert float(one["fpr95_id_positive_first"]) == pytest.approx(0.18)
    assert one["each_seed"] == "1:0.200000 2:0.160000"
    assert float(one["minus_base"]) == pytest.approx(-0.32)
    assert one["n_ood"] == "50"


def test_csv_names_that_visitors_type_never_become_formulas() -> None:
    cunning = board(title='=HYPERLINK("x")', budgets={"a_1": "@SUM(1)", "b": "-2+3"})
    lines = list(csv.DictReader(io.StringIO(to_csv(matrix(cunning, "auroc", "network", "test", "energy", "base")))))
    assert {line["setting"] for line in lines} == {'\'=HYPERLINK("x")'}
    assert {line["budget"] for line in lines if line["network"] != "base"} == {"'@SUM(1)", "'-2+3"}
    assert {float(line["minus_base"]) < 0 for line in lines if line["minus_base"]} == {False}


def test_latex_is_booktabs_with_convention_and_budget_in_the_caption_and_the_best_in_bold() -> None:
    text = to_latex(table("fpr95_id_positive"))
    for part in (r"\toprule", r"\midrule", r"\bottomrule", r"Pets \& co", "FPR95 (ID positive, first)", "10 steps"):
        assert part in text
    assert r"a\_1 & 18.00 $\pm$ 2.83 & \textbf{8.00 $\pm$ 2.83} &" in text
    assert text.count("{") == text.count("}")
    assert "_" not in text.replace(r"\_", "")


def test_latex_of_differences_shows_the_values_of_the_network_compared_with() -> None:
    text = to_latex(table(minus="base"))
    assert r"base & 50.00 & 60.00 &" in text
    assert r"+32.00 $\pm$ 2.83" in text


def test_html_stands_alone_and_shows_names_as_text() -> None:
    shown = matrix(board(title="<script>alert(1)</script>"), "auroc", "network", "test", "energy")
    page = to_html(shown)
    assert "<script" not in page
    assert "http" not in page
    assert "● 92.00" in page
    assert "○ 82.00" in page
    assert "Budget: base: 99 steps, 1 seed; a_1, b: 10 steps, 2 seeds." in page


def test_captions_say_what_is_fixed_on_which_images_and_over_how_many_seeds() -> None:
    words = caption(table())
    assert "In-distribution: pets (100 images)." in words
    assert "near (50), far (50)" in words
    assert "over 1 to 2 seeds" in words
    assert "score: energy" in words
    assert "OOD: mean of 2 sets (near (50), far (50))" in caption(table(down="scorer", across="network", fixed="mean"))
    assert "Difference" not in words
    assert "difference to base" in caption(table(minus="base"))
    assert budget(table(down="scorer", across="test", fixed="b")) == "Budget: b: 10 steps, 2 seeds."


def test_captions_of_aupr_tell_the_share_of_ood_images() -> None:
    results = tuple(
        Result("n", 1, "", "energy", test, n, {"aupr_ood_positive": 0.5}) for test, n in (("a", 25), ("b", 300))
    )
    shown = matrix(
        Board("x", "X", "", "p", 100, Convention(), results), "aupr_ood_positive", "network", "test", "energy"
    )
    assert "20.0% to 75.0%" in caption(shown)
    assert "One seed each" in caption(shown)
