"""What a card says about real images comes out again, where the images are."""

from pathlib import Path

import pytest

from oodcore.checkpoint import folder_of, load
from oodcore.data import drop_excluded, open_set
from oodcore.evaluate import evaluate
from oodcore.panel import Panel


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
