"""Results → table, Markdown, CSV, JSON; every row with its convention, its sample sizes and its doubts.

Values that were taken under different conventions never share a column.
"""

from oodcore.report.mean import Mean
from oodcore.report.report import Report
from oodcore.report.row import Convention, Row, measure_row

__all__ = ["Convention", "Mean", "Report", "Row", "measure_row"]
