"""What all figures share: transparent grounds, one accent, names that are short and no markup."""

import html
from typing import Any

from plismbench.reporting.printing import printable

ACCENT = "#3b82c4"
LONGEST_NAME = 24

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


def short_name(name: str) -> str:
    """A name as plotly's little HTML, short enough for an axis."""
    text = printable(name)
    return markup(text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…")


def markup(text: str) -> str:
    """Text as plotly's little HTML."""
    return html.escape(printable(text))
