"""Pictures of results, as plotly figures.

No meaning hangs on colour alone: groups have marker shapes of their own, cells show their number.
Backgrounds are transparent and text is left to the style sheet of the page, for light and dark.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from plismbench.pairs import Axis, PairGroup
from plismbench.reporting.figure_style import axis, error_bars, layout, markup, names_axis, whole_name
from plismbench.reporting.printing import number
from plismbench.results.aggregation import medians_between
from plismbench.results.result import Result
from plismbench.results.slides import medians_of_slides

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_GROUPS = {  # blue, orange, green of Okabe and Ito, which stay apart without colour vision
    PairGroup.CROSS_SCANNER: ("#0072b2", "circle", -0.22),
    PairGroup.CROSS_STAINING: ("#e69f00", "square", 0.0),
    PairGroup.CROSS_BOTH: ("#009e73", "diamond", 0.22),
}
_BOX = (0.05, 0.25, 0.5, 0.75, 0.95)
# The light half of Cividis: of the whole, plotly would put white numbers on cells of middle grey.
_CELLS = [[0, "#7d7c76"], [0.5, "#bbad6d"], [1, "#fee838"]]


def groups_figure(results: Sequence[Result], metric: str) -> "Figure":
    """Median of a metric over every pair group as a mark, its quartiles as a line; the first result on top."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for group, (colour, symbol, offset) in _GROUPS.items():
        rows = [
            (place, row)
            for place, result in enumerate(results)
            for row in result.summary.iter_rows(named=True)
            if row["group"] == group and row["metric"] == metric
        ]
        if not rows:
            continue
        figure.add_trace(
            go.Scatter(
                name=str(group),
                x=[row["median"] for _, row in rows],
                y=[place + offset for place, _ in rows],
                mode="markers",
                marker={"size": 10, "color": colour, "symbol": symbol},
                error_x=error_bars([(row["median"], row["q1"], row["q3"]) for _, row in rows], colour, 2, 0),
                hoverinfo="text",
                hovertext=[
                    f"{whole_name(results[place].run.name)}<br>{group}: {number(row['median'])}"
                    f" ({number(row['q1'])} to {number(row['q3'])}), {row['n_pairs']:,} pairs"
                    for place, row in rows
                ],
            )
        )
    figure.update_layout(
        layout(height=80 + 46 * len(results)),
        showlegend=True,  # of one group too
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "yref": "paper"},
        xaxis=axis(""),
        yaxis=names_axis([result.run.name for result in results]),
    )
    return figure


def matrix_figure(results: Sequence[Result], differing: Axis, metric: str) -> "Figure | None":
    """Median of a metric between every two scanners, or stainings; one trace a result, the first of them shown.

    None if no result has such pairs.
    """
    medians = (medians_between(result.summary, differing, metric).iter_rows(named=True) for result in results)
    sides = ("a", "b"), ("b", "a")  # each median stands on both sides of the diagonal
    cells = [{(row[a], row[b]): row["median"] for row in rows for a, b in sides} for rows in medians]
    return _heatmaps(results, cells, "%{y} – %{x}")


def slides_figure(results: Sequence[Result], metric: str) -> "Figure | None":
    """Median of a metric over all pairs of each slide, stainings by scanners; one trace a result, the first shown.

    None if no result has a number.
    """
    medians = (medians_of_slides(result.pairs, metric).iter_rows(named=True) for result in results)
    cells = [{(row["staining"], row["scanner"]): row["median"] for row in rows} for rows in medians]
    return _heatmaps(results, cells, "%{y}_%{x}")


def _heatmaps(
    results: Sequence[Result], cells: Sequence[Mapping[tuple[str, str], float | None]], hover: str
) -> "Figure | None":
    """Each result's cells, by row and column, with their numbers, from 0 to 1."""
    import plotly.graph_objects as go

    figure = go.Figure()
    n_rows = n_columns = 0
    for place, (result, values) in enumerate(zip(results, cells, strict=True)):
        rows, columns = (sorted({codes[side] for codes in values}) for side in (0, 1))
        n_rows, n_columns = max(n_rows, len(rows)), max(n_columns, len(columns))
        table = [[values.get((row, column)) for column in columns] for row in rows]
        figure.add_trace(
            go.Heatmap(
                name=markup(result.run.name),
                meta=place,
                visible=place == 0,
                x=columns,
                y=rows,
                z=table,
                text=[["" if value is None else number(value, 2) for value in line] for line in table],
                texttemplate="%{text}",
                textfont={"color": "#000"},
                hovertemplate=f"{hover}: %{{z:.3f}}<extra></extra>",
                hoverongaps=False,
                colorscale=_CELLS,
                zmin=0,
                zmax=1,
                showscale=False,
                xgap=1,
                ygap=1,
            )
        )
    if not n_rows:
        return None
    square = {
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "ticklabelstandoff": 4,
        "automargin": True,
        "type": "category",
    }
    figure.update_layout(
        layout(height=150 + 26 * n_rows),
        xaxis={**square, "side": "bottom", "tickangle": -90 if n_columns > 7 else 0},
        yaxis={**square, "autorange": "reversed"},
    )
    return figure


def distribution_figure(results: Sequence[Result], metric: str) -> "Figure | None":
    """How a metric spreads over the pairs of each group, as boxes; three traces a result, those of the first shown.

    The whiskers end at the 5th and 95th percentile. A pair without a number is left out. None without results.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for place, result in enumerate(results):
        for group, (colour, _, _) in _GROUPS.items():
            values = result.pairs.filter(result.pairs["group"] == str(group))[metric].drop_nans()
            if values.is_empty():
                continue
            low, q1, median, q3, high = (values.quantile(share, "linear") for share in _BOX)
            figure.add_trace(
                go.Box(
                    name=str(group),
                    meta=place,
                    visible=place == 0,
                    x=[str(group)],
                    lowerfence=[low],
                    q1=[q1],
                    median=[median],
                    q3=[q3],
                    upperfence=[high],
                    marker={"color": colour},
                    fillcolor="rgba(128, 128, 128, 0.15)",
                    hoverinfo="y",
                    showlegend=False,
                )
            )
    if not figure.data:
        return None
    figure.update_layout(
        layout(height=300),
        xaxis={"type": "category", "showgrid": False, "zeroline": False, "automargin": True},
        yaxis={**axis(""), "range": [_lowest(results, metric) - 0.02, 1.02]},
    )
    return figure


def _lowest(results: Sequence[Result], metric: str) -> float:
    """Zero, or a whisker's end below it: the picture of every model has the same axis."""
    ends = (result.pairs[metric].drop_nans().quantile(_BOX[0], "linear") for result in results)
    return min([0.0, *(end for end in ends if end is not None)])
