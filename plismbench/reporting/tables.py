"""Rankings and summaries as tables: for a terminal, for documents, for other programs."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from plismbench.leaderboard import Leaderboard, LeaderboardRow
from plismbench.reporting.formats import TableFormat
from plismbench.reporting.printing import UNKNOWN, csv_text, markdown, number, printable
from plismbench.results import Result

if TYPE_CHECKING:
    from rich.table import Table

LEADERBOARD_SCHEMA = "plismbench.leaderboard/1"
SUMMARY_SCHEMA_ID = "plismbench.summary/1"

_BAR_WIDTH = 10


def leaderboard_table(board: Leaderboard) -> "Table":
    """A ranking for a terminal of 80 columns; its signature is the caller's to show."""
    ranks = [row.rank for row in board.rows]
    return _table(
        {"#": "right", "model": "left", "score": "right", "": "left", **dict.fromkeys(_TERMS.values(), "right")},
        ([_rank(row, ranks), row.name, number(row.score), _bar(row.score), *_terms(row)] for row in board.rows),
    )


def leaderboard_text(boards: Sequence[Leaderboard], table_format: TableFormat) -> str:
    """Rankings as Markdown to read, or as CSV or JSON with every digit."""
    match table_format:
        case TableFormat.JSON:
            told = [
                {"signature": board.signature, "rows": [asdict(row) | {"score": row.score} for row in board.rows]}
                for board in boards
            ]
            return json.dumps({"schema": LEADERBOARD_SCHEMA, "boards": told}, indent=2)
        case TableFormat.CSV:
            return csv_text(
                {"schema": LEADERBOARD_SCHEMA, "signature": board.signature, "score": row.score, **asdict(row)}
                for board in boards
                for row in board.rows
            )
    parts = []
    for board in boards:
        ranks = [row.rank for row in board.rows]
        rows = [[_rank(row, ranks), row.name, number(row.score), *_terms(row)] for row in board.rows]
        parts.append(f"`{board.signature}`\n\n{markdown(['#', 'model', 'score', *_TERMS.values()], rows)}")
    return "\n\n".join(parts)


def summary_table(results: Sequence[Result]) -> "Table":
    """Median (IQR) over every pair group, for a terminal of 80 columns: the cosine, the first and the last top-k."""
    cells = summary_cells(results)
    columns = range(len(cells.headings))
    shown = [*columns[:5], columns[-1]] if len(columns) > 6 else columns
    previous = ["", *(row[0] for row in cells.rows)]
    named_once = (["" if row[0] == name else row[0], *row[1:]] for row, name in zip(cells.rows, previous, strict=False))
    return _table(
        {cells.headings[column]: "left" if column < 2 else "right" for column in shown},
        ([row[column] for column in shown] for row in named_once),
    )


def summary_text(results: Sequence[Result], table_format: TableFormat) -> str:
    """The same as Markdown; as CSV or JSON every statistic with every digit."""
    told = (
        {"model": result.run.name, "signature": result.run.signature, **row}
        for result in results
        for row in result.summary.iter_rows(named=True)
    )
    match table_format:
        case TableFormat.JSON:
            return json.dumps({"schema": SUMMARY_SCHEMA_ID, "rows": list(told)}, indent=2)
        case TableFormat.CSV:
            return csv_text({"schema": SUMMARY_SCHEMA_ID, **row} for row in told)
    cells = summary_cells(results)
    return markdown(cells.headings, cells.rows, left=("model", "pairs"))


@dataclass(frozen=True)
class Cells:
    """A table as a person reads it: every cell is text."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def summary_cells(results: Sequence[Result]) -> Cells:
    """One row a model and pair group: the median of each metric with its IQR."""
    metrics = list(dict.fromkeys(name for result in results for name in result.summary["metric"]))
    rows = []
    for result in results:
        groups: dict[str, dict[str, Any]] = {}
        for row in result.summary.iter_rows(named=True):
            groups.setdefault(row["group"], {})[row["metric"]] = row
        for group, found in groups.items():
            values = (
                f"{number(found[metric]['median'])} ({number(found[metric]['iqr'])})" if metric in found else UNKNOWN
                for metric in metrics
            )
            n_pairs = max(row["n_pairs"] for row in found.values())
            rows.append((result.run.name, group, f"{n_pairs:,}", *values))
    return Cells(("model", "pairs", "n", *(metric.replace("_", "-") for metric in metrics)), tuple(rows))


_TERMS = {
    "cosine": "cosine",
    "top10_cross_scanner": "scanner",
    "top10_cross_staining": "staining",
    "top10_cross_both": "both",
}


def _terms(row: LeaderboardRow) -> list[str]:
    return [number(getattr(row, term)) for term in _TERMS]


def _rank(row: LeaderboardRow, ranks: Sequence[int | None]) -> str:
    if row.rank is None:
        return UNKNOWN
    return f"{row.rank}{'=' if ranks.count(row.rank) > 1 else ''}"


def _bar(value: float | None) -> str:
    return "" if value is None else "█" * round(max(0.0, min(1.0, value)) * _BAR_WIDTH)


def _table(columns: dict[str, str], rows: Iterable[Sequence[str]]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name, justify in columns.items():
        table.add_column(name, justify="right" if justify == "right" else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))  # Text: brackets in a name are no markup
    return table
