"""From numbers a pair to numbers a group: the tables that every result is made of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from plismbench.errors import CorruptFile
from plismbench.pairs import Axis, PairGroup

Schema = dict[str, pl.DataType]

PAIR = ("staining_a", "scanner_a", "staining_b", "scanner_b")
"""The columns that name a pair."""

COSINE_CONTEXT = ("random_cosine", "cosine_lift", "centred_cosine")
"""What stands beside the published numbers: see ``plismbench.metrics.cosine``."""

SUMMARY_SCHEMA: Schema = {
    **dict.fromkeys(("group", "metric"), pl.String()),
    "n_pairs": pl.Int64(),
    **dict.fromkeys(("median", "q1", "q3", "iqr", "mean", "std"), pl.Float64()),
}

TERMS = {
    "cosine": (PairGroup.ALL, "cosine"),
    "top10_cross_scanner": (PairGroup.CROSS_SCANNER, "top_10"),
    "top10_cross_staining": (PairGroup.CROSS_STAINING, "top_10"),
    "top10_cross_both": (PairGroup.CROSS_BOTH, "top_10"),
}
"""The four medians whose mean is the score of plism-benchmark's leaderboard: of which pairs, of what."""

AGAIN = "Evaluate that model again, on the same slides and tiles, or remove the folder."
"""What to do with a damaged result; the command would need the ``--dataset`` that it was made with."""

_SHARE = 0.8  # more may be chance, and at the ceiling a few tiles


def top_k_metric(k: int) -> str:
    """Column name of the top-k accuracy: ``top_10``."""
    return f"top_{k}"


def core_metrics(ks: Iterable[int]) -> tuple[str, ...]:
    """The metrics that are means over tiles, so that they are known for each core: cosines and accuracies."""
    return ("cosine", *(top_k_metric(k) for k in ks), "centred_cosine")


def metric_names(ks: Iterable[int]) -> tuple[str, ...]:
    """The metric columns of a pair table: ``cosine``, one accuracy for each k, then ``COSINE_CONTEXT``."""
    return ("cosine", *(top_k_metric(k) for k in ks), *COSINE_CONTEXT)


def pair_schema(ks: Iterable[int]) -> Schema:
    """Columns of a pair table: two slides, their group, and one number for each metric."""
    return {name: pl.String() for name in (*PAIR, "group")} | {name: pl.Float64() for name in metric_names(ks)}


def core_schema(ks: Iterable[int]) -> Schema:
    """Columns of a core table, one row a pair and core: sums over the tiles of the core.

    ``tiles`` is how many it has. A cosine is summed over them; ``top_k`` is hits at k of the tiles
    of both slides, so the accuracy is ``top_k / (2 tiles)``.
    """
    sums: Schema = {"cosine": pl.Float64(), **{top_k_metric(k): pl.Int64() for k in ks}, "centred_cosine": pl.Float64()}
    return {name: pl.String() for name in (*PAIR, "core")} | {"tiles": pl.Int64()} | sums


def summarise(pairs: pl.DataFrame, ks: Sequence[int]) -> pl.DataFrame:
    """Statistics of every metric over every group that has pairs.

    Groups are those of ``PairGroup``, then every two scanners among the cross-scanner pairs
    (``scanner AT2-P``) and every two stainings among the cross-staining ones (``staining GM-HR``).
    Quartiles interpolate linearly and the standard deviation divides by n (ddof 0), as in the
    published tables; ``iqr = q3 - q1``.

    Args:
        pairs: a table of ``pair_schema(ks)``; the order of its rows does not matter.
        ks: the cut-offs it holds.

    Returns:
        A table of ``SUMMARY_SCHEMA``, in the order of the groups and of the metrics. A group
        without pairs has no rows; one with a pair that is NaN has nulls.
    """
    metrics = metric_names(ks)
    long = in_groups(pairs).unpivot(on=metrics, index="group", variable_name="metric")
    known = pl.when(pl.col("value").is_nan().any()).then(None).otherwise(pl.col("value"))
    value = known.sort()  # sums in one order give the same bytes whatever the order of the pairs
    summary = long.group_by("group", "metric").agg(
        n_pairs=pl.len().cast(pl.Int64),
        median=value.median(),
        q1=value.quantile(0.25, interpolation="linear"),
        q3=value.quantile(0.75, interpolation="linear"),
        mean=value.mean(),
        std=value.std(ddof=0),
    )
    order = [str(group) for group in PairGroup]
    return (
        summary.with_columns(iqr=pl.col("q3") - pl.col("q1"))
        .sort(
            pl.col("group").replace_strict(order, range(len(order)), default=len(order)),
            "group",
            pl.col("metric").replace_strict(metrics, range(len(metrics))),
        )
        .select(*SUMMARY_SCHEMA)
    )


