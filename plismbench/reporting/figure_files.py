"""The main figures of a report as PNG files."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plismbench.errors import MissingPackage
from plismbench.leaderboard.leaderboard import Leaderboard
from plismbench.reporting.figure_style import markup
from plismbench.reporting.report import report_sections
from plismbench.results.result import Result
from plismbench.storage import write_bytes

_SIZE = {"format": "png", "width": 900, "scale": 2}


def write_pictures(folder: Path, boards: Sequence[Leaderboard], results: Sequence[Result]) -> list[Path]:
    """Writes the figures of every ranking, each with its title and signature, and says where.

    Args:
        folder: made if it is not there.
        boards: rankings.
        results: what they rank.

    Raises:
        MissingPackage: if kaleido or the browser that it draws with is not installed.
    """
    figures = {}
    for number, section in enumerate(report_sections(boards, results), start=1):
        for picture in (*section.overview, *section.groups):
            words = re.sub(r"\W+", "-", picture.title.lower()).strip("-")
            figures[folder / f"{number}-{words}.png"] = _on_paper(picture.title, section.board, picture.figure)
    for path, content in zip(figures, _drawn(list(figures.values())), strict=True):
        write_bytes(path, content)
    return list(figures)


def _on_paper(title: str, board: Leaderboard, figure: dict[str, Any]) -> dict[str, Any]:
    layout = figure["layout"]
    heading = {"text": f"<b>{markup(title)}</b><br><sub>{markup(board.signature)}</sub>", "x": 0.01, "xanchor": "left"}
    margin = {**layout["margin"], "t": 90, "b": 20, "r": 30}
    paper = {"paper_bgcolor": "#fff", "plot_bgcolor": "#fff", "title": heading, "margin": margin}
    return {"data": figure["data"], "layout": {**layout, **paper, "height": layout["height"] + 60}}


def _drawn(figures: Sequence[dict[str, Any]]) -> list[bytes]:
    hint = "Install them: `pip install 'plismbench[png]'`, and Chrome or Chromium."
    try:
        import kaleido
        import plotly
        from choreographer.errors import BrowserDepsError, BrowserFailedError, ChromeNotFoundError
    except ImportError as error:
        raise MissingPackage(f"--png needs a package that does not import: {error}.", hint=hint) from error
    # Without these two, the page that it draws on would ask the network for plotly.js and MathJax.
    page = kaleido.PageGenerator(plotly=Path(plotly.__file__).parent / "package_data/plotly.min.js", mathjax=False)

    async def draw() -> list[bytes]:  # its server in a thread would wait forever for a browser that does not start
        async with kaleido.Kaleido(page_generator=page) as drawing:
            return [
                await drawing.calc_fig(figure, opts=_SIZE | {"height": figure["layout"]["height"]})
                for figure in figures
            ]

    try:
        return asyncio.run(draw())
    except (ChromeNotFoundError, BrowserFailedError, BrowserDepsError) as error:
        raise MissingPackage("--png needs Chrome or Chromium, and none starts.", hint=hint) from error
