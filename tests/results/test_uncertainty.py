import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from synthetic_results import CORES, make_tables

from plismbench.dataset import Slide
from plismbench.results.aggregation import PAIR, TERMS, summarise
from plismbench.results.uncertainty import (
    DRAWS_SCHEMA,
    INTERVAL_SCHEMA,
    N_DRAWS,
    bootstrap,
    core_medians,
    interval,
    known_interval,
    n_drawn,
    slide_weights,
    weighted_medians,
)

KS = (1, 10)
STAININGS, SCANNERS = ("GM", "HR", "KR", "LM", "MY", "MYH", "MYX"), ("AT2", "GT450", "P", "S210", "S60", "SQ")
SLIDES = tuple(Slide(staining, scanner) for staining in STAININGS for scanner in SCANNERS)


@pytest.fixture(scope="module")
def tables():
    return make_tables(slides=SLIDES)


@pytest.fixture(scope="module")
def drawn(tables):
    return bootstrap(*tables, KS)


def counts_of(n, random=None):
    """The draws of docs/metrics.md: how often each of n units is drawn."""
    n_drawn = round((n - 1) * (stats.norm.ppf(0.975) / stats.t.ppf(0.975, n - 1)) ** 2)
    return (random or np.random.default_rng(42)).multinomial(n_drawn, [1 / n] * n, 2_000)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 12))
def test_a_weighted_median_is_that_of_the_repeated_values(seed, n):
    random = np.random.default_rng(seed)
    values, weights = random.integers(0, 5, n).astype(float), random.integers(0, 4, (6, n)).astype(np.int32)
    found = weighted_medians(values, np.ascontiguousarray(weights.T))
    for told, row in zip(found, weights, strict=True):
        repeated = np.repeat(values, row)
        assert np.isnan(told) if not len(repeated) else told == np.median(repeated)


def test_draws_of_cores_are_the_pairs_recomputed_on_the_cores_drawn(tables, drawn):
    pairs, cores = tables
    draws = drawn[1].filter(unit="core")
    names, counts = list(CORES), counts_of(len(CORES))
    for number in (0, 7, 1_999):
        weight = dict(zip(names, counts[number].tolist(), strict=True))
        for term, (group, metric) in TERMS.items():
            values = []
            for pair in pairs.filter(pl.lit(group == "all") | (pl.col("group") == str(group))).iter_rows(named=True):
                own = cores.filter(*(pl.col(name) == pair[name] for name in PAIR)).to_dicts()
                total = sum(weight[core["core"]] * core[metric] for core in own)
                tiles = sum(weight[core["core"]] * core["tiles"] for core in own)
                values.append(total / tiles / (2 if metric.startswith("top") else 1))
            assert draws[term][number] == pytest.approx(np.median(values), abs=1e-6)


def test_draws_of_slides_weigh_a_pair_by_the_counts_of_its_stainings_and_scanners(tables, drawn):
    pairs, _ = tables
    draws = drawn[1].filter(unit="slide")
    random = np.random.default_rng(42)
    stainings, scanners = counts_of(len(STAININGS), random), counts_of(len(SCANNERS), random)
    for number in (0, 3, 1_998):
        weight = dict(zip(STAININGS, stainings[number].tolist(), strict=True))
        weight |= dict(zip(SCANNERS, scanners[number].tolist(), strict=True))
        values = [
            pair["cosine"]
            for pair in pairs.iter_rows(named=True)
            for _ in range(math.prod(weight[condition] for condition in {pair[column] for column in PAIR}))
        ]
        assert draws["cosine"][number] == pytest.approx(np.median(values), abs=1e-6)


def test_all_pairs_are_those_of_several_stainings_and_scanners(drawn):
    """Of six scanners three are drawn, and in one draw of 36 thrice the same: its pairs are no sample of all."""
    draws = drawn[1].filter(unit="slide")
    random = np.random.default_rng(42)
    alone = [(counts_of(len(names), random) > 0).sum(axis=1) == 1 for names in (STAININGS, SCANNERS)]
    assert draws["cosine"].is_null().to_list() == (alone[0] | alone[1]).tolist()
    assert 0 < alone[0].sum() < alone[1].sum() < 0.1 * N_DRAWS


