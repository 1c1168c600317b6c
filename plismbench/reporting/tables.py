"""Rankings and summaries as tables: for a terminal, for documents, for other programs."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from plismbench.leaderboard import Leaderboard, LeaderboardRow
from plismbench.reporting.formats import TableFormat
from plismbench.reporting.printing import csv_text, markdown, printable
from plismbench.results import Result

if TYPE_CHECKING:
    from rich.table import Table

LEADERBOARD_SCHEMA = "plismbench.leaderboard/1"
SUMMARY_SCHEMA_ID = "plismbench.summary/1"

_BAR_WIDTH = 10
_UNKNOWN = "–"


def leaderboard_table(board: Leaderboard) -> "Table":
    """A ranking for a terminal of 80 columns; its signature is the caller's to show."""
    ranks = [row.rank for row in board.rows]
    return _table(
        {"#": "right", "model": "left", "score": "right", "": "left", **dict.fromkeys(_TERMS.values(), "right")},
        ([_rank(row, ranks), row.name, _number(row.score), _bar(row.score), *_terms(row)] for row in board.rows),
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
        rows = [[_rank(row, ranks), row.name, _number(row.score), *_terms(row)] for row in board.rows]
        parts.append(f"`{board.signature}`\n\n{markdown(['#', 'model', 'score', *_TERMS.values()], rows)}")
    return "\n\n".join(parts)


def summary_table(results: Sequence[Result]) -> "Table":
    """Median (IQR) over every pair group, for a terminal of 80 columns: the cosine, the first and the last top-k."""
    headings, rows = _summary(results)
    shown = [*range(5), len(headings) - 1] if len(headings) > 6 else list(range(len(headings)))
    models = [row[0] for row in rows]
    for number in range(len(rows) - 1, 0, -1):
        if models[number] == models[number - 1]:
            rows[number][0] = ""  # each model is named once
    return _table(
        {headings[column]: "left" if column < 2 else "right" for column in shown},
        ([row[column] for column in shown] for row in rows),
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
    headings, rows = _summary(results)
    return markdown(headings, rows, left=("model", "pairs"))


_TERMS = {
    "cosine": "cosine",
    "top10_cross_scanner": "scanner",
    "top10_cross_staining": "staining",
    "top10_cross_both": "both",
}


def _terms(row: LeaderboardRow) -> list[str]:
    return [_number(getattr(row, term)) for term in _TERMS]


def _summary(results: Sequence[Result]) -> tuple[list[str], list[list[str]]]:
    """One row a model and group: the median of each metric with its IQR."""
    metrics = list(dict.fromkeys(name for result in results for name in result.summary["metric"]))
    rows = []
    for result in results:
        cells: dict[str, dict[str, Any]] = {}
        for row in result.summary.iter_rows(named=True):
            cells.setdefault(row["group"], {})[row["metric"]] = row
        for group, found in cells.items():
            values = [
                f"{_number(found[metric]['median'])} ({_number(found[metric]['iqr'])})" if metric in found else _UNKNOWN
                for metric in metrics
            ]
            n_pairs = max(row["n_pairs"] for row in found.values())
            rows.append([result.run.name, group, f"{n_pairs:,}", *values])
    return ["model", "pairs", "n", *(metric.replace("_", "-") for metric in metrics)], rows


def _rank(row: LeaderboardRow, ranks: Sequence[int | None]) -> str:
    if row.rank is None:
        return _UNKNOWN
    return f"{row.rank}{'=' if ranks.count(row.rank) > 1 else ''}"


def _number(value: float | None) -> str:
    """Three decimals; ``.541`` for what lies between 0 and 1, as in the published tables."""
    if value is None:
        return _UNKNOWN
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if abs(value) < 0.9995 else text


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
