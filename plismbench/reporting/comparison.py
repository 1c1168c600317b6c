"""Comparisons of models as tables: for a terminal, for documents, for other programs."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from plismbench.leaderboard.comparison import Comparison, PairwiseComparison
from plismbench.pairs import Axis
from plismbench.reporting.printing import (
    UNKNOWN,
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
from plismbench.results.uncertainty import MIN_UNITS

if TYPE_CHECKING:
    from rich.console import RenderableType

COMPARISON_FORMAT = "plismbench.comparison/1"

_HEADINGS = ("first", "second", "difference", "95 % by core", "95 % by slide")
_SHOWN = 5  # of the contrasts of an axis; the data have all
_TERMS = {
    "score": "score",
    "cosine": "cosine, all",
    "top10_cross_scanner": "top-10, scanner",
    "top10_cross_staining": "top-10, staining",
    "top10_cross_both": "top-10, both",
}


def comparison_parts(comparisons: Sequence[Comparison], table_format: TableFormat) -> "list[RenderableType | str]":
    """Comparisons as they are printed: as JSON everything; as CSV the differences of score and terms."""
    match table_format:
        case TableFormat.TABLE:
            return [part for comparison in comparisons for part in _in_terminal(comparison)]
        case TableFormat.JSON:
            records = [_fields(comparison) for comparison in comparisons]
            return [json_text(COMPARISON_FORMAT, comparisons=records)]
        case TableFormat.CSV:
            fields = (
                {"schema": COMPARISON_FORMAT, "signature": comparison.signature}
                | {"first_model": pairwise.first, "second_model": pairwise.second}
                | {"difference": difference.value, **asdict(difference)}
                for comparison in comparisons
                for pairwise in comparison.pairwise
                for difference in pairwise.differences
            )
            return [csv_text(fields)]
    parts = []
    for comparison in comparisons:
        parts.append(caption(comparison.signature, table_format))
        for pairwise in comparison.pairwise:
            terms, *contrasts = (
                document(headings, rows, table_format, left=headings[:1]) for headings, rows in _tables(pairwise)
            )
            title, verdict = (remark(words, table_format) for words in (_title(pairwise), _verdict(pairwise)))
            parts += [title, terms, verdict, *contrasts]
    return ["\n\n".join(parts)]


def _in_terminal(comparison: Comparison) -> "list[RenderableType | str]":
    parts: list[RenderableType | str] = [printable(comparison.signature)]
    for pairwise in comparison.pairwise:
        terms, *contrasts = (
            TerminalTable(dict.fromkeys(headings, "right") | {headings[0]: "left"}, rows, dispensable=headings[5:])
            for headings, rows in _tables(pairwise)
        )
        parts += ["", _title(pairwise), terms, _verdict(pairwise)]
        for table in contrasts:
            parts += ["", table]
    return parts


def _title(pairwise: PairwiseComparison) -> str:
    return f"{printable(pairwise.first)} against {printable(pairwise.second)}"


def _tables(pairwise: PairwiseComparison) -> Iterator[tuple[tuple[str, ...], list[list[str]]]]:
    """Headings and rows: of the terms, without a column that would be empty, then of each axis that has contrasts."""
    # Too few slides have no interval.
    n_columns = 6 if any(found.slide_low is not None for found in pairwise.differences) else 5
    terms = [
        [
            _TERMS[found.term],
            number(found.first),
            number(found.second),
            _signed(found.value),
            _interval(found.low, found.high),
            _interval(found.slide_low, found.slide_high),
        ][:n_columns]
        for found in pairwise.differences
    ]
    yield ("term", *_HEADINGS)[:n_columns], terms
    for axis in Axis:
        rows = [row for row in pairwise.contrasts.iter_rows(named=True) if row["axis"] == axis]
        contrasts = [
            [
                f"{row['a']} – {row['b']}",
                number(row["first"]),
                number(row["second"]),
                _signed(row["difference"]),
                _interval(row["low"], row["high"]),
            ]
            for row in rows[:_SHOWN]
        ]
        if contrasts:
            yield (f"{pairwise.metric.replace('_', '-')}, {axis}s", *_HEADINGS[:4]), contrasts


def _verdict(pairwise: PairwiseComparison) -> str:
    if pairwise.p_value is None or pairwise.corrected is None:
        return f"Nothing is tested: it takes {MIN_UNITS} cores with a score; got {pairwise.n_cores}."
    better = f"Better in {pairwise.n_better} of {pairwise.n_cores} cores"
    return f"{better}; one-sided signed-rank p = {pairwise.p_value:.2g}, after Holm {pairwise.corrected:.2g}."


def _signed(value: float | None) -> str:
    text = number(value)
    return f"+{text}" if value is not None and float(text) > 0 else text


def _interval(low: float | None, high: float | None) -> str:
    return UNKNOWN if low is None or high is None else f"{_signed(low)} to {_signed(high)}"


def _fields(comparison: Comparison) -> dict[str, Any]:
    names = ("first", "second", "n_cores", "n_better", "p_value", "corrected", "metric")
    records = [
        {name: getattr(pairwise, name) for name in names}
        | {"differences": [{"difference": found.value, **asdict(found)} for found in pairwise.differences]}
        | {"contrasts": pairwise.contrasts.to_dicts()}
        for pairwise in comparison.pairwise
    ]
    return {"signature": comparison.signature, "pairwise": records}
