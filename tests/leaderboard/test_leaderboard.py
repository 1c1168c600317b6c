import dataclasses
import json
from importlib.resources import files

import numpy as np
import polars as pl
import pytest
from synthetic_results import make_result

from plismbench.dataset import Slide
from plismbench.embeddings.efficiency import Efficiency
from plismbench.leaderboard.leaderboard import (
    PUBLISHED_SIGNATURE,
    Cost,
    LeaderboardRow,
    efficient,
    leaderboards,
    published,
    score_draws,
)
from plismbench.results.aggregation import TERMS
from plismbench.results.uncertainty import Unit

# The published table, as it is printed in the README of plism-benchmark (2025-03-03).
PRINTED = [
    ("h0-mini", 0.541), ("conch", 0.498), ("h-optimus-0", 0.480), ("virchow2", 0.464), ("midnight-12k", 0.373),
    ("prov-gigapath", 0.333), ("uni2-h", 0.332), ("uni", 0.325), ("kaiko-vit-b8", 0.325), ("gpfm", 0.265),
    ("plip", 0.244), ("phikon", 0.193), ("kaiko-vit-l14", 0.183), ("phikon-v2", 0.164), ("hibou-l", 0.147),
]  # fmt: skip


def test_the_published_table_comes_out_in_its_order_with_its_scores():
    board = published()
    assert board.signature == PUBLISHED_SIGNATURE
    assert [(row.name, round(row.score, 3)) for row in board.rows] == PRINTED
    assert [row.rank for row in board.rows] == [1, 2, 3, 4, 5, 6, 7, 8, 8, 10, 11, 12, 13, 14, 15]
    assert all(row.published for row in board.rows)


def test_the_shipped_scores_agree_with_the_formula():
    table = json.loads((files("plismbench") / "resources" / "published.json").read_text())
    told = {row["name"]: row["score"] for row in table["leaderboard"]["rows"]}
    assert told == dict(PRINTED)


def row(name, *terms):
    names = ("cosine", "top10_cross_scanner", "top10_cross_staining", "top10_cross_both")
    return LeaderboardRow(name=name, title=name, **dict(zip(names, terms, strict=True)))


def test_the_score_is_the_mean_of_four_terms_or_nothing():
    assert row("a", 0.8, 0.6, 0.4, 0.2).score == pytest.approx(0.5)
    for missing in range(4):
        terms = [0.8, 0.6, 0.4, 0.2]
        terms[missing] = None
        assert row("a", *terms).score is None
        assert (row("a", *terms).score_without_cosine is None) == (missing > 0)


def test_without_a_score_the_retrieval_terms_make_the_order():
    one = tuple(Slide("GM", scanner) for scanner in ("AT2", "P", "S60"))
    results = [make_result(name, level, one) for name, level in (("a", 0.1), ("b", 0.9), ("c", 0.5))]
    (board,) = leaderboards(results)
    assert [(row.name, row.score, row.rank) for row in board.rows] == [(name, None, None) for name in "bca"]


def test_terms_are_medians_of_the_right_groups():
    result = make_result()
    (board,) = leaderboards([result])
    (found,) = board.rows
    pairs = result.pairs.to_dicts()

    def median(metric, group=None):
        values = sorted(pair[metric] for pair in pairs if group in (None, pair["group"]))
        middle = len(values) // 2
        return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2

    assert found.cosine == pytest.approx(median("cosine"))
    assert found.top10_cross_scanner == pytest.approx(median("top_10", "cross-scanner"))
    assert found.top10_cross_staining == pytest.approx(median("top_10", "cross-staining"))
    assert found.top10_cross_both == pytest.approx(median("top_10", "cross-both"))
    assert (found.n_params, found.license, found.published) == (1_000_000, "MIT", False)


def test_unlike_results_never_share_a_table():
    boards = leaderboards(
        [make_result("a"), make_result("b", precision="bf16"), make_result("c", n_tiles=460), make_result("d", 0.7)]
    )
    assert len(boards) == 3
    assert len({board.signature for board in boards}) == 3
    by_signature = {board.signature: [row.name for row in board.rows] for board in boards}
    assert by_signature["plism@main|slides:36-f4df7e|tiles:8139|seed:42|k:1,10|fp16|plism-1"] == ["d", "a"]


