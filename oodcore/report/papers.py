"""A matrix as a file that is taken home: CSV, LaTeX, HTML. Each says its convention, its images and its budget."""

from collections.abc import Iterable, Sequence
from html import escape

from oodcore.report import columns
from oodcore.report.board import OWN, Difference, Value, falls
from oodcore.report.matrix import Matrix, titled
from oodcore.report.sheets import to_lines

__all__ = ["budget", "caption", "cell_text", "change_text", "to_csv", "to_html", "to_latex"]

NAMES = {"network": "Network", "scorer": "Score", "test": "OOD test set"}
SPECIAL = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "±": r"$\pm$",
        "−": r"$-$",
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
        "–": "--",
    }
)


def caption(table: Matrix) -> str:
    """What the numbers are, on which images, over how many seeds."""
    board = table.board
    what = f"network: {table.fixed}"
    if table.third == "scorer":
        what = f"score: {titled(board, 'scorer', table.fixed)}"
    elif table.third == "test":
        what = f"OOD: {titled(board, 'test', table.fixed)} ({', '.join(_sized(table, table.fixed))})"
    difference = f"difference to {table.minus}, percentage points; " if table.minus else "per cent; "
    meaning = columns.meaning(table.metric, board.convention).partition(": ")[2]
    arrow = "lower is better" if falls(table.metric) else "higher is better"
    sentences = [
        f"{board.title}. {columns.label(table.metric, board.convention)}, {difference}{arrow}; {what}.",
        meaning[:1].upper() + meaning[1:],
        f"In-distribution: {board.id_set} ({board.n_id:,} images).",
        seeds_in_words(table),
    ]
    if table.third != "test":
        sentences.append(f"OOD images: {', '.join(_sized(table, *board.tests))}.")
    if table.metric.startswith("aupr"):
        sentences.append(f"AUPR depends on the share of OOD images, here {_shares(table)}.")
    return " ".join(sentences)


def seeds_in_words(table: Matrix) -> str:
    """How many trainings stand behind the means."""
    counts = sorted({len(value.seeds) for value in table.values.values()})
    if counts == [1] or not counts:
        return "One seed each, so no spread is known."
    several = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"Mean ± standard deviation (n − 1) over {several} seeds."


def budget(table: Matrix) -> str:
    """What the training of each network in the table took, and with how many seeds."""
    board, found = table.board, dict[str, list[str]]()
    shown = {table.place(*cell).network for cell in table.values} | ({table.minus} if table.minus else set())
    for network in board.networks:
        if network in shown:
            seeds = board.seeds(network)
            text = f"{board.budgets.get(network, 'budget unknown')}, {seeds} seed{'s' if seeds != 1 else ''}"
            found.setdefault(text, []).append(network)
    return "Budget: " + "; ".join(f"{', '.join(names)}: {text}" for text, names in found.items()) + "."


def cell_text(value: Value | None, digits: int = 2) -> str:
    """`94.70 ± 0.12`, `94.70`, or nothing."""
    if value is None:
        return ""
    spread = "" if value.spread is None else f" ± {100 * value.spread:.{digits}f}"
    return f"{100 * value.mean:.{digits}f}{spread}"


def change_text(change: Difference | None, digits: int = 2) -> str:
    """`+1.20 ± 0.12`, with a true minus sign."""
    if change is None:
        return ""
    spread = "" if change.spread is None else f" ± {100 * change.spread:.{digits}f}"
    return f"{100 * change.mean:+.{digits}f}{spread}".replace("-", "−")


def to_csv(table: Matrix) -> str:
    """One line per cell, shares from 0 to 1; the value's column carries the convention in its name."""
    name = columns.key(table.metric, table.board.convention)
    head = ["setting", "id_set", "n_id", "network", "scorer", "ood_sets", "n_ood", name, "sd_over_seeds", "seeds"]
    changed = [f"minus_{table.minus}", "sd_of_difference"] if table.minus else []
    cells = [(row, column) for row in table.rows for column in table.columns]
    lines = [_line(table, *cell, value) for cell in cells if (value := table.values.get(cell)) is not None]
    return to_lines([[*head, "each_seed", *changed, "budget"], *lines])


