import dataclasses
import math

import pytest
from synthetic_results import make_result, named

from plismbench.dataset import Slide
from plismbench.leaderboard.leaderboard import Cost, Leaderboard, LeaderboardRow, leaderboards, published
from plismbench.reporting.board_figures import cost_figure, forest_figure, scatter_figure

SLIDES = tuple(Slide(staining, scanner) for staining in ("GM", "HR", "MY") for scanner in ("AT2", "P"))


def test_the_scatter_shows_the_terms_of_the_ranking():
    board = published()
    points, _ = scatter_figure(board).data
    assert list(points.x) == [row.cosine for row in board.rows]
    assert list(points.y) == [row.top10_cross_both for row in board.rows]
    assert list(points.text) == [row.name for row in board.rows]


def test_the_area_of_a_bubble_is_its_parameters():
    results = [named("big", 0.9, 400), named("small", 0.8, 100), named("none", 0.7, 0), named("hid", 0.6, None)]
    points, _ = scatter_figure(leaderboards([*results, named("tuned", 0.5, 25, trained=True)])[0]).data
    assert points.marker.sizemode == "area"
    assert list(points.marker.size) == [400, 100, 1, 1, 25]
    assert list(points.marker.symbol) == ["circle", "circle", "x", "x", "diamond"]


@pytest.mark.parametrize("n_params", [0, None])
def test_a_model_of_no_known_size_is_never_a_large_mark(n_params):
    marker = scatter_figure(leaderboards([named("a", 0.5, n_params)])[0]).data[0].marker
    (size,) = marker.size
    assert math.sqrt(2 * size / marker.sizeref) < marker.sizemin * 2  # plotly's diameter: sizemin is what shows


def test_collapsed_models_alone_have_axes_of_what_can_be():
    collapsed = dataclasses.replace(leaderboards([make_result()])[0].rows[0], cosine=1.0, top10_cross_both=0.0)
    figure = scatter_figure(Leaderboard("s", (collapsed, collapsed)))
    assert figure.layout.xaxis.range == figure.layout.yaxis.range == (-0.05, 1.05)
    figure = scatter_figure(Leaderboard("s", (collapsed, dataclasses.replace(collapsed, cosine=0.9))))
    assert (figure.layout.xaxis.range, figure.layout.yaxis.range) == (None, (-0.05, 1.05))


def test_a_ranking_without_top_10_has_no_scatter():
    assert scatter_figure(leaderboards([make_result(ks=(1, 5))])[0]) is None


def test_only_the_best_are_named_in_a_crowd():
    points, _ = scatter_figure(leaderboards([named(f"m{i:02}", 0.2 + i / 100) for i in range(30)])[0]).data
    assert points.text[0] == "m29"
    assert sum(map(bool, points.text)) == 20
    assert "m00" in points.hovertext[-1]


def row(name, score, **facts):
    terms = dict.fromkeys(("cosine", "top10_cross_scanner", "top10_cross_staining", "top10_cross_both"), score)
    return LeaderboardRow(**{"name": name, "title": name} | terms | facts)


def test_the_forest_shows_scores_and_intervals_the_best_on_top():
    known = {"score_low": 0.4, "score_high": 0.7, "score_slide_low": 0.3, "score_slide_high": 0.9}
    rows = (row("a", 0.5, **known), row("b", 0.3, trained_on_plism=True), row("c", None))
    figure = forest_figure(Leaderboard("s", rows))
    by_slide, marks = figure.data
    assert [*by_slide.y, *by_slide.error_x.arrayminus, *by_slide.error_x.array] == pytest.approx([0, 0.2, 0.4])
    assert by_slide.error_x.thickness < marks.error_x.thickness
    assert (list(marks.x), list(by_slide.x)) == ([0.5, 0.3], [0.5])
    assert [marks.x[0] - marks.error_x.arrayminus[0], marks.x[0] + marks.error_x.array[0]] == pytest.approx([0.4, 0.7])
    assert (marks.error_x.array[1], marks.error_x.arrayminus[1]) == (0, 0)
    assert list(marks.marker.symbol) == ["circle", "diamond"]
    assert list(figure.layout.yaxis.ticktext) == ["a", "b"]
    assert figure.layout.yaxis.range == (1.5, -0.5)
    assert "95 % by core .40–.70<br>95 % by slide .30–.90" in marks.hovertext[0]
    assert forest_figure(Leaderboard("s", rows[2:])) is None


