"""From numbers a pair to numbers a group: the two tables that every result is made of."""

from collections.abc import Iterable, Sequence

import polars as pl

from plismbench.errors import CorruptFile
from plismbench.pairs import PairGroup

Schema = dict[str, pl.DataType]

SUMMARY_SCHEMA: Schema = {
    "group": pl.String(),
    "metric": pl.String(),
    "n_pairs": pl.Int64(),
    "median": pl.Float64(),
    "q1": pl.Float64(),
    "q3": pl.Float64(),
    "iqr": pl.Float64(),
    "mean": pl.Float64(),
    "std": pl.Float64(),
}


BETWEEN_SCHEMA: Schema = {"a": pl.String(), "b": pl.String(), "n_pairs": pl.Int64(), "median": pl.Float64()}


def top_k_metric(k: int) -> str:
    """Column name of the top-k accuracy: ``top_10``."""
    return f"top_{k}"


def metric_names(ks: Iterable[int]) -> tuple[str, ...]:
    """The metric columns of a pair table: ``cosine``, then one accuracy for each k."""
    return ("cosine", *(top_k_metric(k) for k in ks))


def pair_schema(ks: Iterable[int]) -> Schema:
    """Columns of a pair table: two slides, their group, and one number for each metric."""
    words = ("staining_a", "scanner_a", "staining_b", "scanner_b", "group")
    return {name: pl.String() for name in words} | {name: pl.Float64() for name in metric_names(ks)}


def summarise(pairs: pl.DataFrame, ks: Sequence[int]) -> pl.DataFrame:
    """Statistics of every metric over every group that has pairs, and over ``all``.

    Quartiles interpolate linearly and the standard deviation divides by n (ddof 0), as in the
    published tables; ``iqr = q3 - q1``.

    Args:
        pairs: a table of ``pair_schema(ks)``; the order of its rows does not matter.
        ks: the cut-offs it holds.

    Returns:
        A table of ``SUMMARY_SCHEMA``, in the order of ``PairGroup`` and of the metrics. A group
        without pairs has no rows.
    """
    metrics = metric_names(ks)
    groups = [str(group) for group in PairGroup]
    long = pl.concat([pairs, pairs.with_columns(group=pl.lit(str(PairGroup.ALL)))]).unpivot(
        on=metrics, index="group", variable_name="metric"
    )
    value = pl.col("value").sort()  # sums in one order give the same bytes whatever the order of the pairs
    summary = long.group_by("group", "metric").agg(
        n_pairs=pl.len().cast(pl.Int64),
        median=value.median(),
        q1=value.quantile(0.25, interpolation="linear"),
        q3=value.quantile(0.75, interpolation="linear"),
        mean=value.mean(),
        std=value.std(ddof=0),
    )
    return (
        summary.with_columns(iqr=pl.col("q3") - pl.col("q1"))
        .sort(
            pl.col("group").replace_strict(groups, range(len(groups))),
            pl.col("metric").replace_strict(metrics, range(len(metrics))),
        )
        .select(*SUMMARY_SCHEMA)
    )


def medians_between(pairs: pl.DataFrame, group: PairGroup, metric: str) -> pl.DataFrame:
    """Median of a metric for every two scanners of ``cross-scanner``, or two stainings of ``cross-staining``.

    Args:
        pairs: a table of ``pair_schema``.
        group: which of the two.
        metric: one of its metrics.

    Returns:
        A table of ``BETWEEN_SCHEMA``, sorted, each two codes once, ``a < b``.
    """
    code = "scanner" if group is PairGroup.CROSS_SCANNER else "staining"
    return (
        pairs.filter(pl.col("group") == str(group))
        .group_by(a=f"{code}_a", b=f"{code}_b")
        .agg(n_pairs=pl.len().cast(pl.Int64), median=pl.col(metric).median())
        .sort("a", "b")
    )


def check_schema(table: pl.DataFrame, schema: Schema, where: object) -> pl.DataFrame:
    """The table itself, if its columns are exactly those of the schema.

    Raises:
        CorruptFile: naming the columns that are missing, unknown or of another type.
    """
    found = dict(table.schema)
    if found != schema:
        wrong = sorted(name for name in found.keys() | schema.keys() if found.get(name) != schema.get(name))
        raise CorruptFile(
            f"{where} has other columns than this version writes: {', '.join(wrong)}.",
            hint="Run `plismbench evaluate` again.",
        )
    return table
