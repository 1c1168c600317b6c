"""Results to a ranking; unlike results never share a table."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files
from itertools import groupby
from typing import Any

import polars as pl

from plismbench.aggregation import TERMS
from plismbench.pairs import PairGroup
from plismbench.results import Result, read_result
from plismbench.uncertainty import Unit, interval
from plismbench.workspace import Workspace

PUBLISHED_SIGNATURE = "plism@published|slides:91|tiles:8139|seed:42|k:1,3,5,10|fp16|owkin-fp16"
"""The published table: its cosines and norms were rounded to float16, so it has a protocol of its own."""


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
        rank: from 1; models whose scores print alike, at three decimals, share the best of their
            ranks. None without a score.
        rank_best, rank_worst: ranks that the data cannot tell apart: 1 + the number of models that
            are better, and the number that are not worse, where the 95 % interval of the difference
            of two scores, draw by draw, leaves out zero. None where an interval is unknown.
        published: taken from the published table, not measured here.
        n_params, license, trained_on_plism: of the model.
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
    rank: int | None = None
    rank_best: int | None = None
    rank_worst: int | None = None
    published: bool = False
    n_params: int | None = None
    license: str = ""
    trained_on_plism: bool = False

    @cached_property
    def score(self) -> float | None:
        """Mean of the four terms (plism-benchmark's leaderboard); None if one is not defined."""
        scanner, staining, both = self.top10_cross_scanner, self.top10_cross_staining, self.top10_cross_both
        if self.cosine is None or scanner is None or staining is None or both is None:
            return None
        # Added one by one: sum() rounds otherwise from Python 3.12 on, and .3335 is published as .333.
        return (self.cosine + scanner + staining + both) / 4

    @cached_property
    def score_without_cosine(self) -> float | None:
        """Mean of the three retrieval terms, which no constant vector can raise."""
        scanner, staining, both = self.top10_cross_scanner, self.top10_cross_staining, self.top10_cross_both
        if scanner is None or staining is None or both is None:
            return None
        return (scanner + staining + both) / 3


@dataclass(frozen=True)
class Leaderboard:
    """Models under one signature, the best first, those without a score last."""

    signature: str
    rows: tuple[LeaderboardRow, ...]


def leaderboards(results: Iterable[Result]) -> tuple[Leaderboard, ...]:
    """One ranking for each signature among the results."""
    ordered = sorted(results, key=lambda result: result.run.signature)
    boards = []
    for signature, group in groupby(ordered, key=lambda result: result.run.signature):
        found = {result.run.name: result for result in group}
        rows = _ranked(sorted(map(_row, found.values()), key=_by_score))
        boards.append(Leaderboard(signature, _with_intervals(rows, found)))
    return tuple(boards)


def published() -> Leaderboard:
    """The published table of 8,139 tiles, from the README of plism-benchmark (2025-03-03)."""
    table = json.loads((files("plismbench") / "resources" / "published.json").read_text(encoding="utf-8"))
    # In its printed order: UNI and Kaiko ViT-B/8 are tied at .325 there, and stay so.
    rows = [
        LeaderboardRow(published=True, **{field: value for field, value in row.items() if field != "score"})
        for row in table["leaderboard"]["rows"]
    ]
    return Leaderboard(PUBLISHED_SIGNATURE, _ranked(rows))


def read_results(workspace: Workspace) -> list[Result]:
    """Every whole result of a data set, by name.

    Raises:
        CorruptFile: if one is damaged.
    """
    return [read_result(folder) for folder in workspace.evaluated()]


def _row(result: Result) -> LeaderboardRow:
    def median(group: PairGroup, metric: str) -> float | None:
        found = result.summary.filter(pl.col("group") == str(group), pl.col("metric") == metric)["median"]
        return next((value for value in found if value is not None and math.isfinite(value)), None)

    spec = result.run.extractor
    return LeaderboardRow(
        name=result.run.name,
        title=spec.get("title", ""),
        cosine=median(*TERMS["cosine"]),
        top10_cross_scanner=median(*TERMS["top10_cross_scanner"]),
        top10_cross_staining=median(*TERMS["top10_cross_staining"]),
        top10_cross_both=median(*TERMS["top10_cross_both"]),
        random_cosine=median(PairGroup.ALL, "random_cosine"),
        cosine_lift=median(PairGroup.ALL, "cosine_lift"),
        n_params=spec.get("n_params"),
        license=spec.get("license", ""),
        trained_on_plism=spec.get("trained_on_plism", False),
    )


def _with_intervals(rows: Sequence[LeaderboardRow], results: Mapping[str, Result]) -> tuple[LeaderboardRow, ...]:
    """The rows with what the bootstrap over cores says of scores and ranks."""
    draws = {name: score_draws(result.draws) for name, result in results.items()}
    known = {name: scores.to_numpy() for name, scores in draws.items() if not scores.null_count()}
    return tuple(replace(row, **_interval_fields(row.name, known)) if row.name in known else row for row in rows)


def score_draws(draws: pl.DataFrame, unit: Unit = Unit.CORE) -> pl.Series:
    """The score of every draw: the mean of its four terms; null where one is not defined."""
    terms = pl.sum_horizontal(*TERMS, ignore_nulls=False) / len(TERMS)
    return draws.filter(pl.col("unit") == str(unit)).select(score=terms)["score"]


def _interval_fields(name: str, draws: Mapping[str, Any]) -> dict[str, Any]:
    low, high = interval(draws[name])
    differences = [interval(draws[name] - other) for other_name, other in draws.items() if other_name != name]
    better, worse = sum(up < 0 for _, up in differences), sum(down > 0 for down, _ in differences)
    return {"score_low": low, "score_high": high, "rank_best": 1 + better, "rank_worst": len(draws) - worse}


def _by_score(row: LeaderboardRow) -> tuple[bool, float, str]:
    """Sorts the best first, those without a score last, equals by name."""
    return row.score is None, -(row.score or 0.0), row.name


def _ranked(rows: Sequence[LeaderboardRow]) -> tuple[LeaderboardRow, ...]:
    """Sorted rows with their ranks."""
    printed = [None if row.score is None else round(row.score, 3) for row in rows]
    return tuple(
        replace(row, rank=None if score is None else 1 + printed.index(score))
        for row, score in zip(rows, printed, strict=True)
    )
