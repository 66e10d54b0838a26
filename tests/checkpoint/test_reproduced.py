"""What a card says about real images is what the tables say, and comes out again, where the images are."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from oodcore.checkpoint import folder_of, load, read_card, shipped
from oodcore.checkpoint.layout import MODEL
from oodcore.cli import ood
from oodcore.data import drop_excluded, open_set
from oodcore.evaluate import evaluate
from oodcore.jobs.store import Store
from oodcore.panel import Panel
from oodcore.report import Report

SHIPPED = [name for name in shipped() if name.startswith("cifar10")]
STORE = Store(Path(__file__).parents[2] / "docs" / "results" / "cifar10")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "scorer"), [("cifar10-resnet20", "energy"), ("cifar10-resnet20-semantic", "semantic_energy")]
)
def test_a_row_of_the_card_is_reproduced(name: str, scorer: str, data_root: Path) -> None:
    model = load(name)
    panel = Panel.load(folder_of(name) / "panel.safetensors").subset([scorer])
    outside = drop_excluded(open_set("ood-dtd10", "test", data_root), "tin-aux50", data_root)
    found = evaluate(model, panel, open_set("cifar10-jpeg", "test", data_root), [outside])
    told = {
        entry["name"]: entry["value"]
        for entry in model.card.metrics
        if (entry.get("scorer"), entry.get("ood_set")) in [(None, None), (scorer, "ood-dtd10/test")]
    }
    (row,) = found.report.rows
    assert found.closed_set is not None
    assert found.closed_set.accuracy == pytest.approx(told["accuracy"], abs=1e-3)
    for metric in ("auroc", "fpr95_id_positive", "fpr95_ood_positive"):
        assert row.values[metric] == pytest.approx(told[metric], abs=1e-3)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_card_says_what_the_rows_of_its_weights_say(name: str) -> None:
    card = read_card(folder_of(name))
    rows = [row for row in STORE.read() if row["checkpoint"] == card.sha256[MODEL]]
    told = {
        (entry["scorer"], entry["ood_set"].removesuffix("/test"), entry["name"]): entry["value"]
        for entry in card.metrics
        if "ood_set" in entry
    }
    assert {row["scorer"] for row in rows} == {scorer for scorer, _, _ in told}
    assert len({row["ood_set"] for row in rows}) == 7
    for row in rows:
        for metric in ("auroc", "fpr95_id_positive", "fpr95_ood_positive"):
            assert told[row["scorer"], row["ood_set"], metric] == pytest.approx(row[metric], abs=1e-9)


@pytest.mark.slow
def test_the_command_line_gives_the_row_again(data_root: Path, tmp_path: Path) -> None:
    name, table = "cifar10-resnet20-energy", tmp_path / "again.json"
    words = [
        "evaluate",
        name,
        "--id",
        "cifar10-jpeg",
        "--ood",
        "ood-dtd10",
        "--scorers",
        "energy",
        "--json",
        str(table),
    ]
    made = CliRunner().invoke(ood, [*words, "--data", str(data_root)])
    assert made.exit_code == 0, made.output
    (found,) = Report.load(table).rows
    weights = read_card(folder_of(name)).sha256[MODEL]
    (row,) = [
        row
        for row in STORE.read()
        if (row["checkpoint"], row["scorer"], row["ood_set"]) == (weights, "energy", "ood-dtd10")
    ]
    for metric in ("auroc", "fpr95_id_positive", "fpr95_ood_positive"):
        assert found.values[metric] == pytest.approx(row[metric], abs=1e-3)
