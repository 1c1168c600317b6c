import dataclasses

import polars as pl
import pytest
from submission_files import SLIDES
from synthetic_results import CORES, make_result

from plismbench.errors import RejectedSubmission
from plismbench.results.aggregation import summarise
from plismbench.results.uncertainty import bootstrap
from plismbench.submissions.table_checks import check_tables


def whole(**changes):
    return make_result(slides=SLIDES, ks=(1, 5, 10), n_tiles=sum(CORES.values()), **changes)


def first(column, value):
    """Changes one number: that of the first row."""
    return lambda table: table.with_columns(
        pl.when(pl.int_range(pl.len()) == 0)
        .then(value)
        .otherwise(pl.col(column))
        .cast(table.schema[column])
        .alias(column)
    )


def with_tables(result, pairs, cores):
    """The result of other pairs and cores."""
    intervals, draws = bootstrap(pairs, cores, result.run.ks)
    summary = summarise(pairs, result.run.ks).join(intervals, on=["group", "metric"], maintain_order="left")
    return dataclasses.replace(result, pairs=pairs, cores=cores, summary=summary, draws=draws)


def test_an_honest_result_holds():
    check_tables(whole())
    rounded = whole()  # the last of its six digits depends on the order of summation
    check_tables(dataclasses.replace(rounded, summary=first("low", pl.col("low") + 3e-6)(rounded.summary)))
    check_tables(make_result(slides=SLIDES[:2], ks=(1, 5), n_tiles=sum(CORES.values())))


@pytest.mark.parametrize("level", [-4, 4])
def test_the_worst_and_the_best_that_can_be_hold(level):
    """All cosines are -1 and nothing is a hit; or all are 1, and everything is one at the largest k."""
    result = whole(level=level)
    assert set(result.pairs["cosine"].round(9)) == {level / 4}
    assert set(result.pairs["top_10"]) == {max(0, level / 4)}
    check_tables(result)


