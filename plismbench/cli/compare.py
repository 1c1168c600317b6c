"""``plismbench compare``."""

from typing import Annotated

import typer

from plismbench.cli import options
from plismbench.cli.output import deliver
from plismbench.errors import require_known
from plismbench.own_dataset import find_dataset
from plismbench.reporting.printing import TableFormat
from plismbench.workspace import Workspace

EXAMPLES = "plismbench compare h0-mini uni\n\nplismbench compare small-pixels color-stats --dataset demo"


def compare(
    models: Annotated[list[str], typer.Argument(help="Evaluated models: the first is compared with each other.")],
    root: options.Root,
    dataset: options.Dataset = "plism",
    table_format: options.Format = TableFormat.TABLE,
    output: options.Output = None,
) -> None:
    """Compare a model with others: differences with intervals, a test over cores, and which slides make them."""
    from plismbench.cli.outdated import mind_outdated
    from plismbench.extractors.registry import name_of
    from plismbench.leaderboard.comparison import compare as compared
    from plismbench.reporting.comparison import comparison_parts
    from plismbench.results.result import read_results

    models = [name_of(name) for name in models]
    workspace = Workspace(root, find_dataset(dataset).name)
    results = read_results(workspace)
    known = {result.run.name for result in results}
    require_known("result", models, known, hint=options.evaluate_first(dataset))
    comparisons = compared(results, models)
    mind_outdated([result for result in results if result.run.name in models], workspace, dataset)
    deliver(comparison_parts(comparisons, table_format), output)
