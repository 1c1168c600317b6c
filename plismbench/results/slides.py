"""What the pairs of a result say of single slides: how each is matched, and which may not be what they are called."""

from dataclasses import dataclass

import polars as pl

from plismbench.dataset import Slide
from plismbench.metrics.retrieval import chance
from plismbench.pairs import SlidePair
from plismbench.results.aggregation import PAIR, top_k_metric

_SLIDE = ("staining", "scanner")
_FEWEST = 2  # other scanners that have to agree
_ODDS = 2.0  # of the published models the least between cross-scanner and cross-both is 6
_ABOVE_CHANCE = 5.0  # times: below, accuracies say little
_SAME = 1 - 1e-6  # of vectors in float16, no two slides that were scanned come near it


@dataclass(frozen=True)
class Misfit:
    """A slide whose tiles are found again more on slides of another staining than on those of its own.

    Args:
        slide: as it is called.
        staining: that it fits.
        own, other: mean accuracy with the slides of its own staining, and of that one, on the other scanners.
    """

    slide: Slide
    staining: str
    own: float
    other: float


def misfits(pairs: pl.DataFrame, k: int, n_tiles: int) -> tuple[Misfit, ...]:
    """The slides that fit another staining than their own, by name: perhaps they were swapped.

    Scanners see the same section, so a slide is most like those of its own staining. It is a misfit if
    on every other scanner, two at least, its top-k accuracy is higher with another staining, the odds
    a / (1 - a) of the means a over these scanners differ by a factor of two or more, and the higher is
    five times chance; of several such stainings it fits the one with the highest mean.

    Args:
        pairs: a table of ``pair_schema``; pairs without a number are left out.
        k: the cut-off of the accuracy.
        n_tiles: of a slide.
    """
    seen = _from_both(pairs, top_k_metric(k)).filter(pl.col("scanner") != pl.col("scanner_b"))
    alike = pl.col("staining") == pl.col("staining_b")
    own = seen.filter(alike).select(*_SLIDE, "scanner_b", own="value")
    fits = (
        seen.filter(~alike)
        .join(own, on=[*_SLIDE, "scanner_b"])
        .group_by(*_SLIDE, "staining_b")
        .agg(
            n=pl.len(),
            more=(pl.col("value") > pl.col("own")).all(),
            own=pl.col("own").mean(),
            other=pl.col("value").mean(),
        )
        .filter(
            pl.col("n") >= _FEWEST,
            "more",
            pl.col("other") >= _ABOVE_CHANCE * chance(k, n_tiles),
            pl.col("other") * (1 - pl.col("own")) >= _ODDS * pl.col("own") * (1 - pl.col("other")),
        )
        .sort(*_SLIDE, "other", "staining_b", descending=[False, False, True, False])
        .unique(_SLIDE, keep="first", maintain_order=True)
    )
    return tuple(
        Misfit(Slide(row["staining"], row["scanner"]), row["staining_b"], row["own"], row["other"])
        for row in fits.iter_rows(named=True)
    )


def copies(pairs: pl.DataFrame, k: int) -> tuple[SlidePair, ...]:
    """The pairs of slides with the same vectors: every tile is the other's best match, at a cosine of 1.

    A model that gives many tiles the same vector has none, for it tells no tile apart.

    Args:
        pairs: a table of ``pair_schema``.
        k: the cut-off of the accuracy.
    """
    same = pairs.filter(pl.col("cosine") >= _SAME, pl.col(top_k_metric(k)) == 1).sort(PAIR)
    return tuple(SlidePair(Slide(*row[:2]), Slide(*row[2:])) for row in same.select(PAIR).iter_rows())


def medians_of_slides(pairs: pl.DataFrame, metric: str) -> pl.DataFrame:
    """Median of a metric over all pairs of each slide.

    Args:
        pairs: a table of ``pair_schema``; pairs without a number are left out.
        metric: one of its metrics.

    Returns:
        A table of ``staining``, ``scanner``, ``median``, sorted.
    """
    return _from_both(pairs, metric).group_by(_SLIDE).agg(median=pl.col("value").median()).sort(_SLIDE)


def _from_both(pairs: pl.DataFrame, metric: str) -> pl.DataFrame:
    """Every pair seen from each of its slides: ``staining``, ``scanner``, those of the other, and ``value``."""
    names = [*_SLIDE, "staining_b", "scanner_b", "value"]
    turned = (*PAIR[2:], *PAIR[:2])
    return pl.concat(
        pairs.select(*columns, metric).rename(dict(zip((*columns, metric), names, strict=True)))
        for columns in (PAIR, turned)
    ).drop_nans("value")