def test_sixty_models_have_room():
    rows = tuple(row(f"m{i}", i / 60) for i in range(60))
    assert forest_figure(Leaderboard("s", rows)).layout.height > 60 * 20


def test_the_front_goes_from_the_cheapest_to_the_best():
    rows = (row("best", 0.9, n_params=100), row("cheap", 0.5, n_params=10), row("worse", 0.4, n_params=50),
            row("equal", 0.5, n_params=20), row("free", 0.2, n_params=0), row("hid", 0.95))  # fmt: skip
    front, marks = cost_figure(Leaderboard("s", rows), Cost.PARAMETERS).data
    assert (list(front.x), list(front.y), front.line.shape) == ([10, 100], [0.5, 0.9], "hv")
    assert list(marks.x) == [100, 10, 50, 20]
    assert list(marks.marker.symbol) == ["circle", "circle", "circle-open", "circle-open"]


def test_a_cost_is_told_as_a_whole_at_every_tick():
    for cost, some in ((Cost.PARAMETERS, {"20 M", "100 M", "1000 M"}), (Cost.TIME, {"1", "2", "5", "10"})):
        ticks = cost_figure(published(), cost).layout.xaxis
        assert some <= set(ticks.ticktext)
        for value, text in zip(ticks.tickvals, ticks.ticktext, strict=True):
            told, _, unit = text.partition(" ")
            assert float(told) * (1e6 if unit else 1) == pytest.approx(value)


def test_cost_can_be_time():
    figure = cost_figure(published(), Cost.TIME)
    front, marks = figure.data
    assert list(front.x) == [1]
    assert len(marks.x) == 11
    assert figure.layout.xaxis.type == "log"


@pytest.mark.parametrize("facts", [{}, {"n_params": 5}])
def test_one_point_is_no_picture(facts):
    assert cost_figure(Leaderboard("s", (row("a", 0.5, **facts), row("b", 0.4))), Cost.PARAMETERS) is None


def test_names_of_others_are_no_markup():
    rows = (row("<b>\x1b", 0.5, n_params=3), row("x" * 200, 0.4, n_params=2))
    board = Leaderboard("s", rows)
    assert forest_figure(board).layout.yaxis.ticktext == ("&lt;b&gt;�", "x" * 11 + "…" + "x" * 12)
    assert cost_figure(board, Cost.PARAMETERS).data[1].text[0] == "&lt;b&gt;�"


def test_checkpoints_of_one_run_have_names_of_their_own():
    names = [
        f"hospital-group/a-very-long-model-name-of-checkpoint-{n}-of-the-training-run-ema@0.9999" for n in range(12)
    ]
    board = Leaderboard("s", tuple(row(name, 0.9 - n / 50, n_params=n + 1) for n, name in enumerate(names)))
    assert len(set(forest_figure(board).layout.yaxis.ticktext)) == 12
    marks = scatter_figure(board).data[0]
    assert len(set(filter(None, marks.text))) == sum(map(bool, marks.text)) > 1
    for name, text in zip(names, marks.hovertext, strict=True):
        assert name in text.replace("<br>", "")  # whole under the pointer


@pytest.mark.parametrize("sizes", [(85_700_000, 85_800_000), (22_000_000, 22_000_000), (2_010_000, 4_990_000)])
def test_nearly_equal_costs_have_a_tick(sizes):
    rows = tuple(row(f"m{size}{n}", 0.5 + n / 10, n_params=size) for n, size in enumerate(sizes))
    shown = cost_figure(Leaderboard("s", rows), Cost.PARAMETERS).layout.xaxis
    ends = shown.range or (math.log10(min(sizes)), math.log10(max(sizes)))
    reach = 0.05 * (ends[1] - ends[0])  # as far as plotly goes beyond
    assert any(ends[0] - reach <= math.log10(tick) <= ends[1] + reach for tick in shown.tickvals)
    assert all(ends[0] <= math.log10(size) <= ends[1] for size in sizes)


def test_names_of_nearly_equal_costs_do_not_cover_each_other():
    rows = (row("first", 0.5, n_params=85_700_000), row("other", 0.5, n_params=85_800_000))
    marks = cost_figure(Leaderboard("s", rows), Cost.PARAMETERS).data[1]
    assert len(set(zip(marks.textposition, marks.text, strict=True))) == 2
    assert marks.textposition[0] != marks.textposition[1]
