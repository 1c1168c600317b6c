"""Pictures of a ranking and of its results, as plotly figures.

No meaning hangs on colour alone: groups have marker shapes of their own, cells show their number.
Backgrounds are transparent and text is left to the style sheet of the page, for light and dark.
"""

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from plismbench.aggregation import medians_between
from plismbench.leaderboard import Leaderboard, LeaderboardRow
from plismbench.pairs import Axis, PairGroup
from plismbench.reporting.labels import label_places
from plismbench.reporting.printing import number, parameters, printable
from plismbench.results import Result

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_ACCENT = "#3b82c4"
_GRID = "rgba(128, 128, 128, 0.25)"
_GROUPS = {  # blue, orange, green of Okabe and Ito, which stay apart without colour vision
    PairGroup.CROSS_SCANNER: ("#0072b2", "circle", -0.22),
    PairGroup.CROSS_STAINING: ("#e69f00", "square", 0.0),
    PairGroup.CROSS_BOTH: ("#009e73", "diamond", 0.22),
}
# The light half of Cividis: of the whole, plotly would put white numbers on cells of middle grey.
_CELLS = [[0, "#7d7c76"], [0.5, "#bbad6d"], [1, "#fee838"]]
_LARGEST_BUBBLE, _SMALLEST_BUBBLE = 46, 9
_LONGEST_NAME = 24
_MOST_NAMES = 20  # written into the scatter plot; the others show theirs under the pointer


def scatter_figure(board: Leaderboard) -> "Figure | None":
    """Cosine over all pairs against top-10 over cross-both pairs; None if no row has both.

    The area of a bubble is the number of parameters; a cross has none, or none known. A diamond
    was trained on PLISM.
    """
    import plotly.graph_objects as go

    points = [
        (row, row.cosine, row.top10_cross_both)
        for row in board.rows
        if row.cosine is not None and row.top10_cross_both is not None
    ]
    if not points:
        return None
    names = [_name(row.name) if place < _MOST_NAMES else "" for place, (row, _, _) in enumerate(points)]
    sizes = [row.n_params or 1 for row, _, _ in points]  # plotly draws nothing for 0
    largest = max((row.n_params for row, _, _ in points if row.n_params), default=_LARGEST_BUBBLE**2)  # else all small
    figure = go.Figure(
        go.Scatter(
            x=[cosine for _, cosine, _ in points],
            y=[top_10 for _, _, top_10 in points],
            mode="markers+text",
            text=names,
            textposition=label_places([(x, y) for _, x, y in points], names),
            textfont={"size": 12},
            cliponaxis=False,
            hoverinfo="text",
            hovertext=[_hover(row) for row, _, _ in points],
            marker={
                "size": sizes,
                "sizemode": "area",
                "sizeref": 2 * largest / _LARGEST_BUBBLE**2,
                "sizemin": _SMALLEST_BUBBLE / 2,
                "symbol": [_symbol(row) for row, _, _ in points],
                "color": _ACCENT,
                "opacity": 0.65,
                "line": {"color": _ACCENT, "width": 1.5},
            },
        )
    )
    # What cannot be seen stretches the axes to a cosine of 1 and an accuracy of 0, the corner of a collapsed model.
    figure.add_trace(go.Scatter(x=[1], y=[0], mode="markers", marker={"opacity": 0}, hoverinfo="skip"))
    figure.update_layout(
        _layout(height=460),
        showlegend=False,
        xaxis=_axis("Cosine similarity, all pairs (median)"),
        yaxis=_axis("Top-10 accuracy, cross-both (median)"),
    )
    return figure


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
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [row["q3"] - row["median"] for _, row in rows],
                    "arrayminus": [row["median"] - row["q1"] for _, row in rows],
                    "color": colour,
                    "thickness": 2,
                    "width": 0,
                },
                hoverinfo="text",
                hovertext=[
                    f"<b>{_name(results[place].run.name)}</b><br>{group}: {number(row['median'])}"
                    f" ({number(row['q1'])} to {number(row['q3'])}), {row['n_pairs']:,} pairs"
                    for place, row in rows
                ],
            )
        )
    figure.update_layout(
        _layout(height=80 + 46 * len(results)),
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom", "yref": "paper"},
        xaxis=_axis(""),
        yaxis={
            "tickvals": list(range(len(results))),
            "ticktext": [_name(result.run.name) for result in results],
            "range": [len(results) - 0.5, -0.5],
            "showgrid": False,
            "zeroline": False,
            "automargin": True,
        },
    )
    return figure


def matrix_figure(results: Sequence[Result], axis: Axis, metric: str) -> "Figure | None":
    """Median of a metric between every two scanners, or stainings; one trace a result, the first of them shown.

    None if no result has such pairs.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    n_codes = 0
    for result in results:
        medians = {
            (row["a"], row["b"]): row["median"]
            for row in medians_between(result.summary, axis, metric).iter_rows(named=True)
        }
        codes = sorted({code for pair in medians for code in pair})
        n_codes = max(n_codes, len(codes))
        cells = [[medians.get((min(a, b), max(a, b))) for b in codes] for a in codes]
        figure.add_trace(
            go.Heatmap(
                name=_name(result.run.name),
                visible=result is results[0],
                x=codes,
                y=codes,
                z=cells,
                text=[["" if value is None else number(value, 2) for value in line] for line in cells],
                texttemplate="%{text}",
                textfont={"color": "#000"},
                hovertemplate="%{y} – %{x}: %{z:.3f}<extra></extra>",
                hoverongaps=False,
                colorscale=_CELLS,
                zmin=0,
                zmax=1,
                showscale=False,
                xgap=1,
                ygap=1,
            )
        )
    if not n_codes:
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
        _layout(height=150 + 26 * n_codes),
        xaxis={**square, "side": "bottom", "tickangle": -90 if n_codes > 7 else 0},
        yaxis={**square, "autorange": "reversed"},
    )
    return figure


def _layout(height: int) -> dict[str, Any]:
    transparent = "rgba(0, 0, 0, 0)"
    return {
        "template": "none",
        "height": height,
        "margin": {"l": 12, "r": 16, "t": 30, "b": 12},
        "paper_bgcolor": transparent,
        "plot_bgcolor": transparent,
        "font": {"family": "system-ui, sans-serif", "size": 12},
        "hoverlabel": {"align": "left"},
        "dragmode": False,  # a finger on a picture scrolls the page
    }


def _axis(title: str) -> dict[str, Any]:
    return {
        "title": {"text": title, "standoff": 8},
        "gridcolor": _GRID,
        "zeroline": False,
        "automargin": True,
    }


def _name(name: str) -> str:
    """A name as plotly's little HTML, short enough for an axis."""
    text = printable(name)
    return html.escape(text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…")


def _symbol(row: LeaderboardRow) -> str:
    if not row.n_params:
        return "x"
    return "diamond" if row.trained_on_plism else "circle"


def _hover(row: LeaderboardRow) -> str:
    lines = (
        f"<b>{_name(row.name)}</b>",
        f"score {number(row.score)}",
        f"cosine, all pairs {number(row.cosine)}",
        f"top-10, cross-scanner {number(row.top10_cross_scanner)}",
        f"top-10, cross-staining {number(row.top10_cross_staining)}",
        f"top-10, cross-both {number(row.top10_cross_both)}",
        f"parameters {parameters(row.n_params)}",
    )
    return "<br>".join(lines)