def test_undefined_terms_are_not_invented():
    one_staining = tuple(Slide("GM", scanner) for scanner in ("AT2", "P", "S60"))
    (board,) = leaderboards([make_result(slides=one_staining)])
    (found,) = board.rows
    assert found.top10_cross_scanner is not None
    assert (found.top10_cross_staining, found.top10_cross_both, found.score, found.rank) == (None, None, None, None)
    (board,) = leaderboards([make_result(ks=(1, 5))])
    assert board.rows[0].cosine is not None
    assert board.rows[0].score is None


def test_equal_scores_share_a_rank_and_come_by_name():
    results = [make_result("c", 0.3), make_result("b", 0.7), make_result("a", 0.7), make_result("d", ks=(1, 5))]
    boards = {len(board.rows): board for board in leaderboards([*results, make_result("e", 0.2)])}
    assert [(row.name, row.rank) for row in boards[4].rows] == [("a", 1), ("b", 1), ("c", 3), ("e", 4)]
    assert [(row.name, row.rank) for row in boards[1].rows] == [("d", None)]


def test_not_a_number_is_no_term():
    result = make_result()
    broken = dataclasses.replace(result, summary=result.summary.with_columns(median=float("nan")))
    (board,) = leaderboards([broken])
    assert (board.rows[0].cosine, board.rows[0].score) == (None, None)


def test_no_results_no_tables():
    assert leaderboards([]) == ()


def test_intervals_of_score_and_rank_follow_from_the_draws():
    results = [
        make_result("a", 0.5),
        make_result("b", 0.5, seed=1),
        make_result("c", 0.45, seed=2),
        make_result("d", 0.1),
    ]
    (board,) = leaderboards(results)
    draws = {}
    for result in results:
        of_core = result.draws.filter(unit="core")
        draws[result.run.name] = sum(of_core[term].to_numpy() for term in TERMS) / 4
    for row in board.rows:
        low, high = np.quantile(draws[row.name], [0.025, 0.975])
        assert (row.score_low, row.score_high) == (pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6))
        assert row.score_low <= row.score <= row.score_high
        differences = [
            np.quantile(draws[row.name] - of, [0.025, 0.975]) for name, of in draws.items() if name != row.name
        ]
        assert row.rank_best == 1 + sum(high < 0 for _, high in differences)
        assert row.rank_worst == 4 - sum(low > 0 for low, _ in differences)
        assert row.rank_best <= row.rank <= row.rank_worst
    assert (board.rows[-1].rank_best, board.rows[-1].rank_worst) == (4, 4)
    by_name = {result.run.name: score_draws(result.draws, Unit.SLIDE).drop_nulls() for result in results}
    assert len(by_name["a"]) > 1_800
    for row in board.rows:
        bounds = np.quantile(by_name[row.name], [0.025, 0.975])
        assert (row.score_slide_low, row.score_slide_high) == pytest.approx(tuple(bounds), abs=1e-6)


def test_scores_that_print_alike_share_no_rank_that_the_data_tell_apart():
    a = make_result("a", 0.5)
    steady = a.summary.with_columns(
        median=pl.when(pl.col("metric") == "cosine").then(pl.col("median") - 1e-5).otherwise("median")
    )
    lower = a.draws.with_columns(cosine=pl.col("cosine") - 1e-5)
    b = dataclasses.replace(make_result("b", 0.5), summary=steady, draws=lower)
    (board,) = leaderboards([a, b])
    assert len({round(row.score, 3) for row in board.rows}) == 1
    assert [(row.name, row.rank, row.rank_best, row.rank_worst) for row in board.rows] == [
        ("a", 1, 1, 1),
        ("b", 2, 2, 2),
    ]


def test_what_stands_beside_the_score():
    (board,) = leaderboards([make_result()])
    (row,) = board.rows
    assert row.random_cosine == pytest.approx(0.2)
    assert row.cosine_lift == pytest.approx((row.cosine - 0.2) / 0.8)
    terms = (row.top10_cross_scanner, row.top10_cross_staining, row.top10_cross_both)
    assert row.score_without_cosine == pytest.approx(sum(terms) / 3)


