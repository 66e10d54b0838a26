import csv
import io

import pytest

from oodcore.report import Report
from oodcore.report.row import Convention, Row
from oodcore.report.sheets import to_lines


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_text_that_a_spreadsheet_would_run_is_made_plain_in_titles_too(start: str) -> None:
    (titles, cells) = csv.reader(io.StringIO(to_lines([[f"{start}A1", "title"], [f"{start}cmd", "a=b"]]), newline=""))
    assert (titles[0][0], cells[0][0]) == ("'", "'")
    assert (titles[1], cells[1]) == ("title", "a=b")


def test_numbers_stay_numbers() -> None:
    assert to_lines([["n"], [-1.5], [None], [3]]) == 'n\n-1.5\n""\n3\n'


def test_a_report_of_a_checkpoint_with_a_cunning_name() -> None:
    row = Row("=HYPERLINK(1)", "id", "ood", "msp", 2, 3, {"auroc": 0.5}, Convention())
    (line,) = csv.DictReader(io.StringIO(Report([row]).csv()))
    assert line["checkpoint"] == "'=HYPERLINK(1)"
    assert float(line["auroc"]) == 0.5