def to_latex(table: Matrix) -> str:
    r"""A `table` for the booktabs package; the best of each column (of each row, where rows are test sets) is bold."""
    board, rows = table.board, []
    for row in table.rows:
        cells = []
        for column in table.columns:
            text = _latex(_text(table, row, column))
            cells.append(rf"\textbf{{{text}}}" if (row, column) in table.best and text else text)
        rows.append(" & ".join([_latex(titled(board, table.down, row)), *cells]) + r" \\")
    heads = [_latex(titled(board, table.across, column)) for column in table.columns]
    lines = [
        r"% \usepackage{booktabs}",
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{_latex(f'{caption(table)} Bold: best. {budget(table)}')}}}",
        rf"  \begin{{tabular}}{{l{'r' * len(heads)}}}",
        r"    \toprule",
        f"    {' & '.join([NAMES[table.down], *heads])} \\\\",
        r"    \midrule",
        *(f"    {row}" for row in rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def to_html(table: Matrix) -> str:
    """A page that stands alone: no scripts, no fonts, nothing from elsewhere; light and dark as the reader's system."""
    board = table.board
    heads = "".join(f'<th scope="col">{escape(titled(board, table.across, column))}</th>' for column in table.columns)
    body = "\n".join(
        f'<tr><th scope="row">{escape(titled(board, table.down, row))}</th>'
        f"{''.join(_html_cell(table, row, column) for column in table.columns)}</tr>"
        for row in table.rows
    )
    title = escape(f"{board.title}: {columns.label(table.metric, board.convention)}")
    notes = "".join(f"<p>{escape(note)}</p>" for note in (budget(table), board.source, *board.notes))
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>\n'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>\n<body>\n<h1>{title}</h1>\n'
        f'<div class="wide"><table><caption>{escape(caption(table))}</caption>\n'
        f'<thead><tr><th scope="col">{NAMES[table.down]}</th>{heads}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>\n"
        f"<p>● best, ○ not told apart from it by twice the seeds’ spread.</p>{notes}\n</body>\n</html>\n"
    )


STYLE = (
    ":root{color-scheme:light dark}body{font:15px/1.5 Inter,system-ui,sans-serif;max-width:72rem;margin:2rem auto;"
    "padding:0 1rem}h1{font-size:1.4rem}.wide{overflow-x:auto}table{border-collapse:collapse}caption{text-align:left;"
    "padding:0 0 1rem}th,td{padding:.35rem .7rem;text-align:right;white-space:nowrap}th[scope=row],th:first-child"
    "{text-align:left}thead th{border-bottom:2px solid #8895a3;vertical-align:bottom}td{font-family:ui-monospace,"
    "monospace;font-size:.92em;border-bottom:1px solid #8895a355}td.best{font-weight:700}p{color:#6b7885}"
)


def _html_cell(table: Matrix, row: str, column: str) -> str:
    text = _text(table, row, column)
    if not text:
        return "<td>–</td>"
    first = (row, column) in table.best
    mark = "● " if first else "○ " if (row, column) in table.level else ""
    shade = table.shade(row, column)
    colour = "15,118,110" if table.minus is None else "76,155,232" if shade > 0 else "224,122,63"
    kind = ' class="best"' if first else ""
    return f'<td{kind} style="background:rgba({colour},{0.42 * abs(shade):.2f})">{mark}{escape(text)}</td>'


def _text(table: Matrix, row: str, column: str) -> str:
    value = table.values.get((row, column))
    if table.minus is None or value is None:
        return cell_text(value)
    if table.place(row, column).network == table.minus:
        return cell_text(Value(value.mean, None, value.seeds)) if table.across != "network" else "–"
    return change_text(table.change(row, column))


def _latex(text: str) -> str:
    return text.translate(SPECIAL)


def _line(table: Matrix, row: str, column: str, value: Value) -> list[object]:
    board, place = table.board, table.place(row, column)
    tests, change = board.members(place.test), table.change(row, column)
    changed: Iterable[object] = ()
    if table.minus:
        changed = ("", "") if change is None else (change.mean, "" if change.spread is None else change.spread)
    return [
        board.title,
        board.id_set,
        board.n_id,
        place.network,
        board.scorer(place.network, place.scorer) if place.scorer == OWN else place.scorer,
        " ".join(tests),
        " ".join(str(board.sizes[test]) for test in tests),
        value.mean,
        "" if value.spread is None else value.spread,
        len(value.seeds),
        " ".join(f"{seed}:{number:.6f}" for seed, number in value.seeds),
        *changed,
        board.budgets.get(place.network, ""),
    ]


def _sized(table: Matrix, *tests: str) -> Sequence[str]:
    sizes = table.board.sizes
    return [f"{test} ({sizes[test]:,})" for key in tests for test in table.board.members(key)]


def _shares(table: Matrix) -> str:
    board = table.board
    shares = sorted(size / (size + board.n_id) for size in board.sizes.values())
    low, high = f"{shares[0]:.1%}", f"{shares[-1]:.1%}"
    return low if low == high else f"{low} to {high}"
