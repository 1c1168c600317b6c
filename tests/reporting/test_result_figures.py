import dataclasses

import numpy as np
import polars as pl
import pytest
from plotly.colors import sample_colorscale
from synthetic_results import make_result, named

from plismbench.dataset import Slide
from plismbench.pairs import Axis
from plismbench.reporting.result_figures import distribution_figure, groups_figure, matrix_figure, slides_figure

SLIDES = tuple(Slide(staining, scanner) for staining in ("GM", "HR", "MY") for scanner in ("AT2", "P"))


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
    assert figure.layout.showlegend  # plotly shows none of one trace of its own accord


def test_the_matrix_is_symmetric_and_its_diagonal_empty():
    results = [named("a"), named("b")]
    figure = matrix_figure(results, Axis.STAINING, "top_10")
    assert [(trace.name, trace.visible, trace.meta) for trace in figure.data] == [("a", True, 0), ("b", False, 1)]
    trace = figure.data[0]
    assert list(trace.x) == list(trace.y) == ["GM", "HR", "MY"]
    found = results[0].pairs.filter(group="cross-staining", staining_a="GM", staining_b="MY")
    values = found["top_10"].to_list()
    assert len(values) == 2
    assert trace.z[0][2] == trace.z[2][0] == pytest.approx(sum(values) / 2)
    assert trace.text[0][2] == f"{sum(values) / 2:.2f}".removeprefix("0")
    assert [trace.z[i][i] for i in range(3)] == [None, None, None]


def test_each_slide_has_a_cell_and_one_that_is_missing_has_none():
    results = [named("a"), make_result("b", slides=SLIDES[1:])]
    figure = slides_figure(results, "top_10")
    assert [(trace.visible, trace.meta) for trace in figure.data] == [(True, 0), (False, 1)]
    for trace, result in zip(figure.data, results, strict=True):
        assert (list(trace.x), list(trace.y)) == (["AT2", "P"], ["GM", "HR", "MY"])
        of_slide = pl.any_horizontal(
            (pl.col(f"staining_{side}") == "HR") & (pl.col(f"scanner_{side}") == "P") for side in "ab"
        )
        median = result.pairs.filter(of_slide)["top_10"].median()
        assert trace.z[1][1] == pytest.approx(median)
        assert trace.text[1][1] == f"{median:.2f}".removeprefix("0")
    assert figure.data[1].z[0][0] is None  # GM_AT2
    nothing = named("a")
    nothing = dataclasses.replace(nothing, pairs=nothing.pairs.with_columns(top_10=pl.lit(np.nan)))
    assert slides_figure([nothing], "top_10") is None


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
    result = named("<a 'x'>\x1b" + "y" * 200)
    texts = [
        groups_figure([result], "cosine").layout.yaxis.ticktext[0],
        matrix_figure([result], Axis.SCANNER, "cosine").data[0].name,
    ]
    assert texts[0] == "&lt;a &#x27;x&#x27;&gt;�yyy…" + "y" * 12
    assert texts[1] == "&lt;a &#x27;x&#x27;&gt;�" + "y" * 200


@pytest.mark.parametrize("metric", ["cosine", "top_10"])
def test_distributions_are_quantiles_of_the_pairs(metric):
    results = [named("a", 0.7), named("b", 0.4)]
    figure = distribution_figure(results, metric)
    assert [(trace.meta, trace.visible, trace.name) for trace in figure.data] == [
        (place, place == 0, group) for place in (0, 1) for group in ("cross-scanner", "cross-staining", "cross-both")
    ]
    for trace in figure.data:
        values = results[trace.meta].pairs.filter(group=trace.name)[metric].to_numpy()
        found = [trace.lowerfence[0], trace.q1[0], trace.median[0], trace.q3[0], trace.upperfence[0]]
        assert found == pytest.approx(list(np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])))
        low, high = figure.layout.yaxis.range
        assert low < found[0]
        assert found[-1] < high


@pytest.mark.parametrize(("values", "lowest"), [(0.0, 0.0), (-0.5, -0.5), (None, 0.0)])
def test_distributions_of_one_model_that_finds_nothing_have_an_axis_too(values, lowest):
    result = make_result(slides=SLIDES)
    result = dataclasses.replace(result, pairs=result.pairs.with_columns(top_10=pl.lit(values, pl.Float64)))
    figure = distribution_figure([result], "top_10")
    assert figure.layout.yaxis.range == pytest.approx((lowest - 0.02, 1.02))


def test_distributions_leave_out_pairs_without_a_number():
    result = make_result(slides=SLIDES)
    cosines = result.pairs["cosine"].to_list()
    with_nan = result.pairs.with_columns(cosine=pl.Series([float("nan"), *cosines[1:]]))
    figure = distribution_figure([dataclasses.replace(result, pairs=with_nan)], "cosine")
    without = distribution_figure([dataclasses.replace(result, pairs=result.pairs[1:])], "cosine")
    assert figure == without
    assert "NaN" not in figure.to_json()
    none = result.pairs.with_columns(cosine=pl.lit(float("nan")))
    assert distribution_figure([dataclasses.replace(result, pairs=none)], "cosine") is None


def test_distributions_leave_out_groups_without_pairs():
    assert [trace.name for trace in distribution_figure([make_result(slides=SLIDES[:2])], "cosine").data] == [
        "cross-scanner"
    ]
    assert distribution_figure([], "cosine") is None
