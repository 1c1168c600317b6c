import dataclasses
import math

import pytest
from plotly.colors import sample_colorscale
from synthetic_results import make_result

from plismbench.dataset import Slide
from plismbench.leaderboard import leaderboards, published
from plismbench.pairs import Axis
from plismbench.reporting.plots import groups_figure, matrix_figure, scatter_figure

SLIDES = tuple(Slide(staining, scanner) for staining in ("GM", "HR", "MY") for scanner in ("AT2", "P"))


def named(name, level=0.5, n_params=1_000_000, trained=False):
    result = make_result("toy", level, SLIDES)
    extractor = result.run.extractor | {"name": name, "n_params": n_params, "trained_on_plism": trained}
    return dataclasses.replace(result, run=dataclasses.replace(result.run, extractor=extractor))


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


def test_a_ranking_without_top_10_has_no_scatter():
    assert scatter_figure(leaderboards([make_result(ks=(1, 5))])[0]) is None


def test_only_the_best_are_named_in_a_crowd():
    points, _ = scatter_figure(leaderboards([named(f"m{i:02}", 0.2 + i / 100) for i in range(30)])[0]).data
    assert points.text[0] == "m29"
    assert sum(map(bool, points.text)) == 20
    assert "m00" in points.hovertext[-1]


@pytest.mark.parametrize("metric", ["cosine", "top_10"])
def test_the_groups_show_medians_and_quartiles(metric):
    results = [named("a", 0.7), named("b", 0.4)]
    figure = groups_figure(results, metric)
    assert [trace.name for trace in figure.data] == ["cross-scanner", "cross-staining", "cross-both"]
    assert len({trace.marker.symbol for trace in figure.data}) == 3
    for trace in figure.data:
        for place, result in enumerate(results):
            (row,) = result.summary.filter(group=trace.name, metric=metric).to_dicts()
            assert trace.x[place] == row["median"]
            assert trace.x[place] + trace.error_x.array[place] == pytest.approx(row["q3"])
            assert trace.x[place] - trace.error_x.arrayminus[place] == pytest.approx(row["q1"])
    assert list(figure.layout.yaxis.ticktext) == ["a", "b"]


def test_a_group_without_pairs_is_left_out():
    figure = groups_figure([make_result(slides=SLIDES[:2])], "cosine")
    assert [trace.name for trace in figure.data] == ["cross-scanner"]


def test_the_matrix_is_symmetric_and_its_diagonal_empty():
    results = [named("a"), named("b")]
    figure = matrix_figure(results, Axis.STAINING, "top_10")
    assert [(trace.name, trace.visible) for trace in figure.data] == [("a", True), ("b", False)]
    trace = figure.data[0]
    assert list(trace.x) == list(trace.y) == ["GM", "HR", "MY"]
    found = results[0].pairs.filter(group="cross-staining", staining_a="GM", staining_b="MY")
    values = found["top_10"].to_list()
    assert len(values) == 2
    assert trace.z[0][2] == trace.z[2][0] == pytest.approx(sum(values) / 2)
    assert trace.text[0][2] == f"{sum(values) / 2:.2f}".removeprefix("0")
    assert [trace.z[i][i] for i in range(3)] == [None, None, None]


def test_the_number_in_a_cell_can_be_read_whatever_its_value():
    trace = matrix_figure([named("a")], Axis.SCANNER, "top_10").data[0]
    assert trace.textfont.color == "#000"
    scale = [list(stop) for stop in trace.colorscale]
    for place in range(101):
        (colour,) = sample_colorscale(scale, [place / 100], colortype="tuple")
        linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in colour]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        assert (luminance + 0.05) / 0.05 >= 4.5  # WCAG 2.1, 1.4.3: against black


def test_no_pairs_no_matrix():
    assert matrix_figure([make_result(slides=SLIDES[:2])], Axis.STAINING, "top_10") is None
    assert matrix_figure([], Axis.SCANNER, "top_10") is None


def test_names_of_others_are_neither_markup_nor_endless():
    result = named("<a href='x'>\x1b" + "y" * 200)
    texts = [
        scatter_figure(leaderboards([result])[0]).data[0].text[0],
        groups_figure([result], "cosine").layout.yaxis.ticktext[0],
        matrix_figure([result], Axis.SCANNER, "cosine").data[0].name,
    ]
    for text in texts:
        assert text.startswith("&lt;a href=&#x27;x&#x27;&gt;�yyy")
        assert text.endswith("y…")
