"""What the pairs of a result say of single slides: how each is matched, and which may not be what they are called."""

from dataclasses import dataclass

import polars as pl

from plismbench.dataset import Slide
from plismbench.results.aggregation import PAIR, top_k_metric

_SLIDE = ("staining", "scanner")
_FEWEST = 2  # other scanners that have to agree
_ODDS = 2.0  # of the published models the least between cross-scanner and cross-both is 6
_DEVIATIONS = 5.0  # standard deviations of the accuracy of one pair
_SHARE = 0.5  # its easiest pair against the hardest of the others: a slide that is a little blurred is above that
_SAME = 1 - 1e-6  # of vectors in float16, no two slides that were scanned come near it


@dataclass(frozen=True)
class Misfit:
    """A slide whose tiles are found again more on slides of another staining than on those of its own.

    Args:
        slide: as it is called.
        staining: that it fits.
    """

    slide: Slide
    staining: str


def misfits(pairs: pl.DataFrame, k: int, n_tiles: int) -> tuple[Misfit, ...]:
    """The slides that fit another staining than their own, by name: perhaps they were swapped.

    Of a slide, *own* is the mean top-k accuracy with the slides of its staining on other scanners, *other* that
    with another staining there, and *rest* that of the other slides of its staining among themselves. It is a
    misfit if its accuracy with the other staining is higher on every other scanner, two at least, and both
    *other* and *rest* are clearly above *own*. So neither a slide that is hard to match with any, nor those of a
    staining that is, are misfits. Clearly is: the odds a / (1 - a) are twice as high or more, and the difference
    is five times its standard deviation, were the 2 n_tiles tiles of one pair all there is:
    (a - b)² >= 25 (a (1 - a) + b (1 - b)) / (2 n_tiles).

    Args:
        pairs: a table of ``pair_schema``; pairs without a number are left out.
        k: the cut-off of the accuracy.
        n_tiles: of a slide.

    Returns:
        Of each such slide the staining with the highest *other*.
    """
    seen = _from_both(pairs, top_k_metric(k))
    alike = pl.col("staining") == pl.col("staining_b")
    own = seen.filter(alike).rename({"value": "own"}).drop("staining_b")
    of_slide = own.group_by(_SLIDE).agg(n_own=pl.len(), total=pl.col("own").sum(), own=pl.col("own").mean())
    # A pair is in the sums of both its slides: half of a staining's is each pair once, less the pairs of the slide.
    n_rest = pl.col("n_own").sum().over("staining") / 2 - pl.col("n_own")
    rest = (pl.col("total").sum().over("staining") / 2 - pl.col("total")) / n_rest
    fits = (
        seen.filter(~alike)
        .join(own.rename({"own": "beside"}), on=[*_SLIDE, "scanner_b"])
        .group_by(*_SLIDE, "staining_b")
        .agg(n=pl.len(), more=(pl.col("value") > pl.col("beside")).all(), other=pl.col("value").mean())
        .join(of_slide.with_columns(n_rest=n_rest, rest=rest), on=_SLIDE)
        .filter(
            "more",
            pl.col("n_rest") > 0,
            pl.col("n") >= _FEWEST,
            pl.col("n") == pl.col("n_own"),
            _clearly_above("other", "own", n_tiles),
            _clearly_above("rest", "own", n_tiles),
        )
        .sort(*_SLIDE, "other", "staining_b", descending=[False, False, True, False])
        .unique(_SLIDE, keep="first", maintain_order=True)
    )
    found = fits.select(*_SLIDE, "staining_b").iter_rows()
    return tuple(Misfit(Slide(staining, scanner), other) for staining, scanner, other in found)


def _clearly_above(high: str, low: str, n_tiles: int) -> pl.Expr:
    a, b = pl.col(high), pl.col(low)
    variance = (a * (1 - a) + b * (1 - b)) / (2 * n_tiles)
    return (a * (1 - b) >= _ODDS * b * (1 - a)) & (a > b) & ((a - b) ** 2 >= _DEVIATIONS**2 * variance)


def stray(pairs: pl.DataFrame, k: int, n_tiles: int) -> Slide | None:
    """The slide that matches none of the others, where these match one another: perhaps it is not registered.

    Its best top-k accuracy with any slide is below half of the lowest between any two others, and clearly so, as for
    `misfits`. Among those others its staining and its scanner are both seen, so that neither by itself is why. Two
    such slides hide each other.

    Args:
        pairs: a table of ``pair_schema``; pairs without a number are left out.
        k: the cut-off of the accuracy.
        n_tiles: of a slide.
    """
    seen = _from_both(pairs, top_k_metric(k))
    best = seen.group_by(_SLIDE).agg(best=pl.col("value").max()).sort("best", *_SLIDE)
    if best.is_empty():
        return None
    staining, scanner, _ = best.row(0)  # every other slide has a pair without this one
    is_a = (pl.col("staining") == staining) & (pl.col("scanner") == scanner)
    is_b = (pl.col("staining_b") == staining) & (pl.col("scanner_b") == scanner)
    others = seen.filter(~is_a, ~is_b)
    if staining not in others["staining"] or scanner not in others["scanner"]:
        return None
    found = best[:1].with_columns(worst=pl.lit(others["value"].min()))
    found = found.filter(pl.col("best") < pl.col("worst") * _SHARE, _clearly_above("worst", "best", n_tiles))
    return None if found.is_empty() else Slide(staining, scanner)


def copies(pairs: pl.DataFrame) -> tuple[tuple[Slide, ...], ...]:
    """The slides that have the same vectors, together: centred, they have a cosine of 1, to six digits.

    A model that gives every tile the same vector has none: centred, its vectors are 0.

    Args:
        pairs: a table of ``pair_schema``.
    """
    together: dict[Slide, list[Slide]] = {}
    known = pairs.drop_nans("centred_cosine")  # polars takes NaN for more than any number
    same = known.filter(pl.col("centred_cosine") >= _SAME).select(PAIR)
    for *a, staining, scanner in same.sort(PAIR).iter_rows():
        first, second = Slide(*a), Slide(staining, scanner)
        group = together.setdefault(first, [first])
        if second not in together:
            group.append(second)
            together[second] = group
    return tuple(tuple(group) for slide, group in together.items() if slide == group[0] and len(group) > 1)


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
