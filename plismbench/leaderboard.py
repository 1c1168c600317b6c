"""Results to a ranking; unlike results never share a table."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files
from itertools import groupby

import polars as pl

from plismbench.aggregation import top_k_metric
from plismbench.pairs import PairGroup
from plismbench.results import Result, read_result
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
        rank: from 1; models whose scores print alike, at three decimals, share the best of their
            ranks. None without a score.
        published: taken from the published table, not measured here.
        n_params, license, trained_on_plism: of the model.
    """

    name: str
    title: str
    cosine: float | None
    top10_cross_scanner: float | None
    top10_cross_staining: float | None
    top10_cross_both: float | None
    rank: int | None = None
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


@dataclass(frozen=True)
class Leaderboard:
    """Models under one signature, the best first, those without a score last."""

    signature: str
    rows: tuple[LeaderboardRow, ...]


def leaderboards(results: Iterable[Result]) -> tuple[Leaderboard, ...]:
    """One ranking for each signature among the results."""
    ordered = sorted(results, key=lambda result: result.run.signature)
    return tuple(
        Leaderboard(signature, _ranked(sorted(map(_row, group), key=_by_score)))
        for signature, group in groupby(ordered, key=lambda result: result.run.signature)
    )


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
    top_10 = top_k_metric(10)
    return LeaderboardRow(
        name=result.run.name,
        title=spec.get("title", ""),
        cosine=median(PairGroup.ALL, "cosine"),
        top10_cross_scanner=median(PairGroup.CROSS_SCANNER, top_10),
        top10_cross_staining=median(PairGroup.CROSS_STAINING, top_10),
        top10_cross_both=median(PairGroup.CROSS_BOTH, top_10),
        n_params=spec.get("n_params"),
        license=spec.get("license", ""),
        trained_on_plism=spec.get("trained_on_plism", False),
    )


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
