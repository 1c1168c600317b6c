"""Rankings and summaries as tables: for a terminal, for documents, for other programs."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from plismbench.leaderboard import Leaderboard, LeaderboardRow
from plismbench.pairs import Axis, PairGroup
from plismbench.reporting.formats import TableFormat
from plismbench.reporting.printing import UNKNOWN, csv_text, interval_text, markdown, number, printable
from plismbench.results import Result

if TYPE_CHECKING:
    import polars as pl
    from rich.table import Table

LEADERBOARD_SCHEMA = "plismbench.leaderboard/1"
SUMMARY_SCHEMA_ID = "plismbench.summary/1"

_BAR_WIDTH = 6


def leaderboard_table(board: Leaderboard) -> "Table":
    """A ranking for a terminal of 80 columns; its signature is the caller's to show."""
    ranks = [row.rank for row in board.rows]
    return _table(
        {"#": "right", "model": "left", "score": "right", "": "left", **dict.fromkeys(_shown(board), "right")},
        ([rank(row, ranks), row.name, number(row.score), _bar(row.score), *_cells(row, board)] for row in board.rows),
    )


def leaderboard_text(boards: Sequence[Leaderboard], table_format: TableFormat) -> str:
    """Rankings as Markdown to read, or as CSV or JSON with every digit."""
    match table_format:
        case TableFormat.JSON:
            told = [{"signature": board.signature, "rows": [_told(row) for row in board.rows]} for board in boards]
            return json.dumps({"schema": LEADERBOARD_SCHEMA, "boards": told}, indent=2)
        case TableFormat.CSV:
            return csv_text(
                {"schema": LEADERBOARD_SCHEMA, "signature": board.signature, **_told(row)}
                for board in boards
                for row in board.rows
            )
    parts = []
    for board in boards:
        ranks = [row.rank for row in board.rows]
        rows = [[rank(row, ranks), row.name, number(row.score), *_cells(row, board)] for row in board.rows]
        parts.append(f"`{board.signature}`\n\n{markdown(['#', 'model', 'score', *_shown(board)], rows)}")
    return "\n\n".join(parts)


def summary_table(results: Sequence[Result], axis: Axis | None = None) -> "Table":
    """Median (IQR) for a terminal of 80 columns: the cosine, its lift, and the last top-k."""
    cells = summary_cells(results, axis)
    last = max((heading for heading in cells.headings if heading.startswith("top-")), key=lambda name: int(name[4:]))
    shown = [cells.headings.index(name) for name in ("model", "pairs", "n", "cosine", "cosine-lift", last)]
    previous = ["", *(row[0] for row in cells.rows)]
    named_once = (["" if row[0] == name else row[0], *row[1:]] for row, name in zip(cells.rows, previous, strict=False))
    return _table(
        {cells.headings[column]: "left" if column < 2 else "right" for column in shown},
        ([row[column] for column in shown] for row in named_once),
    )


def summary_text(results: Sequence[Result], table_format: TableFormat, axis: Axis | None = None) -> str:
    """The same as Markdown; as CSV or JSON every statistic with every digit."""
    told = (
        {"model": result.run.name, "signature": result.run.signature, **row}
        for result in results
        for row in _of_axis(result, axis).iter_rows(named=True)
    )
    match table_format:
        case TableFormat.JSON:
            return json.dumps({"schema": SUMMARY_SCHEMA_ID, "rows": list(told)}, indent=2)
        case TableFormat.CSV:
            return csv_text({"schema": SUMMARY_SCHEMA_ID, **row} for row in told)
    cells = summary_cells(results, axis)
    return markdown(cells.headings, cells.rows, left=("model", "pairs"))


@dataclass(frozen=True)
class Cells:
    """A table as a person reads it: every cell is text."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def summary_cells(results: Sequence[Result], axis: Axis | None = None) -> Cells:
    """One row a model and group of pairs: the median of each metric with its IQR.

    Args:
        results: of any signatures.
        axis: every two scanners, or stainings, instead of the four pair groups.
    """
    metrics = list(dict.fromkeys(name for result in results for name in result.summary["metric"]))
    rows = []
    for result in results:
        groups: dict[str, dict[str, Any]] = {}
        for row in _of_axis(result, axis).iter_rows(named=True):
            groups.setdefault(row["group"], {})[row["metric"]] = row
        for group, found in groups.items():
            values = (
                f"{number(found[metric]['median'])} ({number(found[metric]['iqr'])})" if metric in found else UNKNOWN
                for metric in metrics
            )
            n_pairs = max(row["n_pairs"] for row in found.values())
            rows.append((result.run.name, group, f"{n_pairs:,}", *values))
    return Cells(("model", "pairs", "n", *(metric.replace("_", "-") for metric in metrics)), tuple(rows))


def _of_axis(result: Result, axis: Axis | None) -> "pl.DataFrame":
    import polars as pl

    if axis is None:
        return result.summary.filter(pl.col("group").is_in([str(group) for group in PairGroup]))
    return result.summary.filter(pl.col("group").str.starts_with(f"{axis} "))


_COLUMNS = {
    "95 % CI": lambda row: interval_text(row.score_low, row.score_high),
    "cosine": lambda row: number(row.cosine),
    "lift": lambda row: number(row.cosine_lift),
    "scanner": lambda row: number(row.top10_cross_scanner),
    "staining": lambda row: number(row.top10_cross_staining),
    "both": lambda row: number(row.top10_cross_both),
}


def _shown(board: Leaderboard) -> list[str]:
    """The columns after the score; what no row knows is left out."""
    known = {
        "95 % CI": any(row.score_low is not None for row in board.rows),
        "lift": any(row.cosine_lift is not None for row in board.rows),
    }
    return [name for name in _COLUMNS if known.get(name, True)]


def _cells(row: LeaderboardRow, board: Leaderboard) -> list[str]:
    return [_COLUMNS[name](row) for name in _shown(board)]


def _told(row: LeaderboardRow) -> dict[str, Any]:
    return {"score": row.score, "score_without_cosine": row.score_without_cosine, **asdict(row)}


def rank(row: LeaderboardRow, ranks: Sequence[int | None]) -> str:
    """``3–5`` where the data cannot tell ranks apart, ``8=`` where scores print alike, else ``3``."""
    if row.rank is None:
        return UNKNOWN
    if row.rank_best is not None and row.rank_best != row.rank_worst:
        return f"{row.rank_best}–{row.rank_worst}"
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