def test_without_cores_there_is_no_interval_but_a_rank():
    result = make_result()
    nothing = result.draws.with_columns(cosine=pl.lit(None, pl.Float64))
    (row,) = leaderboards([dataclasses.replace(result, draws=nothing)])[0].rows
    assert (row.rank, row.rank_best, row.score_low) == (1, None, None)


def test_terms_carry_their_intervals_and_published_times():
    (board,) = leaderboards([make_result("uni")])
    (found,) = board.rows
    summary = make_result("uni").summary
    for term, (group, metric) in TERMS.items():
        (told,) = summary.filter(group=str(group), metric=metric).to_dicts()
        assert (getattr(found, f"{term}_low"), getattr(found, f"{term}_high")) == (told["low"], told["high"])
    assert found.relative_time == 2.1
    assert leaderboards([make_result("mine")])[0].rows[0].relative_time is None


def cost(extractor, seconds, device="H200", precision="fp16", compiled=False):
    return Efficiency(extractor=extractor, n_params=1, device=device, precision=precision, batch_size=1,
                      compiled=compiled, n_tiles=10, forward_seconds=seconds, peak_memory=None)  # fmt: skip


def test_measured_times_take_the_place_of_published_ones_and_never_stand_beside_them():
    results = [make_result("h0-mini"), make_result("uni"), make_result("mine")]

    def times(*costs):
        (board,) = leaderboards(results, costs)
        return board.timed_on, {row.name: row.relative_time for row in board.rows}

    told = ("one T4 (H0-mini paper, Table 2)", {"h0-mini": 1, "uni": 2.1, "mine": None})
    assert times() == times(cost("mine", 3)) == times(cost("mine", 3), cost("h0-mini", 2, "CPU")) == told
    assert times(cost("h0-mini", 2), cost("mine", 3)) == ("H200", {"h0-mini": 1, "uni": None, "mine": 1.5})
    alike = (cost("h0-mini", 2), cost("mine", 3, precision="bf16"))
    assert times(*alike) == ("H200", {"h0-mini": 1, "uni": None, "mine": 1.5})
    for unlike in (cost("mine", 3, precision="fp32"), cost("mine", 3, compiled=True)):
        assert times(cost("h0-mini", 2), unlike) == told
    here = (cost("h0-mini", 2), cost("mine", 3), cost("other", 9))
    assert leaderboards([make_result("toy")], here)[0].timed_on == ""


def test_parameters_that_a_spec_does_not_tell_are_those_counted():
    told, untold = make_result("told"), make_result("untold")
    untold.run.extractor.pop("n_params")
    (board,) = leaderboards([told, untold], [cost("told", 1), cost("untold", 1)])
    assert {row.name: row.n_params for row in board.rows} == {"told": told.run.extractor["n_params"], "untold": 1}
    assert {row.n_params for row in leaderboards([untold])[0].rows} == {None}


def test_a_ranking_tells_what_chance_is():
    (board,) = leaderboards([make_result(n_tiles=460)])
    assert board.chance == 10 / 919
    assert published().chance == 10 / 16277
    assert leaderboards([make_result(ks=(1, 5))])[0].chance is None


def test_published_rows_know_what_the_catalogue_knows():
    rows = {row.name: row for row in published().rows}
    assert (rows["h0-mini"].n_params, rows["h0-mini"].license) == (85_739_520, "CC-BY-NC-ND-4.0")
    assert (rows["plip"].relative_time, rows["plip"].cosine_low) == (None, None)


def test_the_front_is_what_nothing_cheaper_equals():
    sizes = {
        "a": (0.5, 10),
        "b": (0.5, 20),
        "bb": (0.6, 30),
        "c": (0.7, 30),
        "d": (0.6, 40),
        "e": (0.9, 50),
        "f": (0.95, None),
    }
    rows = [dataclasses.replace(row(name, *[score] * 4), n_params=n) for name, (score, n) in sizes.items()]
    assert [found.name for found in efficient(rows, Cost.PARAMETERS)] == ["a", "c", "e"]
    assert efficient(rows, Cost.TIME) == ()
    slow_oracle = [
        found.name
        for found in rows
        if found.n_params
        and not any(
            other is not found and other.n_params and other.n_params <= found.n_params and other.score >= found.score
            for other in rows
        )
    ]
    assert slow_oracle == ["a", "c", "e"]
