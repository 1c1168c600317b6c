"""One HTML file that says it all, opens offline and asks the network for nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from plismbench import __version__
from plismbench.dataset import DEMO, PLISM
from plismbench.evaluation.failures import Failures
from plismbench.leaderboard.leaderboard import Cost, Leaderboard
from plismbench.pairs import Axis
from plismbench.reporting.board_figures import cost_figure, forest_figure, scatter_figure
from plismbench.reporting.failures import FailurePanel, failure_panels
from plismbench.reporting.printing import interval_text, number, parameters, printable
from plismbench.reporting.ranking import notes, rank, times, undefined_terms
from plismbench.reporting.result_figures import distribution_figure, groups_figure, matrix_figure, slides_figure
from plismbench.reporting.slides import slide_notes
from plismbench.reporting.summary import Cells, summary_cells
from plismbench.results.aggregation import Breaker, Hardest, breaker_of, hardest_between, top_k_metric
from plismbench.results.result import Result

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_SERIAL = (
    "Stainings are serial sections: two of them show neighbouring tissue, not the same cells. Part of the"
    " distance between stainings is tissue, not stain. Scanners see the same section."
)
_ONE_ARRAY = (
    "All tissue comes from one tissue microarray of 46 tissues: n is 46, not the number of tiles or of pairs,"
    " and pairs that share a slide are not independent. Small differences are not a ranking."
)
_DEFECTS = (
    "Known defects of the data: GIVH_SQ and HRH_SQ are suspected to be swapped in the originals, HRH_S60 is out of"
    " focus, and registration leaves about 20 px between some scanners, so that a miss to the next tile may be that."
    " --exclude-slides leaves slides out; the signature says so."
)
_SIMULATED = (
    "These are simulated stainings and scanners of one real skin section, not PLISM: they show that everything"
    " works. Do not compare these numbers with those of PLISM, nor quote them."
)
_GAMEABLE = (
    "Cosine similarity alone can be gamed: a model that gives every tile the same vector scores 1."
    " Read it beside the top-10 accuracy, where that model scores 0."
)
_CAVEATS = {PLISM.name: (_SERIAL, _ONE_ARRAY, _DEFECTS, _GAMEABLE), DEMO.name: (_SIMULATED, _GAMEABLE)}


@dataclass(frozen=True)
class Picture:
    """A plotly figure under its title."""

    title: str
    figure: dict[str, Any]


@dataclass(frozen=True)
class Weakness:
    """The scanners, or stainings, with which a model does worst.

    Args:
        hardest: the two with the lowest median top-k accuracy.
        breaker: the one that is why, if it is one.
    """

    hardest: Hardest
    breaker: Breaker | None

    @property
    def exists(self) -> bool:
        """Whether a tile is missed at all, as the median prints."""
        return number(self.hardest.median) != number(1.0)

    @property
    def tied(self) -> bool:
        """Whether others are counted beside the two."""
        return self.exists and not self.breaker and self.hardest.n_alike > 0


@dataclass(frozen=True)
class Weaknesses:
    """What breaks a model.

    Args:
        model: its name.
        scanners, stainings: None if there are no two.
    """

    model: str
    scanners: Weakness | None
    stainings: Weakness | None

    @property
    def found(self) -> tuple[Weakness, ...]:
        """Those that exist."""
        return tuple(weakness for weakness in (self.scanners, self.stainings) if weakness and weakness.exists)


@dataclass(frozen=True)
class Section:
    """Everything of one signature: like with like.

    Args:
        board: the ranking.
        notes: what stands below it.
        doubts: slides that may not be what they are called.
        metric: the accuracy that the section is about, as a heading.
        weaknesses: of each of the models.
        summary: median (IQR) over every pair group, in the order of the ranking.
        overview: title and plot of the ranking, those that are defined.
        groups: title and plot; one a metric.
        models: names to choose from in the matrices.
        chosen: which of them is shown first: the best that something breaks.
        matrices: title and plot; traces of each of the models, of which one is shown.
        failures: what failure looks like, panels of each of the models, in their order.
    """

    board: Leaderboard
    notes: tuple[str, ...]
    doubts: tuple[str, ...]
    metric: str
    weaknesses: tuple[Weaknesses, ...]
    summary: Cells
    overview: tuple[Picture, ...]
    groups: tuple[Picture, ...]
    models: tuple[str, ...]
    chosen: int
    matrices: tuple[Picture, ...]
    failures: tuple[FailurePanel, ...]


def report_html(
    dataset_title: str, boards: Sequence[Leaderboard], results: Sequence[Result], failures: Sequence[Failures] = ()
) -> str:
    """The report as one HTML document, plotly.js included (about 5 MB, at most 4 MB more with pictures of tiles).

    Args:
        dataset_title: for the heading.
        boards: rankings, one section each.
        results: what they rank; each goes to the ranking of its own signature.
        failures: of the same results.
    """
    from jinja2 import Environment, StrictUndefined
    from plotly.offline import get_plotlyjs

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "number": number,
        "parameters": parameters,
        "printable": printable,
        "times": times,
    }
    environment.globals |= {"interval": interval_text, "rank": rank}
    template = (files("plismbench") / "resources" / "report.html.jinja").read_text(encoding="utf-8")
    datasets = dict.fromkeys(result.run.dataset for result in results)
    return environment.from_string(template).render(
        title=dataset_title,
        sections=report_sections(boards, results, failures),
        caveats=dict.fromkeys(caveat for name in datasets for caveat in _CAVEATS.get(name, (_GAMEABLE,))),
        version=__version__,
        plotly_js=get_plotlyjs(),
    )


def report_sections(
    boards: Sequence[Leaderboard], results: Sequence[Result], failures: Sequence[Failures] = ()
) -> tuple[Section, ...]:
    """One section for each ranking, with the results that it ranks."""
    panels = tuple(failure_panels(found for board in boards for found in _ranked(failures, board)))
    return tuple(_section(board, results, panels) for board in boards)


def _section(board: Leaderboard, results: Sequence[Result], panels: Sequence[FailurePanel]) -> Section:
    order = {row.name: place for place, row in enumerate(board.rows)}
    own = sorted(
        (result for result in results if result.run.signature == board.signature),
        key=lambda result: order[result.run.name],
    )
    retrieval = top_k_metric(own[0].run.shown_k if own else 10)
    pictures = {
        "Alike, and still told apart": scatter_figure(board),
        "How sure a score is": forest_figure(board),
        "Robustness against size": cost_figure(board, Cost.PARAMETERS),
        "Robustness against time": cost_figure(board, Cost.TIME),
    }
    title = f"{retrieval.replace('_', '-').capitalize()} accuracy"
    groups = {title: retrieval, "Cosine similarity": "cosine"} if own else {}
    chosen = {
        f"{title} between scanners, same staining": matrix_figure(own, Axis.SCANNER, retrieval),
        f"{title} between stainings, same scanner": matrix_figure(own, Axis.STAINING, retrieval),
        f"{title} of each slide with all others": slides_figure(own, retrieval),
        f"{title}, distribution over pairs": distribution_figure(own, retrieval),
        "Cosine similarity, distribution over pairs": distribution_figure(own, "cosine"),
    }
    weaknesses = tuple(
        Weaknesses(result.run.name, *(_weakness(result, axis, retrieval) for axis in Axis)) for result in own
    )
    return Section(
        board=board,
        notes=(*undefined_terms(board), *notes(board)),
        doubts=tuple(slide_notes(own)),
        metric=title,
        weaknesses=weaknesses,
        summary=summary_cells(own),
        overview=_defined(pictures),
        groups=_defined({name: groups_figure(own, metric) for name, metric in groups.items()}),
        models=tuple(result.run.name for result in own),
        chosen=next((place for place, found in enumerate(weaknesses) if found.found), 0),
        matrices=_defined(chosen),
        failures=tuple(panel for panel in panels if panel.signature == board.signature),
    )


def _weakness(result: Result, axis: Axis, metric: str) -> Weakness | None:
    hardest = hardest_between(result.summary, axis, metric)
    return None if hardest is None else Weakness(hardest, breaker_of(result.summary, axis, metric))


def _ranked(failures: Sequence[Failures], board: Leaderboard) -> list[Failures]:
    """Those of a ranking, in its order."""
    order = {row.name: place for place, row in enumerate(board.rows)}
    own = (found for found in failures if found.signature == board.signature)
    return sorted(own, key=lambda found: order[found.model])


def _defined(figures: "Mapping[str, Figure | None]") -> tuple[Picture, ...]:
    return tuple(Picture(title, figure.to_plotly_json()) for title, figure in figures.items() if figure)
