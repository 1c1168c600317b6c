import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy import stats
from synthetic_results import CORES, make_result, make_tables

from plismbench.dataset import PLISM_SCANNERS, PLISM_STAININGS, Slide
from plismbench.errors import InvalidInput
from plismbench.leaderboard.comparison import SCORE, compare, core_scores
from plismbench.leaderboard.leaderboard import leaderboards
from plismbench.results.aggregation import PAIR, TERMS
from plismbench.results.uncertainty import Unit, core_medians, known_interval

SLIDES = tuple(Slide(staining, scanner) for staining in ("GM", "HR", "MY") for scanner in ("AT2", "P", "S60"))


def model(name, level=0.5, seed=0, **changes):
    return make_result(name, level, changes.pop("slides", SLIDES), seed=seed, **changes)


def pairwise(*results):
    (found,) = compare(results, [result.run.name for result in results])
    return found.pairwise[0]


def test_differences_are_those_of_the_leaderboard_with_paired_intervals():
    many = tuple(Slide(staining, scanner) for staining in PLISM_STAININGS[:6] for scanner in PLISM_SCANNERS[:6])
    a, b = model("a", 0.6, slides=many), model("b", 0.5, seed=1, slides=many)
    rows = {row.name: row for row in leaderboards([a, b])[0].rows}
    found = pairwise(a, b)
    assert [difference.term for difference in found.differences] == [SCORE, *TERMS]
    for difference in found.differences:
        assert difference.value == getattr(rows["a"], difference.term) - getattr(rows["b"], difference.term)
        for unit, low, high in ((Unit.CORE, difference.low, difference.high),
                                (Unit.SLIDE, difference.slide_low, difference.slide_high)):  # fmt: skip
            drawn = [result.draws.filter(unit=str(unit)) for result in (a, b)]
            terms = TERMS if difference.term == SCORE else [difference.term]
            gap = np.mean([(drawn[0][term] - drawn[1][term]).to_numpy() for term in terms], axis=0)
            assert (low, high) == pytest.approx(tuple(np.nanquantile(gap, [0.025, 0.975])), abs=2e-6)
        assert difference.low <= difference.value <= difference.high


def test_sharing_draws_makes_a_steady_difference_sure():
    """Two models that the same cores trouble alike: neither is sure alone, their difference is."""
    a, b = model("a", 0.53), model("b", 0.5)
    (score, *_) = pairwise(a, b).differences
    rows = {row.name: row for row in leaderboards([a, b])[0].rows}
    assert rows["a"].score_low < rows["b"].score_high
    assert score.low > 0
    assert score.high - score.low < (rows["a"].score_high - rows["a"].score_low) / 2


def test_the_score_of_a_core_is_the_mean_of_its_medians():
    result = model("a")
    groups = {tuple(row[name] for name in ("staining_a", "scanner_a", "staining_b", "scanner_b")): row["group"]
              for row in result.pairs.iter_rows(named=True)}  # fmt: skip
    for core, score in core_scores(result).items():
        values = {term: [] for term in TERMS}
        for row in result.cores.filter(core=core).iter_rows(named=True):
            group = groups[row["staining_a"], row["scanner_a"], row["staining_b"], row["scanner_b"]]
            values["cosine"].append(row["cosine"] / row["tiles"])
            values[f"top10_{group.replace('-', '_')}"].append(row["top_10"] / (2 * row["tiles"]))
        assert score == pytest.approx(np.mean([np.median(numbers) for numbers in values.values()]))
    assert core_scores(result).keys() == CORES.keys()


def test_the_test_is_wilcoxons_over_cores_with_holms_correction():
    results = [model("a", 0.6), model("b", 0.58, seed=1), model("c", 0.4, seed=2), model("d", 0.7, seed=3)]
    (found,) = compare(results, ["a", "b", "c", "d"])
    own = core_scores(results[0])
    expected = []
    for pairwise, result in zip(found.pairwise, results[1:], strict=True):
        gaps = [own[core] - score for core, score in core_scores(result).items()]
        expected.append(stats.wilcoxon(gaps, alternative="greater", method="exact").pvalue)
        assert pairwise.p_value == pytest.approx(expected[-1])
        assert (pairwise.n_cores, pairwise.n_better) == (6, sum(gap > 0 for gap in gaps))
    order = np.argsort(expected)
    running = np.maximum.accumulate([min(1, (3 - i) * expected[place]) for i, place in enumerate(order)])
    assert [found.pairwise[place].corrected for place in order] == pytest.approx(running)
    assert found.pairwise[1].p_value == 1 / 64  # better in all six cores


