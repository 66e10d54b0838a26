"""Results of many runs as one table: a Parquet file per cell, in one folder.

`pyarrow.dataset.dataset(folder)` and `pandas.read_parquet(folder)` read it as one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oodcore.atomic import replacing
from oodcore.errors import DataError, OODError

__all__ = ["COLUMNS", "Store"]

TEXT, WHOLE, NUMBER = "string", "int64", "float64"
COLUMNS: Mapping[str, str] = {
    **dict.fromkeys(("setting", "method"), TEXT),
    "seed": WHOLE,
    **dict.fromkeys(("own_score", "checkpoint", "id_set", "ood_set", "scorer"), TEXT),
    **dict.fromkeys(("n_id", "n_ood"), WHOLE),
    **dict.fromkeys(("auroc", "aupr_ood_positive", "aupr_id_positive"), NUMBER),
    **dict.fromkeys(("fpr95_ood_positive", "fpr95_id_positive", "detection_error", "recall"), NUMBER),
    **dict.fromkeys(("rule", "interpolation", "pooling", "score"), TEXT),
    **dict.fromkeys(("accuracy", "accuracy_many", "accuracy_medium", "accuracy_few"), NUMBER),
    **dict.fromkeys(("accuracy_adjusted", "accuracy_adjusted_many"), NUMBER),
    **dict.fromkeys(("accuracy_adjusted_medium", "accuracy_adjusted_few", "ece"), NUMBER),
    **dict.fromkeys(("steps", "batch", "outlier_batch", "images"), WHOLE),
    "seconds": NUMBER,
    "threads": WHOLE,
    **dict.fromkeys(("device", "code", "torch", "key", "experiment", "date"), TEXT),
}
"""Name → type. Metrics are shares from 0 to 1; `recall` to `score` are their convention. `own_score` is the scorer that
a method was made for, `checkpoint` the sha256 of the weights, `key` that of run and evaluation, `experiment` the recipe
as JSON, `images` what training saw."""


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of results.

    Args:
        folder: Made when the first results come.
    """

    folder: Path

    def write(self, name: str, rows: Sequence[Mapping[str, Any]]) -> Path:
        """The rows of one cell, in place of earlier ones; whole or not at all.

        Raises:
            OODError: pyarrow is not installed.
            DataError: a row has other columns than `COLUMNS`, or a value of another type.
        """
        arrow, parquet = _arrow()
        for row in rows:
            if strange := sorted(set(row) ^ set(COLUMNS)):
                raise DataError(f"A row of '{name}' does not fit the table: {', '.join(strange)}.")
        schema = arrow.schema([(column, getattr(arrow, kind)()) for column, kind in COLUMNS.items()])
        try:
            table = arrow.Table.from_pylist([dict(row) for row in rows], schema=schema)
        except (arrow.ArrowInvalid, arrow.ArrowTypeError) as error:
            raise DataError(f"A row of '{name}' does not fit the table: {error}.") from None
        path = self.folder / f"{name}.parquet"
        with replacing(path) as part:
            parquet.write_table(table, part)
        return path

    def read(self, name: str = "*") -> list[dict[str, Any]]:
        """All rows, cell by cell in the order of their names; none where there is no folder.

        Args:
            name: Of one cell; all by default.

        Raises:
            OODError: pyarrow is not installed.
            DataError: a file is damaged.
        """
        arrow, parquet = _arrow()
        rows: list[dict[str, Any]] = []
        for path in sorted(self.folder.glob(f"{name}.parquet")):
            if path.name.startswith("."):  # being written
                continue
            try:
                rows += parquet.read_table(path).to_pylist()
            except (arrow.ArrowInvalid, OSError) as error:
                raise DataError(f"'{path}' cannot be read: {error}. Remove it; the grid writes it again.") from None
        return rows


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise OODError("Result tables need pyarrow, which is not installed. pip install pyarrow") from None
    return pa, pq
