"""Whether the tables of a submission are possible, and each follows from the one below it.

Cores are the ground: pairs follow from them, the summary and the draws from both. Cores have no sums
over tiles that do not match, so ``random_cosine`` and ``cosine_lift`` of a pair are only held against
its cosine and their range. What is left to trust is that those two and the cores came from the vectors;
whoever makes them up consistently is not found out.
"""

import math
from itertools import pairwise

import polars as pl

from plismbench.dataset import Slide
from plismbench.errors import RejectedSubmission
from plismbench.metrics.protocol import OWKIN
from plismbench.pairs import slide_pairs
from plismbench.results.aggregation import PAIR, core_metrics, top_k_metric
from plismbench.results.result import Result, summary_and_draws
from plismbench.results.uncertainty import INTERVAL_SCHEMA, tiles_per_count

_CLOSE = 1e-9  # of sums in another order
_CLOSE_OWKIN = 1e-3  # its mean cosine is a float16
_ABOVE_OWKIN = 3e-3  # how far five roundings to float16 take a cosine above 1
_CLOSE_INTERVALS = 1e-5  # stored with six digits


def check_tables(result: Result) -> None:
    """Checks every number of a result.

    Raises:
        RejectedSubmission: with the first reason why not, and the pair or group that it was found in.
    """
    for name, table in (("pair", result.pairs), ("core", result.cores)):
        if any(table.null_count().row(0)):
            raise RejectedSubmission(f"Its {name} table has empty cells.")
    _check_pairs(result)
    _check_cores(result)
    _check_pairs_follow(result)
    _check_summary_follows(result)


def _check_pairs(result: Result) -> None:
    slides = {str(slide): slide for slide in map(Slide.parse, result.run.slides)}
    expected = [(*pair.codes, str(pair.group)) for pair in slide_pairs(slides.values())]
    found = result.pairs.select(*PAIR, "group").rows()
    if sorted(found) != expected:
        wrong = next((_named(pair) for pair in sorted(set(expected) ^ set(found))), "one stands there twice")
        raise RejectedSubmission(
            f"Its {len(slides)} slides make {len(expected):,} pairs, and it has {len(found):,}: see {wrong}."
        )
    # What does not follow from cores. The lift has no lower bound: its denominator is small where vectors are alike.
    for name, least in (("random_cosine", -1 - _CLOSE), ("cosine_lift", -math.inf)):
        possible = pl.col(name).is_finite() & pl.col(name).is_between(least, 1 + _CLOSE)
        _require(result.pairs, ~possible, f"{name} cannot be")


def _check_cores(result: Result) -> None:
    cores, run = result.cores, result.run
    layouts = cores.group_by(PAIR).agg(pl.col("core").sort(), pl.col("tiles").sort_by("core"))
    if set(layouts.select(PAIR).rows()) != set(result.pairs.select(PAIR).rows()):
        raise RejectedSubmission("Its core table is of other pairs than its pair table.")
    if layouts.select("core", "tiles").unique().height != 1:
        raise RejectedSubmission("Its pairs have not all the same cores with the same tiles.")
    names, tiles = layouts.row(0)[-2:]
    if len(set(names)) != len(names) or min(tiles) < 1 or sum(tiles) != run.n_tiles:
        raise RejectedSubmission(f"The tiles of its cores are {sum(tiles):,}, and it says {run.n_tiles:,}.")
    for metric in core_metrics(run.ks):
        if metric.startswith("top_"):
            impossible = (pl.col(metric) < 0) | (pl.col(metric) > 2 * pl.col("tiles"))
        else:
            above = _ABOVE_OWKIN if metric == "cosine" and run.protocol == OWKIN else _CLOSE
            impossible = ~(pl.col(metric).abs() <= pl.col("tiles") * (1 + above))  # NaN too
        _require(cores, impossible, f"a core's {metric} cannot be")
    for smaller, larger in pairwise(top_k_metric(k) for k in sorted(run.ks)):
        _require(cores, pl.col(smaller) > pl.col(larger), f"a core has more hits at {smaller} than at {larger}")


def _check_pairs_follow(result: Result) -> None:
    run, metrics = result.run, core_metrics(result.run.ks)
    sums = result.cores.group_by(PAIR).agg(pl.col(metrics).sum().name.suffix("_sum"))
    both = result.pairs.join(sums, on=PAIR)
    for metric in metrics:
        close = _CLOSE_OWKIN if metric == "cosine" and run.protocol == OWKIN else _CLOSE
        expected = pl.col(f"{metric}_sum") / (tiles_per_count(metric) * run.n_tiles)
        _require(both, (pl.col(metric) - expected).abs() > close, f"{metric} does not follow from its cores")
    if run.protocol != OWKIN:
        above = pl.col("cosine") - pl.col("random_cosine")
        lifted = pl.col("cosine_lift") * (1 - pl.col("random_cosine"))
        _require(both, (above - lifted).abs() > _CLOSE, "cosine_lift does not follow from its cosines")


def _check_summary_follows(result: Result) -> None:
    expected, draws = summary_and_draws(result.pairs, result.cores, result.run.ks)
    if not result.summary.select("group", "metric", "n_pairs").equals(expected.select("group", "metric", "n_pairs")):
        raise RejectedSubmission("Its summary has other groups, metrics or numbers of pairs than its pairs make.")
    for name in expected.columns[3:]:
        close = _CLOSE_INTERVALS if name in INTERVAL_SCHEMA else _CLOSE
        differs = _differ(result.summary[name], expected[name], close)
        if differs.any():
            row = expected.filter(differs).row(0, named=True)
            raise RejectedSubmission(
                f"Its summary does not follow from its pairs: {name} of {row['group']}, {row['metric']}."
            )
    if result.draws.height != draws.height or not result.draws["unit"].equals(draws["unit"]):
        raise RejectedSubmission("Its draws are not 2,000 by core and 2,000 by slide.")
    for name in draws.columns[1:]:
        if _differ(result.draws[name], draws[name], _CLOSE_INTERVALS).any():
            raise RejectedSubmission(f"Its draws of {name} do not follow from its pairs and cores.")


def _differ(found: pl.Series, expected: pl.Series, close: float) -> pl.Series:
    """Where one is known and the other is not, or they are apart, or one is NaN."""
    apart = ~((found - expected).abs() <= close)
    return (found.is_null() != expected.is_null()) | apart.fill_null(value=False)


def _require(table: pl.DataFrame, impossible: pl.Expr, words: str) -> None:
    wrong = table.filter(impossible)
    if len(wrong):
        raise RejectedSubmission(f"{_named(wrong.select(*PAIR).sort(PAIR).row(0))}: {words}.")


def _named(pair: tuple[str, ...]) -> str:
    return f"{pair[0]}_{pair[1]}, {pair[2]}_{pair[3]}"