def in_groups(pairs: pl.DataFrame) -> pl.DataFrame:
    """Every pair once for each group that it belongs to."""
    of_axis = [
        pl.when(pl.col("group") == str(axis.group)).then(
            pl.concat_str(
                pl.lit(f"{axis} "),
                pl.min_horizontal(f"{axis}_a", f"{axis}_b"),
                pl.lit("-"),
                pl.max_horizontal(f"{axis}_a", f"{axis}_b"),
            )
        )
        for axis in Axis
    ]
    groups = pl.concat_list(pl.col("group"), pl.lit(str(PairGroup.ALL)), *of_axis).list.drop_nulls()
    return pairs.with_columns(group=groups).explode("group", empty_as_null=False)


def medians_between(summary: pl.DataFrame, axis: Axis, metric: str) -> pl.DataFrame:
    """Median of a metric for every two scanners, or two stainings, where nothing else differs.

    Args:
        summary: a table of ``SUMMARY_SCHEMA``.
        axis: scanner or staining.
        metric: one of its metrics.

    Returns:
        A table of ``a``, ``b``, ``n_pairs``, ``median``, sorted, each two codes once, ``a < b``.
    """
    codes = pl.col("group").str.strip_prefix(f"{axis} ").str.splitn("-", 2).struct
    return (
        summary.filter(pl.col("metric") == metric, pl.col("group").str.starts_with(f"{axis} "))
        .select(codes[0].alias("a"), codes[1].alias("b"), "n_pairs", "median")
        .sort("a", "b")
    )


@dataclass(frozen=True)
class Hardest:
    """The two scanners, or stainings, between which the median of a metric is the lowest.

    Args:
        a, b: their codes; of equal medians, the first by name.
        median: that median.
        n_alike: other two with the same median.
    """

    a: str
    b: str
    median: float
    n_alike: int


def hardest_between(summary: pl.DataFrame, axis: Axis, metric: str) -> Hardest | None:
    """The two scanners, or stainings, with the lowest median of a metric; None if there are none."""
    medians = medians_between(summary, axis, metric)
    if medians.is_empty():
        return None
    lowest = medians.filter(pl.col("median") == pl.col("median").min())
    a, b, median = lowest.select("a", "b", "median").row(0)
    return Hardest(a, b, median, len(lowest) - 1)


@dataclass(frozen=True)
class Breaker:
    """The one scanner, or staining, that is harder to match with any other than all others among themselves.

    Args:
        code: which.
        median: of its medians with each of the others.
        among_others: of the medians between every two of those.
    """

    code: str
    median: float
    among_others: float


def breaker_of(summary: pl.DataFrame, axis: Axis, metric: str) -> Breaker | None:
    """The scanner, or staining, that breaks a model by itself; None if no one does.

    Its highest median with another is at least a fifth below the lowest between two others: of three that are alike
    there is always one that the other two match better without.
    """
    medians = medians_between(summary, axis, metric).drop_nulls()
    sides = pl.concat([medians.select("median", code=side) for side in "ab"])
    best = sides.group_by("code").agg(pl.max("median")).sort("median", "code")
    if best.is_empty():
        return None
    code, high = best.row(0)
    is_its = (pl.col("a") == code) | (pl.col("b") == code)
    its, others = medians.filter(is_its)["median"], medians.filter(~is_its)["median"]
    if others.is_empty():
        return None
    if (others * _SHARE <= high).any():
        return None
    return Breaker(code, *(values.to_frame().select(pl.median("median")).item() for values in (its, others)))


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
            hint=AGAIN,
        )
    return table
