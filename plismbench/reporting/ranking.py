"""Rankings as tables: for a terminal, for documents, for other programs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from plismbench.errors import require_known
from plismbench.leaderboard.board_file import LEADERBOARD_FORMAT, board_text, row_fields
from plismbench.leaderboard.leaderboard import Leaderboard, LeaderboardRow
from plismbench.reporting.printing import (
    UNKNOWN,
    TableFormat,
    caption,
    csv_text,
    document,
    interval_text,
    number,
    parameters,
    printable,
    remark,
)
from plismbench.reporting.terminal import TerminalTable
from plismbench.results.uncertainty import MIN_UNITS

if TYPE_CHECKING:
    from rich.console import RenderableType

_BAR_WIDTH = 5
_PLISM_MARK = "†"
_TERMS = {
    "cosine": "cosine",
    "top-10 of cross-scanner pairs": "top10_cross_scanner",
    "top-10 of cross-staining pairs": "top10_cross_staining",
    "top-10 of cross-both pairs": "top10_cross_both",
}


@dataclass(frozen=True)
class Column:
    """One column of a ranking.

    Args:
        heading: above it.
        cell: its text for a row.
        value: what it is sorted by; None comes last.
        ascending: whether the smallest is the best.
    """

    heading: str
    cell: Callable[[LeaderboardRow], str]
    value: Callable[[LeaderboardRow], Any]
    ascending: bool = False


def _numbers(heading: str, field: str, *, ascending: bool = False) -> Column:
    return Column(heading, lambda row: number(getattr(row, field)), lambda row: getattr(row, field), ascending)


COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        "model": Column("model", lambda row: _marked(row), lambda row: row.name, True),
        "score": _numbers("score", "score"),
        "interval": Column("95 % CI", lambda row: interval_text(row.score_low, row.score_high), lambda r: r.score_low),
        "cosine": _numbers("cosine", "cosine"),
        "random": _numbers("random", "random_cosine", ascending=True),
        "lift": _numbers("lift", "cosine_lift"),
        "scanner": _numbers("scanner", "top10_cross_scanner"),
        "staining": _numbers("staining", "top10_cross_staining"),
        "both": _numbers("both", "top10_cross_both"),
        "retrieval": _numbers("retrieval", "score_without_cosine"),
        "params": Column("params", lambda row: parameters(row.n_params), lambda row: row.n_params, True),
        "licence": Column("licence", lambda row: row.license or UNKNOWN, lambda row: row.license or None, True),
        "time": Column("time", lambda row: times(row.relative_time), lambda row: row.relative_time, True),
    }
)
"""Every column after the rank, by the word of ``--columns`` and ``--sort``."""

_BAR = Column("", lambda row: _bar(row.score), lambda row: row.score)
_KINDS = {"model": "name", "licence": "left", "": "bar"}

_DISPENSABLE = ("licence", "params", "time", "lift", "retrieval", "", "random", "interval")
"""In a terminal, by the words of ``COLUMNS``; no word is the bar. At 80 columns the last two mostly stay."""

_ALWAYS = ("model", "score", "cosine", "scanner", "staining", "both")


def sorted_board(board: Leaderboard, column: str) -> Leaderboard:
    """The board in the order of one column, the best first, what is not known last; ranks stay.

    Raises:
        UnknownName: for a column that does not exist.
    """
    found = find_column(column)
    known = [row for row in board.rows if found.value(row) is not None]
    unknown = tuple(row for row in board.rows if found.value(row) is None)
    return replace(board, rows=(*sorted(known, key=found.value, reverse=not found.ascending), *unknown))


def leaderboard_table(board: Leaderboard, columns: Sequence[str] = ()) -> TerminalTable:
    """A ranking for a terminal of 80 columns or more, without its signature.

    Args:
        board: the ranking.
        columns: words of ``COLUMNS``; all that some row knows and there is room for if there are none.
    """
    shown = _shown(board, columns)
    if COLUMNS["score"] in shown:
        shown.insert(shown.index(COLUMNS["score"]) + 1, _BAR)
    ranks = [row.rank for row in board.rows]
    rows = [[rank(row, ranks), *(column.cell(row) for column in shown)] for row in board.rows]
    kinds = {"#": "right"} | {column.heading: _KINDS.get(column.heading, "right") for column in shown}
    dispensable = [] if columns else [COLUMNS[name].heading if name else name for name in _DISPENSABLE]
    return TerminalTable(kinds, rows, gap=1, dispensable=[name for name in dispensable if name in kinds])


def leaderboard_parts(
    boards: Sequence[Leaderboard], table_format: TableFormat, columns: Sequence[str] = ()
) -> "list[RenderableType | str]":
    """Rankings as they are printed: as CSV or JSON with every field and digit.

    Args:
        boards: one table each.
        table_format: any.
        columns: words of ``COLUMNS``, for people; all that some row knows if there are none.
    """
    match table_format:
        case TableFormat.TABLE:
            return [part for board in boards for part in _in_terminal(board, columns)]
        case TableFormat.JSON:
            return [board_text(boards)]
        case TableFormat.CSV:
            fields = (
                {"schema": LEADERBOARD_FORMAT, "signature": board.signature, **row_fields(row)}
                for board in boards
                for row in board.rows
            )
            return [csv_text(fields)]
    parts = []
    for board in boards:
        ranks = [row.rank for row in board.rows]
        shown = _shown(board, columns)
        rows = [[rank(row, ranks), *(column.cell(row) for column in shown)] for row in board.rows]
        table = document(["#", *(column.heading for column in shown)], rows, table_format, left=("model", "licence"))
        parts += [caption(board.signature, table_format), table]
        parts += [remark(note, table_format) for note in notes(board)]
    return ["\n\n".join(parts)]


def _in_terminal(board: Leaderboard, columns: Sequence[str]) -> "list[RenderableType | str]":
    return [printable(board.signature), leaderboard_table(board, columns), *notes(board)]


def undefined_terms(board: Leaderboard) -> list[str]:
    """What is said where a term, and so the score, is defined for no model: a sentence, or none."""
    missing = [words for words, field in _TERMS.items() if all(getattr(row, field) is None for row in board.rows)]
    return [f"No {', '.join(missing)}; without all four terms there is no score."] if missing else []


def notes(board: Leaderboard) -> list[str]:
    """What stands below a table."""
    found = []
    if any(row.published for row in board.rows):
        found.append("Published by plism-benchmark: another signature, so a ranking of its own.")
    if any(row.trained_on_plism for row in board.rows):
        found.append(f"{_PLISM_MARK} trained on PLISM")
    if any(row.score is not None and row.score_low is None and not row.published for row in board.rows):
        found.append(
            f"Too little tissue for intervals: they take {MIN_UNITS} cores, or 144 tiles. Ranks are not tested."
        )
    if board.chance is not None:
        found.append(f"Scanner, staining, both: top-10 accuracy, by chance {number(board.chance, 4)}.")
    if board.timed_on:
        found.append(f"Time a tile, H0-mini = 1: on {board.timed_on}.")
    return found


def rank(row: LeaderboardRow, ranks: Sequence[int | None]) -> str:
    """``3–5`` where the data cannot tell ranks apart, ``8=`` where scores print alike, else ``3``."""
    if row.rank is None:
        return UNKNOWN
    if row.rank_best is not None and row.rank_best != row.rank_worst:
        return f"{row.rank_best}–{row.rank_worst}"
    return f"{row.rank}{'=' if ranks.count(row.rank) > 1 else ''}"


def find_column(name: str) -> Column:
    """A column by its word.

    Raises:
        UnknownName: with those that there are.
    """
    require_known("column", [name], COLUMNS)
    return COLUMNS[name]


def _shown(board: Leaderboard, words: Sequence[str]) -> list[Column]:
    """The columns asked for; those that some row knows if none are."""
    if words:
        return [find_column(word) for word in words]
    return [
        column
        for word, column in COLUMNS.items()
        if word in _ALWAYS or any(column.value(row) is not None for row in board.rows)
    ]


def _marked(row: LeaderboardRow) -> str:
    return f"{row.name} {_PLISM_MARK}" if row.trained_on_plism else row.name


def times(relative: float | None) -> str:
    """``2.1×``."""
    return UNKNOWN if relative is None else f"{relative:.3g}×"


def _bar(value: float | None) -> str:
    return "" if value is None else "█" * round(max(0.0, min(1.0, value)) * _BAR_WIDTH)