def test_what_only_rounding_tells_apart_is_no_difference():
    """The same model, its cosines summed in another order: noise has no rank."""
    a, b = model("a"), model("b")
    noise = pl.Series(np.random.default_rng(0).uniform(0, 1e-12, len(b.cores)))
    found = pairwise(a, type(b)(b.run, b.pairs, b.summary, b.cores.with_columns(pl.col("cosine") - noise), b.draws))
    assert (found.n_cores, found.n_better, found.p_value) == (6, 0, 1)


def test_turning_it_round_turns_every_sign():
    a, b = model("a", 0.6), model("b", 0.5, seed=1)
    there, back = pairwise(a, b), pairwise(b, a)
    for one, other in zip(there.differences, back.differences, strict=True):
        assert one.value == -other.value
        assert (one.low, one.high) == (pytest.approx(-other.high), pytest.approx(-other.low))
    assert there.n_better == 6 - back.n_better


def test_contrasts_say_where_the_difference_lies():
    a, b = model("a", 0.6), model("b", 0.5, seed=1)
    contrasts = pairwise(a, b).contrasts
    assert contrasts["axis"].to_list() == ["scanner"] * 3 + ["staining"] * 3
    for axis in ("scanner", "staining"):
        sizes = contrasts.filter(axis=axis)["difference"].abs().to_list()
        assert sizes == sorted(sizes, reverse=True)
    for row in contrasts.iter_rows(named=True):
        medians = [
            result.summary.filter(group=f"{row['axis']} {row['a']}-{row['b']}", metric="top_10")["median"][0]
            for result in (a, b)
        ]
        assert (row["first"], row["second"]) == tuple(medians)
        assert row["difference"] == medians[0] - medians[1]
        assert row["low"] <= row["difference"] <= row["high"]


def test_a_scanner_that_breaks_one_model_comes_first():
    a = model("a", 0.6)
    weak = a.summary.to_dicts()
    for row in weak:
        if row["group"] == "scanner AT2-S60" and row["metric"] == "top_10":
            row["median"] -= 0.3
    broken = type(a)(model("b").run, a.pairs, type(a.summary)(weak, schema=a.summary.schema), a.cores, a.draws)
    first = pairwise(a, broken).contrasts.to_dicts()[0]
    assert (first["axis"], first["a"], first["b"], first["difference"]) == ("scanner", "AT2", "S60", pytest.approx(0.3))


def test_only_like_is_compared():
    a, b, other = model("a"), model("b", 0.6), model("b", n_tiles=460)
    with pytest.raises(InvalidInput, match=r"no signature in common: a has plism@main.*; b has .*tiles:460"):
        compare([a, other], ["a", "b"])
    (found,) = compare([a, b, other], ["a", "b"])
    assert found.signature == a.run.signature
    both = compare([a, b, other, model("a", n_tiles=460)], ["a", "b"])
    assert [comparison.signature for comparison in both] == sorted([a.run.signature, other.run.signature])


@pytest.mark.parametrize("names", [[], ["a"], ["a", "a"], ["a", "b", "a"]])
def test_it_takes_two(names):
    with pytest.raises(InvalidInput, match="two different models or more"):
        compare([model("a"), model("b")], names)


def test_other_cores_do_not_pair_up():
    a, b = model("a"), model("b")
    renamed = b.cores.with_columns(b.cores["core"] + "x")
    with pytest.raises(InvalidInput, match="a and b have other cores"):
        pairwise(a, type(b)(b.run, b.pairs, b.summary, renamed, b.draws))


