"""How far a median would move on another piece of the same tissue, or with other slides.

The 91 slides of PLISM are one block of 46 cores. A slide is in 90 pairs and tiles share cores, so
neither pairs nor tiles are independent. Two bootstraps respect that, each with 2,000 seeded draws
that are the same for every model, so that differences between models can be taken draw by draw:

core    cores with replacement; a pair's metric is recomputed from the sums of the cores drawn
slide   stainings and scanners, both with replacement; a pair counts as often as the product of the
        counts of its stainings and scanners (Owen 2007, the pigeonhole bootstrap)

The first says what other tissue would do and is the default; the second what other stainings and
scanners would do, as far as these stand for them. Slides drawn one by one would say less: all slides
of a staining share what it does to them. Intervals are the 2.5th and 97.5th percentile.

Of n units fewer than n are drawn, 43 of 46 cores, 10 of 13 stainings and 4 of 7 scanners: see `n_drawn`.
"""

from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

from plismbench.pairs import Axis, PairGroup
from plismbench.results.aggregation import PAIR, TERMS, Schema, core_metrics, in_groups, metric_names
from plismbench.search.vectors import Float64

N_DRAWS = 2_000
SEED = 42
LEVEL = 0.95

MIN_UNITS = 6
"""Units, be they cores, stainings or scanners: of five, two would be drawn, and often one and the same."""
_ENOUGH = 0.9  # share of the draws in which a group must have pairs for its interval to mean anything
_DIGITS = 6  # further ones depend on the order of summation

DRAWS_SCHEMA: Schema = {"unit": pl.String(), **dict.fromkeys(TERMS, pl.Float64())}

INTERVAL_SCHEMA: Schema = {
    "group": pl.String(),
    "metric": pl.String(),
    **dict.fromkeys(("low", "high", "slide_low", "slide_high"), pl.Float64()),
}


class Unit(StrEnum):
    """What is drawn with replacement."""

    CORE = "core"
    SLIDE = "slide"


