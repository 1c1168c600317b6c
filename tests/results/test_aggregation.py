import itertools
import statistics

import numpy as np
import polars as pl
import pytest
from synthetic_results import SLIDES, make_result

from plismbench.dataset import PLISM
from plismbench.errors import CorruptFile
from plismbench.pairs import Axis, PairGroup
from plismbench.results.aggregation import (
    SUMMARY_SCHEMA,
    Breaker,
    Hardest,
    breaker_of,
    check_schema,
    core_metrics,
    core_schema,
    hardest_between,
    medians_between,
    metric_names,
    pair_schema,
    summarise,
    top_k_metric,
)

KS = (1, 10)


@pytest.fixture(scope="module")
def pairs():
    return make_result(ks=KS).pairs


def linear_quantile(values, fraction):
    """The definition: between the two nearest ranks, in proportion."""
    ordered = sorted(values)
    position = fraction * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (position - low) * (ordered[high] - ordered[low])


def test_every_number_by_its_definition(pairs):
    summary = summarise(pairs, KS)
    assert dict(summary.schema) == SUMMARY_SCHEMA
    assert len(summary) == (len(PairGroup) + 15 + 15) * len(metric_names(KS))
    rows = pairs.to_dicts()
    for told in summary.iter_rows(named=True):
        values = [row[told["metric"]] for row in rows if told["group"] in groups_of(row)]
        assert told["n_pairs"] == len(values)
        assert told["median"] == pytest.approx(statistics.median(values), abs=1e-12)
        assert told["q1"] == pytest.approx(linear_quantile(values, 0.25), abs=1e-12)
        assert told["q3"] == pytest.approx(linear_quantile(values, 0.75), abs=1e-12)
        assert told["iqr"] == pytest.approx(told["q3"] - told["q1"], abs=1e-15)
        assert told["mean"] == pytest.approx(statistics.fmean(values), abs=1e-12)
        assert told["std"] == pytest.approx(statistics.pstdev(values), abs=1e-12)


def test_what_a_pair_lacks_its_groups_lack(pairs):
    # plism-benchmark's rounding can overflow; a median of what is left would look like any other.
    broken = pairs.with_row_index().with_columns(
        cosine=pl.when(pl.col("index") == pairs["group"].index_of("cross-both")).then(float("nan")).otherwise("cosine")
    )
    before, after = summarise(pairs, KS), summarise(broken.drop("index"), KS)
    wrong = pl.col("metric").eq("cosine") & pl.col("group").is_in(["all", "cross-both"])
    assert after.filter(wrong).select(pl.col(pl.Float64)).null_count().row(0) == (2,) * 6
    assert after.filter(wrong)["n_pairs"].to_list() == before.filter(wrong)["n_pairs"].to_list()
    assert after.filter(~wrong).equals(before.filter(~wrong))


def groups_of(row):
    groups = ["all", row["group"]]
    if row["group"] == "cross-scanner":
        groups.append("scanner {}-{}".format(*sorted((row["scanner_a"], row["scanner_b"]))))
    if row["group"] == "cross-staining":
        groups.append("staining {}-{}".format(*sorted((row["staining_a"], row["staining_b"]))))
    return groups


def test_groups_and_metrics_come_in_their_order(pairs):
    summary = summarise(pairs, KS)
    groups = summary["group"].unique(maintain_order=True).to_list()
    assert groups[:4] == [str(group) for group in PairGroup]
    assert groups[4:] == sorted(groups[4:])
    assert groups[4] == "scanner AT2-GT450"
    assert groups[-1] == "staining GV-GVH"
    assert summary["metric"].unique(maintain_order=True).to_list() == [
        "cosine", "top_1", "top_10", "random_cosine", "cosine_lift", "centred_cosine",
    ]  # fmt: skip
    assert summary.filter(metric="cosine")["n_pairs"].to_list()[:4] == [90, 90, 450, 630]


def test_the_order_of_the_pairs_leaves_no_trace(pairs):
    shuffled = pairs.sample(fraction=1, shuffle=True, seed=1)
    assert summarise(shuffled, KS).equals(summarise(pairs, KS))


