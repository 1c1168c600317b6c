"""Results to a ranking; unlike results never share a table."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property, reduce
from itertools import groupby
from operator import add, attrgetter
from typing import Any

import polars as pl

from plismbench.dataset import PLISM
from plismbench.embeddings.efficiency import Efficiency
from plismbench.extractors.catalog import CATALOG
from plismbench.leaderboard.relative_times import known_times
from plismbench.metrics.retrieval import chance
from plismbench.pairs import PairGroup
from plismbench.published import (
    PUBLISHED_DEVICE,
    PUBLISHED_SIGNATURE,
    published_rows,
    published_times,
)
from plismbench.results.aggregation import TERMS
from plismbench.results.result import Result
from plismbench.results.uncertainty import Unit, interval, known_interval


@dataclass(frozen=True, kw_only=True)
class LeaderboardRow:
    """One model in a ranking.

    Args:
        name, title: of the model.
        cosine: median cosine similarity over all pairs; None where the result lacks it.
        top10_cross_scanner, top10_cross_staining, top10_cross_both: median top-10 accuracies over
            these pair groups; None where the result has no such pairs, or not k = 10.
        random_cosine, cosine_lift: medians over all pairs, see ``plismbench.metrics.cosine``; they
            tell how much of ``cosine`` is due to the tissue. None where unknown.
        score_low, score_high: 95 % interval of the score by resampling cores; None where unknown.
        score_slide_low, score_slide_high: the same by resampling slides.
        rank: from 1; models whose scores print alike, at three decimals, share the best of their
            ranks, unless the data can tell them apart. None without a score.
        rank_best, rank_worst: ranks that the data cannot tell apart: 1 + the number of models that
            are better, and the number that are not worse, where the 95 % interval of the difference
            of two scores, draw by draw, leaves out zero. None where an interval is unknown.
        published: taken from the published table, not measured here.
        n_params, license, trained_on_plism: of the model.
        relative_time: time a tile, relative to H0-mini on the same device; None where it is not known.
        cosine_low, cosine_high …: 95 % interval of each term by resampling cores; None where unknown.
    """

    name: str
    title: str
    cosine: float | None
    top10_cross_scanner: float | None
    top10_cross_staining: float | None
    top10_cross_both: float | None
    random_cosine: float | None = None
    cosine_lift: float | None = None
    score_low: float | None = None
    score_high: float | None = None
    score_slide_low: float | None = None
    score_slide_high: float | None = None
    rank: int | None = None
    rank_best: int | None = None
    rank_worst: int | None = None
    published: bool = False
    n_params: int | None = None
    license: str = ""
    trained_on_plism: bool = False
    relative_time: float | None = None
    cosine_low: float | None = None
    cosine_high: float | None = None
    top10_cross_scanner_low: float | None = None
    top10_cross_scanner_high: float | None = None
    top10_cross_staining_low: float | None = None
    top10_cross_staining_high: float | None = None
    top10_cross_both_low: float | None = None
    top10_cross_both_high: float | None = None

    @cached_property
    def score(self) -> float | None:
        """Mean of the four terms (plism-benchmark's leaderboard); None if one is not defined."""
        return _mean(self.cosine, *self.retrieval)

    @cached_property
    def score_without_cosine(self) -> float | None:
        """Mean of the three retrieval terms, which no constant vector can raise."""
        return _mean(*self.retrieval)

    @property
    def retrieval(self) -> tuple[float | None, float | None, float | None]:
        """The three retrieval terms."""
        return self.top10_cross_scanner, self.top10_cross_staining, self.top10_cross_both


def _mean(*terms: float | None) -> float | None:
    known = [term for term in terms if term is not None]
    # Added one by one: sum() rounds otherwise from Python 3.12 on, and .3335 is published as .333.
    return reduce(add, known) / len(known) if len(known) == len(terms) else None


@dataclass(frozen=True)
class Leaderboard:
    """Models under one signature, the best first, those without a score last, by the retrieval terms that they have.

    Args:
        signature: of all results.
        rows: the models.
        chance: top-10 accuracy of a model that ranks at random; None where it is not told.
        timed_on: the devices that relative times were measured on; empty without any.
    """

    signature: str
    rows: tuple[LeaderboardRow, ...]
    chance: float | None = None
    timed_on: str = ""


class Cost(StrEnum):
    """What a model takes."""

    PARAMETERS = "parameters"
    TIME = "time"

    def of(self, row: LeaderboardRow) -> float | None:
        """Of one model; None where it is not known."""
        return row.n_params if self is Cost.PARAMETERS else row.relative_time


def efficient(rows: Iterable[LeaderboardRow], cost: Cost) -> tuple[LeaderboardRow, ...]:
    """The Pareto front, the cheapest first: models of known cost with a better score than all that cost no more."""
    known = [row for row in rows if row.score is not None and cost.of(row)]
    front: list[LeaderboardRow] = []
    for row in sorted(known, key=lambda row: (cost.of(row), -(row.score or 0.0), row.name)):
        if not front or (row.score or 0.0) > (front[-1].score or 0.0):
            front.append(row)
    return tuple(front)


def leaderboards(results: Iterable[Result], costs: Sequence[Efficiency] = ()) -> tuple[Leaderboard, ...]:
    """One ranking for each signature among the results.

    Args:
        results: of any signatures.
        costs: what extractions cost. A ranking has these times if one of its models was measured as
            H0-mini was, on the same device, both in half precision or neither, else the published ones:
            never both, for devices differ in them. Parameters that a spec does not tell are those
            counted there.
    """
    boards = []
    counted = {cost.extractor: cost.n_params for cost in costs}
    signature_of = attrgetter("run.signature")
    for signature, group in groupby(sorted(results, key=signature_of), key=signature_of):
        found = {result.run.name: result for result in group}
        times, timed_on = known_times(set(found), costs)
        rows = [_row(result, counted.get(name), times.get(name)) for name, result in found.items()]
        ranked = _with_intervals(_ranked(sorted(rows, key=_by_score)), found)
        run = next(iter(found.values())).run
        known = chance(10, run.n_tiles) if 10 in run.ks else None
        boards.append(Leaderboard(signature, ranked, known, timed_on))
    return tuple(boards)


def published() -> Leaderboard:
    """The published table of 8,139 tiles, from the README of plism-benchmark (2025-03-03).

    What the table does not tell of a model is taken from the built-in extractor of its name.
    """
    specs = {spec.name: spec for spec in CATALOG}
    rows = []
    for fields in published_rows():  # in its printed order: UNI and Kaiko ViT-B/8 are tied at .325 there, and stay so
        terms = {name: value for name, value in fields.items() if name != "score"}
        spec = specs.get(fields["name"])
        row = LeaderboardRow(published=True, relative_time=published_times().get(fields["name"]), **terms)
        if spec:
            row = replace(row, n_params=spec.n_params, license=spec.license, trained_on_plism=spec.trained_on_plism)
        rows.append(row)
    return Leaderboard(PUBLISHED_SIGNATURE, _ranked(rows), chance(10, PLISM.n_tiles), PUBLISHED_DEVICE)


def _row(result: Result, counted: int | None, relative_time: float | None) -> LeaderboardRow:
    def read(group: PairGroup, metric: str, column: str = "median") -> float | None:
        found = result.summary.filter(pl.col("group") == str(group), pl.col("metric") == metric)[column]
        return next((value for value in found if value is not None and math.isfinite(value)), None)

    terms: dict[str, Any] = {}
    for term, where in TERMS.items():
        terms |= {term: read(*where), f"{term}_low": read(*where, "low"), f"{term}_high": read(*where, "high")}
    spec = result.run.extractor
    return LeaderboardRow(
        name=result.run.name,
        title=spec.get("title", ""),
        **terms,
        random_cosine=read(PairGroup.ALL, "random_cosine"),
        cosine_lift=read(PairGroup.ALL, "cosine_lift"),
        n_params=counted if spec.get("n_params") is None else spec["n_params"],
        license=spec.get("license", ""),
        trained_on_plism=spec.get("trained_on_plism", False),
        relative_time=relative_time,
    )


def _with_intervals(rows: Sequence[LeaderboardRow], results: Mapping[str, Result]) -> tuple[LeaderboardRow, ...]:
    """The rows with what the bootstraps say of scores, and that over cores of ranks."""
    draws = {name: score_draws(result.draws) for name, result in results.items()}
    known = {name: scores.to_numpy() for name, scores in draws.items() if not scores.null_count()}
    found = []
    for row in rows:
        low, high = known_interval(score_draws(results[row.name].draws, Unit.SLIDE).to_numpy())
        of_cores = _of_cores(row, known) if row.name in known else {}
        found.append(replace(row, score_slide_low=low, score_slide_high=high, **of_cores))
    return tuple(found)


def score_draws(draws: pl.DataFrame, unit: Unit = Unit.CORE) -> pl.Series:
    """The score of every draw: the mean of its four terms; null where one is not defined."""
    terms = pl.sum_horizontal(*TERMS, ignore_nulls=False) / len(TERMS)
    return draws.filter(pl.col("unit") == str(unit)).select(score=terms)["score"]


def _of_cores(row: LeaderboardRow, draws: Mapping[str, Any]) -> dict[str, Any]:
    low, high = interval(draws[row.name])
    differences = [interval(draws[row.name] - other) for name, other in draws.items() if name != row.name]
    best = 1 + sum(up < 0 for _, up in differences)
    worst = len(draws) - sum(down > 0 for down, _ in differences)
    # Two scores may print alike, and one still be better in nearly every draw.
    rank = None if row.rank is None else min(max(row.rank, best), worst)
    return {"score_low": low, "score_high": high, "rank": rank, "rank_best": best, "rank_worst": worst}


def _by_score(row: LeaderboardRow) -> tuple[bool, float, str]:
    """Sorts the best first, those without a score last by the mean of their retrieval terms, equals by name."""
    if row.score is not None:
        return False, -row.score, row.name
    known = [term for term in row.retrieval if term is not None]
    return True, -sum(known) / max(1, len(known)), row.name


def _ranked(rows: Sequence[LeaderboardRow]) -> tuple[LeaderboardRow, ...]:
    """Sorted rows with their ranks."""
    printed = [None if row.score is None else round(row.score, 3) for row in rows]
    return tuple(
        replace(row, rank=None if score is None else 1 + printed.index(score))
        for row, score in zip(rows, printed, strict=True)
    )
