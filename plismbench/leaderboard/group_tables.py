"""Median and IQR of every model over every pair group, beside those of the H0-mini paper."""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from plismbench.leaderboard.leaderboard import leaderboards
from plismbench.published import PUBLISHED_SIGNATURE, published_statistics
from plismbench.results.aggregation import Schema
from plismbench.results.result import Result

SPREAD_SCHEMA: Schema = {
    **dict.fromkeys(("name", "group", "metric"), pl.String()),
    **dict.fromkeys(("median", "iqr"), pl.Float64()),
}
"""Columns of a ``GroupTable``."""


@dataclass(frozen=True)
class GroupTable:
    """Median and IQR of every model over every pair group: the layout of the H0-mini paper's Table 3.

    Args:
        signature: of all that is in it.
        spreads: of ``SPREAD_SCHEMA``, model by model, the best first.
        published: taken from the paper, not measured here.
    """

    signature: str
    spreads: pl.DataFrame
    published: bool = False


def group_tables(results: Iterable[Result]) -> tuple[GroupTable, ...]:
    """One table of medians and IQR for each signature among the results, in the order of its ranking."""
    results = tuple(results)
    summaries = {(result.run.signature, result.run.name): result.summary for result in results}
    return tuple(
        GroupTable(
            board.signature,
            pl.concat(
                summaries[board.signature, row.name].select(
                    pl.lit(row.name).alias("name"), "group", "metric", "median", "iqr"
                )
                for row in board.rows
            ),
        )
        for board in leaderboards(results)
    )


def published_groups() -> GroupTable:
    """Table 3 of the H0-mini paper."""
    return GroupTable(PUBLISHED_SIGNATURE, pl.DataFrame(published_statistics(), schema=SPREAD_SCHEMA), published=True)
