"""Pictures of a ranking, as plotly figures: no meaning hangs on colour alone."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from plismbench.leaderboard.leaderboard import Cost, Leaderboard, LeaderboardRow, efficient
from plismbench.reporting.figure_labels import label_places
from plismbench.reporting.figure_style import ACCENT, axis, error_bars, layout, names_axis, short_names, whole_name
from plismbench.reporting.printing import interval_text, number, parameters

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_LARGEST_BUBBLE, _SMALLEST_BUBBLE, _COST_MARK = 46, 9, 11  # pixels
_HEIGHT = 460  # of the two figures that stand side by side
_CORNER = (1.0, 0.0)  # of a collapsed model: all vectors alike, nothing found again
_MOST_NAMES = 20  # written into the scatter plot; the others show theirs under the pointer
_COSTS = {Cost.PARAMETERS: "Parameters", Cost.TIME: "Time a tile, H0-mini = 1"}


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
    rows, cosines, top_10s = zip(*points, strict=True)
    sizes = [row.n_params or 1 for row in rows]  # plotly draws nothing for 0
    largest = max((row.n_params for row in rows if row.n_params), default=_LARGEST_BUBBLE**2)  # else all small
    diameters = [max(_SMALLEST_BUBBLE, _LARGEST_BUBBLE * math.sqrt(size / largest)) for size in sizes]
    figure = go.Figure(
        go.Scatter(
            x=cosines,
            y=top_10s,
            **_named(rows, list(zip(cosines, top_10s, strict=True)), diameters, [_CORNER]),
            marker={
                "size": sizes,
                "sizemode": "area",
                "sizeref": 2 * largest / _LARGEST_BUBBLE**2,
                "sizemin": _SMALLEST_BUBBLE / 2,
                "symbol": [_symbol(row) for row in rows],
                "color": ACCENT,
                "opacity": 0.65,
                "line": {"color": ACCENT, "width": 1.5},
            },
        )
    )
    # What cannot be seen stretches the axes to that corner.
    figure.add_trace(go.Scatter(x=_CORNER[:1], y=_CORNER[1:], mode="markers", marker={"opacity": 0}, hoverinfo="skip"))
    # Where all stand at that corner's side, plotly would show what no cosine and no accuracy can be.
    whole = {"range": [-0.05, 1.05]}
    figure.update_layout(
        layout(height=_HEIGHT),
        showlegend=False,
        xaxis=axis("Cosine similarity, all pairs (median)") | (whole if set(cosines) == {1} else {}),
        yaxis=axis("Top-10 accuracy, cross-both (median)") | (whole if set(top_10s) == {0} else {}),
    )
    return figure


def forest_figure(board: Leaderboard) -> "Figure | None":
    """The score of every model, the best on top: thick its 95 % interval by cores, thin that by slides.

    None if no score is defined.
    """
    import plotly.graph_objects as go

    rows = [(row, row.score) for row in board.rows if row.score is not None]
    if not rows:
        return None
    # Those without are left out: ends of a bar without length would be a bar across the mark.
    by_slide = [(place, row, score) for place, (row, score) in enumerate(rows) if row.score_slide_low is not None]
    figure = go.Figure(
        go.Scatter(
            x=[score for _, _, score in by_slide],
            y=[place for place, _, _ in by_slide],
            mode="markers",
            marker={"size": 1, "color": ACCENT},
            error_x=error_bars(
                [(score, row.score_slide_low, row.score_slide_high) for _, row, score in by_slide], ACCENT, 1, 8
            ),
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[score for _, score in rows],
            y=list(range(len(rows))),
            mode="markers",
            marker={
                "size": 9,
                "color": ACCENT,
                "symbol": ["diamond" if row.trained_on_plism else "circle" for row, _ in rows],
            },
            error_x=error_bars([(score, row.score_low, row.score_high) for row, score in rows], ACCENT, 4, 0),
            hoverinfo="text",
            hovertext=[
                f"{whole_name(row.name)}<br>score {number(score)}"
                f"<br>95 % by core {interval_text(row.score_low, row.score_high)}"
                f"<br>95 % by slide {interval_text(row.score_slide_low, row.score_slide_high)}"
                for row, score in rows
            ],
        )
    )
    figure.update_layout(
        layout(height=max(_HEIGHT, 110 + 24 * len(rows))),
        showlegend=False,
        xaxis=axis("Score"),
        yaxis=names_axis([row.name for row, _ in rows]),
    )
    return figure


def cost_figure(board: Leaderboard, cost: Cost) -> "Figure | None":
    """Score against what a model costs, and the front: models that nothing cheaper equals.

    None with fewer than two models of known score and cost.
    """
    import plotly.graph_objects as go

    points = [(row, row.score, cost.of(row)) for row in board.rows if row.score is not None and cost.of(row)]
    if len(points) < 2:
        return None
    rows, scores, costs = zip(*points, strict=True)
    front = efficient(board.rows, cost)
    on_front = {row.name for row in front}
    logs = [math.log10(value) for value in costs]
    # Plotly would write 2 and 5 between 10M and 100M.
    decades = range(math.floor(min(logs)), math.ceil(max(logs)) + 1)
    ticks = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
    # Costs that are nearly equal may lie between two ticks: the axis is as long as from one to the next at least.
    middle, half = (min(logs) + max(logs)) / 2, math.log10(5 / 2) / 2
    narrow = max(logs) - min(logs) < 2 * half
    ends = [middle - half, middle + half] if narrow else []
    texts = [f"{tick / 1e6:g} M" if cost is Cost.PARAMETERS else f"{tick:g}" for tick in ticks]
    figure = go.Figure(
        go.Scatter(
            x=[cost.of(row) for row in front],
            y=[row.score for row in front],
            mode="lines",
            line={"color": ACCENT, "width": 2, "dash": "dot", "shape": "hv"},
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=costs,
            y=scores,
            **_named(
                rows,
                list(zip(logs, scores, strict=True)),
                [_COST_MARK] * len(rows),
                [(end, scores[0]) for end in ends],
            ),
            marker={
                "size": _COST_MARK,
                "symbol": ["circle" if row.name in on_front else "circle-open" for row in rows],
                "color": ACCENT,
                "line": {"color": ACCENT, "width": 2},
            },
        )
    )
    figure.update_layout(
        layout(height=400),
        showlegend=False,
        xaxis={**axis(_COSTS[cost]), "type": "log", "tickvals": ticks, "ticktext": texts}
        | ({"range": ends} if narrow else {}),
        yaxis=axis("Score"),
    )
    return figure


def _named(
    rows: Sequence[LeaderboardRow],
    places: Sequence[tuple[float, float]],
    diameters: Sequence[float],
    corners: Sequence[tuple[float, float]] = (),
) -> dict[str, Any]:
    """Marks with the names of the first models beside them, where there is room, and all of each under the pointer."""
    short = short_names(row.name for row in rows)
    names = [short[row.name] if place < _MOST_NAMES else "" for place, row in enumerate(rows)]
    sides = label_places(places, names, diameters, corners)
    return {
        "mode": "markers+text",
        "text": ["" if side is None else name for name, side in zip(names, sides, strict=True)],
        "textposition": [side or "top center" for side in sides],
        "textfont": {"size": 12},
        "cliponaxis": False,
        "hoverinfo": "text",
        "hovertext": [_hover(row) for row in rows],
    }


def _symbol(row: LeaderboardRow) -> str:
    if not row.n_params:
        return "x"
    return "diamond" if row.trained_on_plism else "circle"


def _hover(row: LeaderboardRow) -> str:
    lines = (
        whole_name(row.name),
        f"score {number(row.score)}",
        f"cosine, all pairs {number(row.cosine)}",
        f"top-10, cross-scanner {number(row.top10_cross_scanner)}",
        f"top-10, cross-staining {number(row.top10_cross_staining)}",
        f"top-10, cross-both {number(row.top10_cross_both)}",
        f"parameters {parameters(row.n_params)}",
    )
    return "<br>".join(lines)