@pytest.mark.parametrize(
    ("table", "change", "words"),
    [
        # One number changed, in each table.
        ("pairs", first("top_10", pl.col("top_10") + 0.01), "top_10 does not follow from its cores"),
        ("pairs", first("cosine", pl.col("cosine") + 1e-6), "cosine does not follow from its cores"),
        ("pairs", first("centred_cosine", 0.1), "centred_cosine does not follow"),
        ("pairs", first("random_cosine", 0.1), "cosine_lift does not follow from its cosines"),
        ("pairs", first("cosine_lift", 0.9), "cosine_lift does not follow"),
        ("cores", first("top_10", pl.col("top_10") + 1), "top_10 does not follow from its cores"),
        ("cores", first("cosine", pl.col("cosine") + 0.001), "cosine does not follow from its cores"),
        ("summary", first("median", pl.col("median") + 0.001), "does not follow .* median of cross-scanner, cosine"),
        ("summary", first("iqr", 0.5), "iqr of cross-scanner"),
        ("summary", first("n_pairs", 3), "other groups, metrics or numbers of pairs"),
        ("summary", first("low", 0.0), "low of cross-scanner"),
        ("summary", first("low", pl.col("low") + 3e-5), "low of cross-scanner"),
        ("summary", first("low", None), "low of cross-scanner"),
        ("summary", first("median", float("nan")), "median of cross-scanner"),
        ("draws", first("top10_cross_both", pl.col("top10_cross_both") + 3e-5), "draws of top10_cross_both"),
        ("draws", first("top10_cross_both", 0.9), "draws of top10_cross_both do not follow"),
        # Rows dropped, doubled, or other than the slides make.
        ("pairs", lambda table: table[1:], "4 slides make 6 pairs, and it has 5: see GM_AT2, GM_P"),
        ("pairs", lambda table: pl.concat([table, table[:1]]), "and it has 7: see one stands there twice"),
        ("pairs", first("group", pl.lit("cross-both")), "see GM_AT2, GM_P"),
        ("cores", lambda table: table[1:], "not all the same cores"),
        ("cores", lambda table: table[len(CORES) :], "core table is of other pairs than its pair table"),
        ("cores", lambda table: table.with_columns(pl.col("scanner_b") + "x"), "core table is of other pairs"),
        ("cores", lambda table: pl.concat([table, table[:1]]), "not all the same cores"),
        ("cores", lambda table: table.filter(core="01_liver"), "tiles of its cores are 100, and it says 450"),
        ("summary", lambda table: table[1:], "other groups, metrics"),
        ("draws", lambda table: table[1:], "not 2,000 by core"),
        ("draws", lambda table: table.reverse(), "not 2,000 by core"),
        # What cannot be.
        ("pairs", first("top_1", 1.2), "GM_AT2, GM_P: top_1 does not follow from its cores"),
        ("pairs", first("cosine", float("nan")), "cosine does not follow"),
        ("pairs", first("random_cosine", -1.1), "random_cosine cannot be"),
        ("pairs", first("random_cosine", float("nan")), "random_cosine cannot be"),
        ("pairs", first("random_cosine", None), "pair table has empty cells"),
        ("pairs", first("staining_a", None), "pair table has empty cells"),
        ("pairs", first("cosine_lift", float("-inf")), "cosine_lift cannot be"),
        ("pairs", first("cosine_lift", 1.1), "cosine_lift cannot be"),
        ("cores", first("top_10", 10_000), "a core's top_10 cannot be"),
        ("cores", first("top_1", -1), "a core's top_1 cannot be"),
        ("cores", first("cosine", 1e9), "a core's cosine cannot be"),
        ("cores", first("cosine", float("nan")), "a core's cosine cannot be"),
        ("cores", first("tiles", 0), "not all the same cores"),
        ("cores", first("tiles", None), "core table has empty cells"),
        ("cores", first("top_5", 0), "more hits at top_1 than at top_5"),
    ],
)  # fmt: skip
def test_whatever_does_not_hold_is_named(table, change, words):
    result = whole()
    with pytest.raises(RejectedSubmission, match=words):
        check_tables(dataclasses.replace(result, **{table: change(getattr(result, table))}))


def test_a_made_up_pair_is_found_even_if_all_above_it_fits():
    result = whole()
    pairs = first("top_10", pl.col("top_10") + 0.01)(result.pairs)
    with pytest.raises(RejectedSubmission, match="top_10 does not follow from its cores"):
        check_tables(with_tables(result, pairs, result.cores))


def test_cores_of_pairs_that_are_not_there_prove_nothing():
    result = whole()
    pairs = result.pairs.with_columns(top_10=pl.lit(0.99))
    cores = result.cores.with_columns(pl.col("scanner_b") + "x")  # in the same order, so that all above fits
    with pytest.raises(RejectedSubmission, match="core table is of other pairs"):
        check_tables(with_tables(result, pairs, cores))


def test_rounding_of_the_other_protocol_is_let_be():
    result = whole(protocol="owkin-fp16")
    pairs = result.pairs.with_columns(pl.col("cosine") + 2e-4)
    check_tables(with_tables(result, pairs, result.cores))
    with pytest.raises(RejectedSubmission, match="cosine does not follow"):
        check_tables(dataclasses.replace(result, pairs=pairs.with_columns(pl.col("cosine") + 2e-3)))


def test_rounding_to_float16_may_take_a_cosine_above_1():
    """Of vectors that are nearly the same, such as colours: dot product, norms and quotient are rounded each."""
    result = whole(level=4, protocol="owkin-fp16")
    more = pl.col("cosine") * 1.002
    check_tables(with_tables(result, result.pairs.with_columns(more), result.cores.with_columns(more)))
    with pytest.raises(RejectedSubmission, match="a core's cosine cannot be"):
        check_tables(dataclasses.replace(result, cores=result.cores.with_columns(pl.col("cosine") * 1.004)))
