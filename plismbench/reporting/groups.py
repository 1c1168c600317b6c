"""Median (IQR) of every model over every pair group, as Table 3 of the H0-mini paper has it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from plismbench.leaderboard.group_tables import GroupTable
from plismbench.pairs import PairGroup
from plismbench.reporting.printing import (
    UNKNOWN,
    Cell,
    Emphasis,
    TableFormat,
    caption,
    csv_text,
    document,
    json_text,
    number,
    printable,
    remark,
)
from plismbench.reporting.terminal import TerminalTable

if TYPE_CHECKING:
    from rich.console import RenderableType

GROUPS_FORMAT = "plismbench.groups/1"

_COLUMNS = {
    f"{group.removeprefix('cross-')} {heading}": (str(group), metric)
    for group in (PairGroup.CROSS_SCANNER, PairGroup.CROSS_STAINING, PairGroup.CROSS_BOTH)
    for heading, metric in (("cosine", "cosine"), ("top-10", "top_10"))
}


def groups_parts(tables: Sequence[GroupTable], table_format: TableFormat) -> "list[RenderableType | str]":
    """Such tables as they are printed, the best bold, the second underlined; as CSV or JSON with every digit."""
    rows = [
        {"signature": table.signature, "published": table.published, **row}
        for table in tables
        for row in table.spreads.iter_rows(named=True)
    ]
    match table_format:
        case TableFormat.TABLE:
            return [part for table in tables for part in _in_terminal(table)]
        case TableFormat.JSON:
            return [json_text(GROUPS_FORMAT, rows=rows)]
        case TableFormat.CSV:
            return [csv_text({"schema": GROUPS_FORMAT, **row} for row in rows)]
    parts = []
    for table in tables:
        parts += [
            caption(table.signature, table_format),
            document(["model", *_COLUMNS], _rows(table), table_format),
            *(remark(note, table_format) for note in group_notes(table)),
        ]
    return ["\n\n".join(parts)]


def _in_terminal(table: GroupTable) -> "list[RenderableType | str]":
    kinds = {"model": "name"} | {heading.replace(" ", "\n"): "right" for heading in _COLUMNS}
    return [printable(table.signature), TerminalTable(kinds, _rows(table), gap=1), *group_notes(table)]


def group_notes(table: GroupTable) -> list[str]:
    """What stands below the table."""
    published = ["Published in Table 3 of the H0-mini paper: another signature, not comparable."]
    return published if table.published else []


def _rows(table: GroupTable) -> list[list[str | Cell]]:
    spreads: dict[str, dict[tuple[str, str], tuple[float | None, float | None]]] = {}
    for row in table.spreads.iter_rows(named=True):
        spreads.setdefault(row["name"], {})[row["group"], row["metric"]] = row["median"], row["iqr"]
    places = {}
    for where in _COLUMNS.values():
        # As they print: what cannot be told apart in the table shares its mark.
        medians = {_brief(found[where][0]) for found in spreads.values() if where in found} - {UNKNOWN}
        places[where] = sorted(medians, key=float, reverse=True)
    return [
        [name, *(_cell(found.get(where), places[where]) for where in _COLUMNS.values())]
        for name, found in spreads.items()
    ]


def _cell(spread: tuple[float | None, float | None] | None, places: Sequence[str]) -> Cell:
    if spread is None or spread[0] is None:
        return Cell(UNKNOWN)
    median = _brief(spread[0])
    emphasis = {0: Emphasis.BEST, 1: Emphasis.SECOND}.get(places.index(median), Emphasis.NONE)
    return Cell(f"{median} ({_brief(spread[1])})", emphasis if len(places) > 1 else Emphasis.NONE)


def _brief(value: float | None) -> str:
    """Two decimals, three where two would leave less than a hundredth, as in the paper: ``.92``, ``.004``."""
    return number(value, 3 if value and 0 < round(abs(value), 3) < 0.01 else 2)
