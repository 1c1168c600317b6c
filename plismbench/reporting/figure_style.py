"""What all figures share: transparent grounds, one accent, names that are short and no markup."""

import html
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from plismbench.reporting.printing import printable, shortened_apart

ACCENT = "#3b82c4"
LONGEST_NAME = 24

_LINE = 48  # letters
_GRID = "rgba(128, 128, 128, 0.25)"


def layout(height: int) -> dict[str, Any]:
    """Of a figure so many pixels high; text is left to the style sheet of the page, for light and dark."""
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


def axis(title: str) -> dict[str, Any]:
    """An axis of numbers."""
    return {
        "title": {"text": title, "standoff": 8},
        "gridcolor": _GRID,
        "zeroline": False,
        "automargin": True,
    }


def names_axis(names: Sequence[str]) -> dict[str, Any]:
    """An axis with a line for each model, the first on top."""
    short = short_names(names)
    return {
        "tickvals": list(range(len(names))),
        "ticktext": [short[name] for name in names],
        "range": [len(names) - 0.5, -0.5],
        "showgrid": False,
        "zeroline": False,
        "automargin": True,
    }


def error_bars(
    bounds: Sequence[tuple[float, float | None, float | None]], colour: str, thickness: int, width: int
) -> dict[str, Any]:
    """From each value down to its first bound and up to its second; none where a bound is not known."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [0.0 if high is None else high - value for value, _, high in bounds],
        "arrayminus": [0.0 if low is None else value - low for value, low, _ in bounds],
        "color": colour,
        "thickness": thickness,
        "width": width,
    }


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Each name as plotly's little HTML, short enough for an axis and unlike the others."""
    return {name: markup(short) for name, short in shortened_apart(names, LONGEST_NAME).items()}


def whole_name(name: str) -> str:
    """A name as plotly's little HTML, in bold lines that a label under the pointer has room for."""
    return f"<b>{'<br>'.join(map(markup, textwrap.wrap(name, _LINE)))}</b>"


def markup(text: str) -> str:
    """Text as plotly's little HTML."""
    return html.escape(printable(text))
