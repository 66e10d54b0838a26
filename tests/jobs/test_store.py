from pathlib import Path
from typing import Any

import pyarrow.dataset
import pytest

from oodcore.errors import DataError
from oodcore.jobs.store import COLUMNS, Store


def row(**changes: Any) -> dict[str, Any]:
    blank: dict[str, Any] = {"string": "a", "int64": 1, "float64": 0.1}
    return {name: blank[kind] for name, kind in COLUMNS.items()} | changes


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    store, rows = Store(tmp_path / "new"), [row(auroc=1 / 3, seed=7), row(accuracy_few=None, scorer="knn")]
    store.write("one", rows)
    assert store.read() == rows


def test_all_cells_are_one_table_for_other_readers(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write("one", [row(seed=1)])
    store.write("two", [row(seed=2, accuracy_few=None), row(seed=3)])
    table = pyarrow.dataset.dataset(tmp_path).to_table()
    assert table.column("seed").to_pylist() == [1, 2, 3]
    assert table.schema.names == list(COLUMNS)


def test_a_cell_that_is_written_again_replaces_its_rows(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write("one", [row(seed=1), row(seed=2)])
    store.write("one", [row(seed=3)])
    assert [each["seed"] for each in store.read()] == [3]
    assert [path.name for path in tmp_path.iterdir()] == ["one.parquet"]


def test_a_row_with_other_columns_is_refused_and_earlier_rows_stay(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write("one", [row(seed=1)])
    with pytest.raises(DataError, match="aupr"):
        store.write("one", [row(aupr=0.5)])
    with pytest.raises(DataError, match="does not fit"):
        store.write("one", [row(seed="first")])
    assert [each["seed"] for each in store.read()] == [1]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataError, match=r"bad\.parquet"):
        Store(tmp_path).read()


def test_a_folder_that_is_not_there_has_no_rows(tmp_path: Path) -> None:
    assert Store(tmp_path / "none").read() == []