def test_every_median_has_its_interval(tables, drawn):
    intervals, draws = drawn
    assert dict(intervals.schema) == INTERVAL_SCHEMA
    assert dict(draws.schema) == DRAWS_SCHEMA
    assert len(draws) == 2 * N_DRAWS
    both = summarise(tables[0], KS).join(intervals, on=["group", "metric"])
    assert len(both) == len(intervals)
    told = both.filter(pl.col("metric").is_in(["cosine", "top_1", "top_10", "centred_cosine"]))
    assert told["low"].null_count() == 0
    assert (told["low"] <= told["high"]).all()
    inside = (told["low"] <= told["median"]) & (told["median"] <= told["high"])
    assert inside.mean() > 0.99
    assert both.filter(metric="cosine_lift")["low"].null_count() == len(both.filter(metric="cosine_lift"))
    assert both.filter(group="all", metric="cosine_lift")["slide_low"].null_count() == 0


def test_the_same_every_time_and_for_every_order(tables, drawn):
    pairs, cores = tables
    again = bootstrap(pairs.sample(fraction=1, shuffle=True, seed=0), cores, KS)
    for table, other in zip(drawn, again, strict=True):
        columns = table.columns[:2] if "group" in table.columns else []
        assert table.sort(columns).equals(other.sort(columns)) if columns else table.equals(other)


def test_fewer_units_are_drawn_than_there_are():
    assert [n_drawn(n) for n in (1, 6, 7, 13, 16, 46)] == [1, 3, 4, 10, 13, 43]


@pytest.mark.parametrize(("n_stainings", "n_scanners"), [(7, 5), (5, 6), (2, 6)])
def test_few_stainings_or_scanners_have_no_interval_by_slides(n_stainings, n_scanners):
    pairs, cores = make_tables(
        slides=[Slide(staining, scanner) for staining in STAININGS[:n_stainings] for scanner in SCANNERS[:n_scanners]]
    )
    intervals, draws = bootstrap(pairs, cores, KS)
    assert intervals["slide_low"].null_count() == len(intervals)
    assert draws.filter(unit="slide")["cosine"].null_count() == N_DRAWS
    assert intervals.filter(group="cross-scanner", metric="top_10")["low"].null_count() == 0


def test_what_a_pair_lacks_its_groups_lack():
    # plism-benchmark's rounding can overflow; what is left out of a median is not the median.
    pairs, cores = make_tables(slides=SLIDES)
    at = int(np.flatnonzero(pairs["group"] == "cross-scanner")[0])
    wrong = pairs[PAIR][at]
    pairs[at, "cosine"] = math.nan
    cores = cores.with_columns(
        cosine=pl.when(pl.struct(PAIR).is_in(wrong.to_struct().implode())).then(math.nan).otherwise("cosine")
    )
    intervals, draws = bootstrap(pairs, cores, KS)
    lacking = intervals.filter(pl.all_horizontal(pl.col("low", "slide_low").is_null()), metric="cosine")
    scanners = "-".join(sorted(wrong.select("scanner_a", "scanner_b").row(0)))
    assert {"all", "cross-scanner", f"scanner {scanners}"} <= set(lacking["group"])
    assert not {"cross-staining", "cross-both"} & set(lacking["group"])
    assert draws["cosine"].null_count() == len(draws)
    assert draws.filter(unit="core")["top10_cross_scanner"].null_count() == 0


def test_one_staining_stays_as_it_is():
    intervals, _ = bootstrap(*make_tables(slides=[Slide("GM", scanner) for scanner in SCANNERS]), KS)
    assert intervals.filter(group="cross-scanner")["slide_low"].null_count() == 0


def test_a_group_that_most_draws_lack_has_no_interval_by_slides():
    # Twelve slides, and one pair alone that shares its staining.
    slides = [Slide("GM", "AT2"), Slide("GM", "P"), *(Slide(f"S{number}", f"C{number}") for number in range(10))]
    intervals, draws = bootstrap(*make_tables(slides=slides), KS)
    assert intervals.filter(group="cross-scanner")["slide_low"].null_count() == 6
    assert intervals.filter(group="cross-both")["slide_low"].null_count() == 0
    assert intervals.filter(group="cross-scanner", metric="top_10")["low"].null_count() == 0
    assert draws["top10_cross_staining"].null_count() == 2 * N_DRAWS  # there are no such pairs
    assert 0.3 * N_DRAWS < draws.filter(unit="slide")["top10_cross_scanner"].null_count() < N_DRAWS


