"""``plismbench leaderboard``."""

from plismbench.cli import options
from plismbench.cli.output import say, show
from plismbench.dataset import PLISM, dataset_named
from plismbench.errors import MissingEmbeddings
from plismbench.reporting.formats import TableFormat
from plismbench.workspace import Workspace

EXAMPLES = "plismbench leaderboard\n\nplismbench leaderboard --dataset demo --format markdown"


def leaderboard(
    root: options.Root,
    dataset: options.Dataset = "plism",
    table_format: options.Format = TableFormat.TABLE,
) -> None:
    """Rank every evaluated model; one table for each signature, for unlike results are never mixed."""
    from plismbench.leaderboard import leaderboards, published, read_results
    from plismbench.reporting.printing import printable
    from plismbench.reporting.tables import leaderboard_table, leaderboard_text

    registered = dataset_named(dataset)
    boards = leaderboards(read_results(Workspace(root, dataset)))
    if not boards:
        if registered != PLISM:
            raise MissingEmbeddings(
                f"No results of '{dataset}' under {root}.",
                hint=f"Run `plismbench extract --model NAME --dataset {dataset}`,"
                f" then `plismbench evaluate --dataset {dataset}`.",
            )
        say("No results here yet: this is the published table.")
        boards = (published(),)
    if table_format is TableFormat.TABLE:
        for board in boards:
            show(printable(board.signature))
            show(leaderboard_table(board))
    else:
        show(leaderboard_text(boards, table_format))
