"""Two models on the same slides: how far apart they are, how sure that is, and where it comes from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from plismbench.errors import InvalidInput
from plismbench.leaderboard.leaderboard import leaderboards, score_draws
from plismbench.leaderboard.significance import holm, signed_rank
from plismbench.pairs import Axis, PairGroup
from plismbench.results.aggregation import PAIR, TERMS, Schema, core_metrics, medians_between, top_k_metric
from plismbench.results.result import Result
from plismbench.results.uncertainty import MIN_UNITS, Unit, core_medians, known_interval, tiles_per_count
from plismbench.search.vectors import Float64

SCORE = "score"

_DIGITS = 12  # of a core's difference: further ones depend on the order of summation, and would be ranked

CONTRAST_SCHEMA: Schema = {
    "axis": pl.String(),
    "a": pl.String(),
    "b": pl.String(),
    **dict.fromkeys(("first", "second", "difference", "low", "high"), pl.Float64()),
}
"""Medians of two models between every two scanners, or stainings, and their difference with its interval."""


@dataclass(frozen=True)
class Difference:
    """How much more the first model has of one number.

    Args:
        term: ``score`` or one of its four terms.
        first, second: of the two models; None where not defined.
        low, high: 95 % interval of first − second by resampling cores, both models on the same draws.
        slide_low, slide_high: the same by resampling slides.
    """

    term: str
    first: float | None
    second: float | None
    low: float | None
    high: float | None
    slide_low: float | None
    slide_high: float | None

    @property
    def value(self) -> float | None:
        """First − second."""
        return None if self.first is None or self.second is None else self.first - self.second


@dataclass(frozen=True, kw_only=True)
class PairwiseComparison:
    """One model against another.

    Args:
        first, second: their names.
        differences: of the score, then of its terms.
        n_cores, n_better: cores in which both have a score, and those in which the first is better.
        p_value: of the one-sided signed-rank test over cores that the first has the better score; None
            where fewer than 6 cores have a score.
        corrected: the same after Holm's correction for all the models that the first is tested against.
        metric: of the contrasts.
        contrasts: of ``CONTRAST_SCHEMA``, the largest differences first, whichever their sign.
    """

    first: str
    second: str
    differences: tuple[Difference, ...]
    n_cores: int
    n_better: int
    p_value: float | None
    corrected: float | None
    metric: str
    contrasts: pl.DataFrame


@dataclass(frozen=True)
class Comparison:
    """The first model against each of the others, under one signature."""

    signature: str
    pairwise: tuple[PairwiseComparison, ...]


def compare(results: Sequence[Result], names: Sequence[str]) -> tuple[Comparison, ...]:
    """The first of the named models against each of the others, under every signature that all of them have.

    The test is that of the H0-mini paper, over units that are independent enough: the cores. Each
    core has a score of its own, the mean of the four medians over pairs of what its tiles give.

    Args:
        results: everything there is.
        names: two models or more.

    Raises:
        InvalidInput: if fewer than two are named, one twice, or no signature has all of them.
    """
    if len(set(names)) < 2 or len(set(names)) < len(names):
        raise InvalidInput(f"A comparison needs two different models or more; got {', '.join(names) or 'none'}.")
    found: dict[str, dict[str, Result]] = {}
    for result in results:
        if result.run.name in names:
            found.setdefault(result.run.signature, {})[result.run.name] = result
    whole = {signature: by_name for signature, by_name in sorted(found.items()) if len(by_name) == len(names)}
    if not whole:
        has = {name: [signature for signature in found if name in found[signature]] for name in names}
        available = "; ".join(f"{name} has {', '.join(sorted(has[name])) or 'no result'}" for name in names)
        raise InvalidInput(
            f"These models have no signature in common: {available}.",
            hint="Only like results are compared: run `plismbench evaluate` on all of them alike.",
        )
    return tuple(
        Comparison(signature, _pairwise([by_name[name] for name in names])) for signature, by_name in whole.items()
    )


def core_scores(result: Result) -> dict[str, float]:
    """The score of every core by its name, NaN where a pair has none; nothing where a term is not defined."""
    ks = result.run.ks
    if any(metric not in core_metrics(ks) for _, metric in TERMS.values()):
        return {}
    long = result.cores.join(result.pairs.select(*PAIR, "group"), on=PAIR)
    medians = {}
    for term, (group, metric) in TERMS.items():
        each = pl.col(metric) / (tiles_per_count(metric) * pl.col("tiles"))
        if group is not PairGroup.ALL:
            each = each.filter(pl.col("group") == str(group))
        medians[term] = pl.when(each.is_finite().all()).then(each.median()).otherwise(math.nan)
    terms = long.group_by("core").agg(**medians).drop_nulls()
    scored = terms.select("core", score=pl.sum_horizontal(*TERMS) / len(TERMS)).sort("core")
    return dict(zip(scored["core"], scored["score"], strict=True))


def _pairwise(results: Sequence[Result]) -> tuple[PairwiseComparison, ...]:
    first, *others = results
    gaps = {other.run.name: _gaps_of_cores(first, other) for other in others}
    p_values = {name: signed_rank(gap) for name, gap in gaps.items() if len(gap) >= MIN_UNITS}
    corrected = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    metric = top_k_metric(first.run.shown_k)
    return tuple(
        PairwiseComparison(
            first=first.run.name,
            second=other.run.name,
            differences=_differences(first, other),
            n_cores=len(gaps[other.run.name]),
            n_better=int((gaps[other.run.name] > 0).sum()),
            p_value=p_values.get(other.run.name),
            corrected=corrected.get(other.run.name),
            metric=metric,
            contrasts=_contrasts(first, other, metric),
        )
        for other in others
    )


def _gaps_of_cores(first: Result, second: Result) -> Float64:
    """First − second of the score of every core in which both have one."""
    of_first, of_second = core_scores(first), core_scores(second)
    if of_first.keys() != of_second.keys():
        raise InvalidInput(f"{first.run.name} and {second.run.name} have other cores, so nothing pairs up.")
    gaps = np.array([of_first[core] - of_second[core] for core in of_second], np.float64).round(_DIGITS)
    return gaps[np.isfinite(gaps)]


def _differences(first: Result, second: Result) -> tuple[Difference, ...]:
    def draws(result: Result, term: str, unit: Unit) -> Float64:
        if term == SCORE:
            return score_draws(result.draws, unit).to_numpy()
        return result.draws.filter(pl.col("unit") == str(unit))[term].to_numpy()

    (board,) = leaderboards([first, second])
    rows = {row.name: row for row in board.rows}
    found = []
    for term in (SCORE, *TERMS):
        a, b = (getattr(rows[result.run.name], term) for result in (first, second))
        by_core, by_slide = (known_interval(draws(first, term, unit) - draws(second, term, unit)) for unit in Unit)
        found.append(Difference(term, a, b, *by_core, *by_slide))
    return tuple(found)


def _contrasts(first: Result, second: Result, metric: str) -> pl.DataFrame:
    of_first, of_second = (core_medians(result.pairs, result.cores, metric) for result in (first, second))
    rows = []
    for axis in Axis:
        medians = medians_between(first.summary, axis, metric).join(
            medians_between(second.summary, axis, metric), on=("a", "b"), suffix="_second"
        )
        for row in medians.iter_rows(named=True):
            group = f"{axis} {row['a']}-{row['b']}"
            drawn = of_first[group] - of_second[group] if group in of_first else None
            difference = row["median"] - row["median_second"]
            rows.append(
                (str(axis), row["a"], row["b"], row["median"], row["median_second"], difference, *known_interval(drawn))
            )
    table = pl.DataFrame(rows, schema=CONTRAST_SCHEMA, orient="row")
    return table.sort("axis", -pl.col("difference").abs(), "a", "b")