def test_the_interval_holds_95_of_100():
    assert interval(np.arange(2_001) / 2_000) == (0.025, 0.975)


def test_intervals_by_slides_cover_what_stainings_and_scanners_do_to_all_their_slides():
    # Slides drawn one by one would hold the truth in about half of the trials.
    random = np.random.default_rng(0)
    slides = [(staining, scanner) for staining in range(13) for scanner in range(7)]
    first, second = np.triu_indices(len(slides), 1)
    names = [tuple(map(str, slides[a] + slides[b])) for a, b in zip(first, second, strict=True)]
    weights = slide_weights(pl.DataFrame(names, schema=PAIR, orient="row"))
    covered, trials = 0, 100
    for _ in range(trials):
        effect = (random.standard_normal((13, 1)) + random.standard_normal(7)).ravel()
        values = effect[first] + effect[second] + random.standard_normal(len(first))
        low, high = interval(weighted_medians(values, weights))
        covered += low <= 0 <= high
    assert covered >= 90


@pytest.mark.slow
@pytest.mark.parametrize("n_cores", [9, 46])
def test_intervals_cover_the_truth_as_often_as_they_say(n_cores):
    # Cores are drawn from a population with a known mean; every pair sees the same cores, as slides of one block do.
    random = np.random.default_rng(0)
    covered, trials = 0, 1_000
    pairs, _ = make_tables(slides=SLIDES[:3])
    rows = pairs.select(*PAIR).join(pl.DataFrame({"core": [f"{core:02}" for core in range(n_cores)]}), how="cross")
    rows = rows.sort(*PAIR, "core").with_columns(tiles=pl.lit(100, pl.Int64))
    for _ in range(trials):
        rates = np.tile(random.beta(3, 2, n_cores), len(pairs))  # mean .6
        cores = rows.with_columns(top_10=pl.Series(random.binomial(200, rates)))
        low, high = interval(core_medians(pairs, cores, "top_10")["all"])
        covered += low <= 0.6 <= high
    assert 0.92 <= covered / trials <= 0.965  # an interval that promises 90 of 100 would hold it in 89


def test_few_cores_have_no_interval():
    pairs, cores = make_tables(slides=SLIDES)
    few = cores.filter(pl.col("core") < "06")
    intervals, draws = bootstrap(pairs, few, KS)
    assert intervals["low"].null_count() == len(intervals)
    assert draws.filter(unit="core")["cosine"].null_count() == N_DRAWS


def test_medians_by_cores_are_recomputed_from_the_cores_drawn():
    slides = tuple(Slide(staining, scanner) for staining in ("GM", "HR") for scanner in ("AT2", "P"))
    pairs, cores = make_tables(slides=slides)
    for metric in ("cosine", "top_10"):
        found = core_medians(pairs, cores, metric)
        assert set(found) == {"all", "cross-scanner", "cross-staining", "cross-both", "scanner AT2-P", "staining GM-HR"}
        names = sorted(CORES)
        counts = counts_of(len(names))
        for draw in (0, 7):
            weights = dict(zip(names, counts[draw], strict=True))
            values = []
            for _, rows in cores.join(pairs.filter(group="cross-both"), on=PAIR, how="semi").group_by(PAIR):
                total = sum(weights[row["core"]] * row[metric] for row in rows.iter_rows(named=True))
                tiles = sum(weights[row["core"]] * row["tiles"] for row in rows.iter_rows(named=True))
                values.append(total / tiles / (2 if metric == "top_10" else 1))
            assert found["cross-both"][draw] == pytest.approx(np.median(values))


def test_an_interval_needs_nearly_every_draw():
    draws = np.linspace(0, 1, 1_001)
    assert known_interval(draws) == pytest.approx((0.025, 0.975))
    draws[:100] = np.nan
    assert known_interval(draws) == pytest.approx((0.1225, 0.9775))
    draws[:200] = np.nan
    assert known_interval(draws) == known_interval(None) == (None, None)
