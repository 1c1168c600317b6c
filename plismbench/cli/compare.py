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

    names = [name_of(model) for model in models]
    registered = find_dataset(dataset)
    workspace = Workspace(root, registered.name)
    results = read_results(workspace)
    known = {result.run.name for result in results}
    require_known("result", names, known, hint=options.evaluate_first(dataset))
    comparisons = compared(results, names)
    mind_outdated([result for result in results if result.run.name in names], workspace, registered, models)
    deliver(comparison_parts(comparisons, table_format), output)