def bootstrap(pairs: pl.DataFrame, cores: pl.DataFrame, ks: Sequence[int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Draws of every median.

    Args:
        pairs: a table of ``pair_schema(ks)``.
        cores: the table of ``core_schema(ks)`` of the same pairs.
        ks: the cut-offs.

    Returns:
        Two tables. ``INTERVAL_SCHEMA``: the interval of every median of ``summarise``, by cores
        (null for a metric that is no mean over tiles, and with fewer than 6 cores) and by slides
        (null with 2 to 5 stainings or scanners, and where a group is empty in more than a tenth of
        the draws; all pairs are taken from draws of several of either); null for what a pair
        of the group lacks.
        ``DRAWS_SCHEMA``: the four terms of the score, draw by draw, 2,000 by cores, then 2,000 by
        slides; null where undefined.
    """
    pairs = pairs.sort(PAIR)
    by_metric = {metric: core_medians(pairs, cores, metric) for metric in core_metrics(ks)}
    of_cores = {(group, metric): draws for metric, medians in by_metric.items() for group, draws in medians.items()}
    medians = {Unit.CORE: of_cores, Unit.SLIDE: _slide_medians(pairs, ks)}
    intervals = [
        (group, metric, *(bound for unit in Unit for bound in known_interval(medians[unit].get((group, metric)))))
        for group in _members(pairs)
        for metric in metric_names(ks)
    ]
    unknown = np.full(N_DRAWS, np.nan)
    draws = [
        pl.DataFrame(
            {"unit": [str(unit)] * N_DRAWS}
            | {
                term: medians[unit].get((str(group), of), unknown).round(_DIGITS) for term, (group, of) in TERMS.items()
            },
            schema=DRAWS_SCHEMA,
        )
        for unit in Unit
    ]
    return pl.DataFrame(intervals, schema=INTERVAL_SCHEMA, orient="row"), pl.concat(draws).fill_nan(None)


def core_medians(pairs: pl.DataFrame, cores: pl.DataFrame, metric: str) -> dict[str, Float64]:
    """Draws by cores of the median of one metric, for every group of ``in_groups``.

    Args:
        pairs: a table of ``pair_schema``.
        cores: the table of ``core_schema`` of the same pairs.
        metric: one of ``core_metrics``.

    Returns:
        (n_draws,) float64 by name of the group; nothing with fewer than 6 cores, nor for a group with
        a pair whose sums are not finite.
    """
    pairs = pairs.sort(PAIR)
    ordered = cores.sort(*PAIR, "core")
    tiles = ordered["tiles"].to_numpy().reshape(len(pairs), -1)[0].astype(np.float64)
    n_cores = len(tiles)
    if n_cores < MIN_UNITS:
        return {}
    counts = _counts(np.random.default_rng(SEED), n_cores)
    shares = counts / (counts @ tiles)[:, None] / tiles_per_count(metric)
    sums = np.ascontiguousarray(ordered[metric].to_numpy().reshape(len(pairs), n_cores).T, np.float64)
    return {
        group: np.median(shares @ sums[:, rows], axis=1, overwrite_input=True)
        for group, rows in _members(pairs).items()
        if np.isfinite(sums[:, rows]).all()
    }


def _slide_medians(pairs: pl.DataFrame, ks: Sequence[int]) -> dict[tuple[str, str], Float64]:
    """Draws by slides of the median of each metric of a sorted pair table, by group and metric."""
    weights = slide_weights(pairs)
    if weights is None:
        return {}
    medians = {}
    for group, rows in _members(pairs).items():
        of_group = weights[rows]
        if group == PairGroup.ALL:
            of_group = of_group * _mixed(pairs, weights)
        for metric in metric_names(ks):
            values = pairs[metric].to_numpy()[rows]
            if np.isfinite(values).all():
                medians[group, metric] = weighted_medians(values, of_group)
    return medians


def n_drawn(n_units: int) -> int:
    """How many units are drawn of so few, so that intervals hold what they promise.

    As many draws as units scatter too little, by (n − 1) / n, and their percentiles take the normal
    distribution's tails where Student's are due (Hesterberg 2015, What Teachers Should Know About the
    Bootstrap): intervals would be too short. The scatter grows as fewer are drawn: (n − 1) (z / t)² of
    them, with the 97.5th percentiles z and t (n − 1 degrees of freedom), make up for both. How often
    intervals then hold what is true: ``benchmarks/coverage.py``.
    """
    from scipy.special import ndtri, stdtrit  # loaded where it is needed: rankings ask for intervals alone

    if n_units == 1:
        return 1
    tail = (1 + LEVEL) / 2
    return round((n_units - 1) * float(ndtri(tail) / stdtrit(n_units - 1, tail)) ** 2)


def tiles_per_count(metric: str) -> int:
    """Hits are those of the tiles of both slides, a cosine is of one tile and its counterpart."""
    return 2 if metric.startswith("top_") else 1


def weighted_medians(values: Float64, weights: npt.NDArray[np.int32]) -> Float64:
    """The median of ``values``, each taken as often as its weight says, for each draw.

    Args:
        values: (n,) float64.
        weights: (n, n_draws) int32, how often each value counts in each draw.

    Returns:
        (n_draws,) float64; the mean of the two in the middle where their number is even, NaN where
        every weight is 0.
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    below = weights[order]
    for above, row in pairwise(below):  # np.cumsum goes down one column after another, five times as slowly
        row += above
    total = below[-1]
    # Where a draw has nothing, every place is past the end; what stands there is replaced below.
    last = len(ordered) - 1
    lower, upper = (
        ordered[np.minimum((below <= middle).sum(axis=0), last)] for middle in ((total - 1) // 2, total // 2)
    )
    return np.where(total > 0, (lower + upper) / 2, np.nan)


def interval(draws: Float64) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return round(float(low), _DIGITS), round(float(high), _DIGITS)


def known_interval(draws: Float64 | None) -> tuple[float | None, float | None]:
    """The interval of what is defined in nearly every draw; else nothing."""
    if draws is None:
        return None, None
    defined = draws[np.isfinite(draws)]
    return interval(defined) if len(defined) >= _ENOUGH * len(draws) else (None, None)


def _counts(random: np.random.Generator, n_units: int) -> npt.NDArray[np.int64]:
    """(n_draws, n_units): how often each is drawn."""
    return random.multinomial(n_drawn(n_units), np.full(n_units, 1 / n_units), N_DRAWS)


def _members(pairs: pl.DataFrame) -> dict[str, npt.NDArray[np.uint32]]:
    """The rows of a pair table that are in each group."""
    numbered = in_groups(pairs.with_row_index("row")).select("row", "group")
    return {str(group): rows["row"].to_numpy() for (group,), rows in numbered.group_by("group")}


def _mixed(pairs: pl.DataFrame, weights: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """(n_draws,): not of one staining alone, nor of one scanner, whose pairs stand for no others."""
    differ = [(pairs[f"{axis}_a"] != pairs[f"{axis}_b"]).to_numpy() for axis in Axis]
    mixed: npt.NDArray[np.bool_] = np.all([weights[rows].any(axis=0) for rows in differ if rows.any()], axis=0)
    return mixed


def slide_weights(pairs: pl.DataFrame) -> npt.NDArray[np.int32] | None:
    """How often each pair is in each draw of slides: the product of the counts of its stainings and scanners.

    One that both slides share counts once.

    Args:
        pairs: a table with the columns ``PAIR``.

    Returns:
        (n_pairs, n_draws) int32; None with 2 to 5 stainings, or scanners. One that is alone stays.
    """
    random = np.random.default_rng(SEED)
    weights = np.ones((len(pairs), N_DRAWS), np.int32)
    for axis in ("staining", "scanner"):
        first, second = (pairs[f"{axis}_{side}"].to_list() for side in "ab")
        place = {name: number for number, name in enumerate(sorted({*first, *second}))}
        if 1 < len(place) < MIN_UNITS:
            return None
        counts = np.ascontiguousarray(_counts(random, len(place)).T, np.int32)
        for row, a, b in zip(weights, first, second, strict=True):
            row *= counts[place[a]]
            if a != b:
                row *= counts[place[b]]
    return weights