def test_fewer_than_six_cores_are_no_test():
    results = [model("a", 0.6), model("b", 0.5, seed=1)]
    for n_cores, tested in ((6, True), (5, False)):
        kept = [replace(one, cores=one.cores.filter(pl.col("core") < f"{n_cores + 1:02}")) for one in results]
        found = pairwise(*kept)
        assert found.n_cores == n_cores
        assert [value is not None for value in (found.p_value, found.corrected)] == [tested] * 2


def test_without_a_score_there_is_no_test():
    one = tuple(Slide("GM", scanner) for scanner in ("AT2", "P", "S60"))
    found = pairwise(model("a", slides=one), model("b", 0.6, slides=one))
    assert (found.n_cores, found.p_value, found.corrected) == (0, None, None)
    (score, cosine, scanner, staining, _) = found.differences
    assert (score.value, score.low, staining.value) == (None, None, None)
    assert cosine.low == cosine.high == pytest.approx(cosine.value)  # the same model, moved
    assert scanner.value < 0
    assert pairwise(model("a", ks=(1, 5)), model("b", ks=(1, 5))).metric == "top_5"


def test_a_core_without_a_score_is_lost_by_nobody():
    """Under owkin-fp16 a norm may overflow in one core."""
    results = [model("a", 0.6), model("b", 0.5, seed=1), model("c", 0.55, seed=2)]
    names = [one.run.name for one in results]
    twice = [
        replace(one, cores=pl.concat([one.cores, one.cores.with_columns(pl.col("core") + "x")])) for one in results
    ]
    (whole,) = compare(twice, names)
    lost = pl.when(pl.col("core") == "02_lung", pl.col("scanner_b") == "S60").then(math.nan).otherwise(pl.col("cosine"))
    overflown = replace(twice[1], cores=twice[1].cores.with_columns(cosine=lost))
    (one_lost,) = compare([twice[0], overflown, twice[2]], names)
    own, of_other = (core_scores(one) for one in (twice[0], overflown))
    assert [core for core in of_other if math.isnan(of_other[core])] == ["02_lung"]
    gaps = [own[core] - of_other[core] for core in own if core != "02_lung"]
    expected = stats.wilcoxon(gaps, alternative="greater", method="exact").pvalue
    found = one_lost.pairwise[0]
    assert (found.n_cores, found.n_better, found.p_value) == (11, sum(gap > 0 for gap in gaps), pytest.approx(expected))
    none = replace(twice[1], cores=twice[1].cores.with_columns(cosine=pl.lit(math.nan)))
    (all_lost,) = compare([twice[0], none, twice[2]], names)
    assert (all_lost.pairwise[0].n_cores, all_lost.pairwise[0].p_value) == (0, None)
    untested, tested = all_lost.pairwise[1], whole.pairwise[1]
    assert untested.corrected == untested.p_value == tested.p_value  # nothing else was tested


def test_intervals_of_differences_cover_the_truth_as_often_as_they_say():
    """Cores that trouble two models alike, and each a little on its own; what is true is a difference of 0.03."""
    random = np.random.default_rng(0)
    n_cores, n_tiles, truth = 40, 50, 0.03
    pairs, _ = make_tables(slides=SLIDES[:4])
    rows = pairs.select(*PAIR).join(pl.DataFrame({"core": [f"{core:02}" for core in range(n_cores)]}), how="cross")
    rows = rows.sort(*PAIR, "core").with_columns(tiles=pl.lit(n_tiles, pl.Int64))
    covered, widths = [], []
    for _ in range(200):
        shared = np.tile(0.1 * random.standard_normal(n_cores), len(pairs))
        drawn = []
        for level in (0.5 + truth, 0.5):
            own = np.tile(0.03 * random.standard_normal(n_cores), len(pairs))
            cores = rows.with_columns(cosine=pl.Series((level + shared + own) * n_tiles))
            drawn.append(core_medians(pairs, cores, "cosine")["all"])
        low, high = known_interval(drawn[0] - drawn[1])
        covered.append(low <= truth <= high)
        alone = known_interval(drawn[0])
        widths.append((high - low) / (alone[1] - alone[0]))
    assert 0.89 <= np.mean(covered) <= 0.98
    assert np.median(widths) < 0.6  # what is shared cancels
