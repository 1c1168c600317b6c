"""One HTML file that says it all, opens offline and asks the network for nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from plismbench import __version__
from plismbench.aggregation import top_k_metric
from plismbench.dataset import DEMO, PLISM
from plismbench.leaderboard import Leaderboard
from plismbench.pairs import Axis
from plismbench.reporting.plots import groups_figure, matrix_figure, scatter_figure
from plismbench.reporting.printing import interval_text, number, parameters, printable
from plismbench.reporting.ranking import rank
from plismbench.reporting.tables import Cells, summary_cells
from plismbench.results import Result

_SERIAL = (
    "Stainings are serial sections: two of them show neighbouring tissue, not the same cells. Part of the"
    " distance between stainings is tissue, not stain. Scanners see the same section."
)
_ONE_ARRAY = (
    "All tissue comes from one tissue microarray of 46 tissues: n is 46, not the number of tiles or of pairs,"
    " and pairs that share a slide are not independent. Small differences are not a ranking."
)
_SIMULATED = (
    "These are simulated stainings and scanners of one real skin section, not PLISM: they show that everything"
    " works. Do not compare these numbers with those of PLISM, nor quote them."
)
_GAMEABLE = (
    "Cosine similarity alone can be gamed: a model that gives every tile the same vector scores 1."
    " Read it beside the top-10 accuracy, where that model scores 0."
)
_CAVEATS = {PLISM.name: (_SERIAL, _ONE_ARRAY, _GAMEABLE), DEMO.name: (_SIMULATED, _GAMEABLE)}


@dataclass(frozen=True)
class Section:
    """Everything of one signature: like with like.

    Args:
        board: the ranking.
        summary: median (IQR) over every pair group, in the order of the ranking.
        overview: the scatter plot, where it is defined.
        groups: title and plot; one a metric.
        models: names to choose from in the matrices.
        matrices: title and plot; one trace for each of the models.
        retrieval: metric of the matrices.
    """

    board: Leaderboard
    summary: Cells
    overview: dict[str, Any] | None
    groups: tuple[tuple[str, dict[str, Any]], ...]
    models: tuple[str, ...]
    matrices: tuple[tuple[str, dict[str, Any]], ...]
    retrieval: str


def report_html(dataset_title: str, boards: Sequence[Leaderboard], results: Sequence[Result]) -> str:
    """The report as one HTML document, plotly.js included (about 5 MB).

    Args:
        dataset_title: for the heading.
        boards: rankings, one section each.
        results: what they rank; each goes to the ranking of its own signature.
    """
    from jinja2 import Environment, StrictUndefined
    from plotly.offline import get_plotlyjs

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": number, "parameters": parameters, "printable": printable}
    environment.globals |= {"interval": interval_text, "rank": rank}
    template = (files("plismbench") / "resources" / "report.html.jinja").read_text(encoding="utf-8")
    datasets = dict.fromkeys(result.run.dataset for result in results)
    return environment.from_string(template).render(
        title=dataset_title,
        sections=[_section(board, results) for board in boards],
        caveats=dict.fromkeys(caveat for name in datasets for caveat in _CAVEATS.get(name, (_GAMEABLE,))),
        version=__version__,
        plotly_js=get_plotlyjs(),
    )


def _section(board: Leaderboard, results: Sequence[Result]) -> Section:
    order = {row.name: place for place, row in enumerate(board.rows)}
    own = sorted(
        (result for result in results if result.run.signature == board.signature),
        key=lambda result: order[result.run.name],
    )
    ks = own[0].run.ks if own else (10,)
    retrieval = top_k_metric(10 if 10 in ks else max(ks))
    overview = scatter_figure(board)
    retrieval_title = f"{retrieval.replace('_', '-').capitalize()} accuracy"
    groups = {retrieval_title: retrieval, "Cosine similarity": "cosine"} if own else {}
    matrices = {
        "Between scanners, same staining": matrix_figure(own, Axis.SCANNER, retrieval),
        "Between stainings, same scanner": matrix_figure(own, Axis.STAINING, retrieval),
    }
    return Section(
        board=board,
        summary=summary_cells(own),
        overview=overview and overview.to_plotly_json(),
        groups=tuple((title, groups_figure(own, metric).to_plotly_json()) for title, metric in groups.items()),
        models=tuple(result.run.name for result in own),
        matrices=tuple((title, figure.to_plotly_json()) for title, figure in matrices.items() if figure),
        retrieval=retrieval_title,
    )
