"""``plismbench report``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plismbench.cli import options
from plismbench.cli.output import say, show
from plismbench.dataset import PLISM
from plismbench.errors import MissingEmbeddings
from plismbench.own_dataset import find_dataset
from plismbench.storage import write_text
from plismbench.workspace import Workspace

if TYPE_CHECKING:
    from plismbench.evaluation.failures import Failures

EXAMPLES = "plismbench report --dataset demo\n\nplismbench report --output robustness.html"


def report(
    root: options.Root,
    dataset: options.Dataset = "plism",
    failures: Annotated[
        str,
        typer.Option(
            help="Tiles that are not found again: of each model's hardest pairs of slides; of a pair such as"
            " GMH_AT2,HR_AT2; or none."
        ),
    ] = "hardest",
    output: Annotated[
        Path | None, typer.Option(help="Where to write it; beside the results if left out.", dir_okay=False)
    ] = None,
    png: Annotated[
        Path | None, typer.Option(help="Folder to write the main figures to as well.", file_okay=False)
    ] = None,
) -> None:
    """Write one self-contained HTML file with tables and plots, and print its path."""
    from plismbench.cli.outdated import mind_outdated
    from plismbench.embeddings.efficiency import read_costs
    from plismbench.evaluation.failures import find_failures, pair_named
    from plismbench.leaderboard.leaderboard import leaderboards, published
    from plismbench.reporting.figure_files import write_pictures
    from plismbench.reporting.report import report_html
    from plismbench.results.result import read_results

    registered = find_dataset(dataset)
    named = failures not in ("hardest", "none")
    pair = pair_named(registered, options.split_commas([failures])) if named else None
    workspace = Workspace(root, registered.name)
    results = read_results(workspace)
    if not results:
        raise MissingEmbeddings(f"No results of '{dataset}' under {root}.", hint=options.evaluate_first(dataset))
    mind_outdated(results, workspace, registered)
    path = output or workspace.report
    boards = [*leaderboards(results, read_costs(workspace)), *([published()] if registered == PLISM else [])]
    shown: tuple[Failures, ...] = ()
    if failures != "none":
        say("Looking for tiles that are not found again …")
        shown = find_failures(results, registered, workspace, pair)
    write_text(path, report_html(registered.title, boards, results, shown))
    show(str(path))
    if png:
        for picture in write_pictures(png, boards, results):
            show(str(picture))