def test_four_values_by_hand():
    rows = [(0.1, "cross-both"), (0.2, "cross-both"), (0.4, "cross-both"), (0.9, "cross-scanner")]
    pairs = pl.DataFrame(
        [["A", "P", "B", "Q", group, *[value] * 5] for value, group in rows], schema=pair_schema((1,)), orient="row"
    )
    told = {row["group"]: row for row in summarise(pairs, (1,)).filter(metric="top_1").to_dicts()}
    assert set(told) == {"cross-scanner", "scanner P-Q", "cross-both", "all"}  # a group without pairs has no row
    assert told["cross-both"]["median"] == 0.2
    assert told["cross-both"]["q1"] == pytest.approx(0.15)
    assert told["cross-both"]["std"] == pytest.approx(np.std([0.1, 0.2, 0.4]))
    assert told["all"]["median"] == pytest.approx(0.3)
    assert told["cross-scanner"]["iqr"] == told["cross-scanner"]["std"] == 0


@pytest.mark.parametrize(("axis", "same"), [(Axis.SCANNER, "staining"), (Axis.STAINING, "scanner")])
def test_medians_between_two_codes(pairs, axis, same):
    code = str(axis)
    found = medians_between(summarise(pairs, KS), axis, "top_10")
    assert found.columns == ["a", "b", "n_pairs", "median"]
    codes = {getattr(slide, code) for slide in SLIDES}
    assert [(row["a"], row["b"]) for row in found.to_dicts()] == list(itertools.combinations(sorted(codes), 2))
    for told in found.to_dicts():
        values = [row["top_10"] for row in pairs.to_dicts() if row[f"{same}_a"] == row[f"{same}_b"]
                  and (row[f"{code}_a"], row[f"{code}_b"]) == (told["a"], told["b"])]  # fmt: skip
        assert told["n_pairs"] == len(values) == 6
        assert told["median"] == statistics.median(values)


@pytest.mark.parametrize("axis", Axis)
def test_the_hardest_two_have_the_lowest_median(pairs, axis):
    summary = summarise(pairs, KS)
    medians = {(row["a"], row["b"]): row["median"] for row in medians_between(summary, axis, "top_10").to_dicts()}
    found = hardest_between(summary, axis, "top_10")
    assert medians[found.a, found.b] == found.median == min(medians.values())
    assert found.n_alike == 0
    assert hardest_between(summary, axis, "nothing") is None
    tied = summary.with_columns(median=pl.lit(0.5))
    assert hardest_between(tied, axis, "top_10") == Hardest(*min(medians), 0.5, len(medians) - 1)


def test_names():
    assert top_k_metric(10) == "top_10"
    assert list(pair_schema((5,)))[5:7] == ["cosine", "top_5"]
    assert set(core_metrics((5,))) < set(core_schema((5,)))
    assert set(core_metrics((5,))) < set(metric_names((5,)))
    assert len(PLISM.slides) == 91


def test_other_columns_are_named(pairs):
    assert check_schema(pairs, pair_schema(KS), "here") is pairs
    with pytest.raises(CorruptFile, match="here has other columns than this version writes: cosine, top_5"):
        check_schema(pairs.drop("cosine"), pair_schema((1, 5, 10)), "here")


def medians(**cells):
    """A summary of medians between two scanners, named ``A_B``."""
    rows = [(f"scanner {name.replace('_', '-')}", "top_10", value) for name, value in cells.items()]
    schema = {"group": pl.String, "metric": pl.String, "median": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(n_pairs=pl.lit(1))


def test_a_scanner_that_breaks_a_model_by_itself_is_named():
    def breaker(**cells):
        return breaker_of(medians(**cells), Axis.SCANNER, "top_10")

    assert breaker(A_B=0.999, A_Old=0.02, B_Old=0.01) == Breaker("Old", pytest.approx(0.015), 0.999)
    four = {"A_B": 0.9, "A_C": 0.7, "B_C": 0.8, "A_Old": 0.3, "B_Old": 0.1, "C_Old": 0.2}
    assert breaker(**four) == Breaker("Old", 0.2, 0.8)
    assert breaker(**(four | {"A_C": 0.25})) is None  # another pair is as hard
    assert breaker(**(four | {"A_Old": 0.6})) is None  # not a fifth below .7
    assert breaker(A_B=1.0, A_Old=0.97, B_Old=0.98) is None
    assert breaker(A_B=0.0, A_C=0.0, B_C=0.0) is breaker(A_B=1.0, A_C=1.0, B_C=1.0) is None
    assert breaker(A_Old=0.02) is None  # which of two, no one can say
    assert breaker(A_B=0.9, A_Old=0.1, B_Old=None) == Breaker("Old", 0.1, 0.9)
    assert breaker() is None
