"""Summaries as tables: for a terminal, for documents, for other programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plismbench.metrics.retrieval import chance
from plismbench.pairs import Axis, PairGroup
from plismbench.reporting.printing import UNKNOWN, TableFormat, csv_text, document, json_text, number
from plismbench.reporting.terminal import TerminalTable
from plismbench.results.aggregation import top_k_metric
from plismbench.results.result import Result

if TYPE_CHECKING:
    import polars as pl
    from rich.console import RenderableType

SUMMARY_FORMAT = "plismbench.summary/1"


def summary_table(results: Sequence[Result], axis: Axis | None = None) -> TerminalTable:
    """Median (IQR) for a terminal of 80 columns: the cosine, its lift, and the last top-k with its chance level."""
    cells = summary_cells(results, axis)
    k = max(k for result in results for k in result.run.ks)
    by_chance = sorted({number(chance(k, result.run.n_tiles), 4) for result in results})
    shown = [cells.headings.index(name) for name in ("model", "pairs", "n", "cosine", "cosine-lift", f"top-{k}")]
    previous = ["", *(row[0] for row in cells.rows)]
    named_once = (["" if row[0] == name else row[0], *row[1:]] for row, name in zip(cells.rows, previous, strict=False))
    return TerminalTable(
        {cells.headings[column]: ("name", "left")[column] if column < 2 else "right" for column in shown},
        [[row[column] for column in shown] for row in named_once],
        dispensable=["cosine-lift"],
        caption=f"median (IQR); top-{k} by chance {' or '.join(by_chance)}",
    )


def summary_parts(
    results: Sequence[Result], table_format: TableFormat, axis: Axis | None = None
) -> "list[RenderableType | str]":
    """Summaries as they are printed: as CSV or JSON every statistic with every digit, and ``chance`` of each accuracy.

    There are no parts of no results.
    """
    if not results:
        return []
    rows = (
        {"model": result.run.name, "signature": result.run.signature, **row, "chance": _chance(result, row["metric"])}
        for result in results
        for row in _of_axis(result, axis).iter_rows(named=True)
    )
    match table_format:
        case TableFormat.TABLE:
            return [summary_table(results, axis)]
        case TableFormat.JSON:
            return [json_text(SUMMARY_FORMAT, rows=list(rows))]
        case TableFormat.CSV:
            return [csv_text({"schema": SUMMARY_FORMAT, **row} for row in rows)]
    cells = summary_cells(results, axis)
    return [document(cells.headings, cells.rows, table_format, left=("model", "pairs"))]


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


def _chance(result: Result, metric: str) -> float | None:
    """What a model that ranks at random would have; None for what is no accuracy."""
    return {top_k_metric(k): chance(k, result.run.n_tiles) for k in result.run.ks}.get(metric)


def _of_axis(result: Result, axis: Axis | None) -> "pl.DataFrame":
    import polars as pl

    if axis is None:
        return result.summary.filter(pl.col("group").is_in([str(group) for group in PairGroup]))
    return result.summary.filter(pl.col("group").str.starts_with(f"{axis} "))
