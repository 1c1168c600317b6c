"""``plismbench leaderboard``."""

from plismbench.cli import options
from plismbench.cli.output import say, show
from plismbench.dataset import PLISM
from plismbench.described import find_dataset
from plismbench.errors import MissingEmbeddings
from plismbench.reporting.formats import TableFormat
from plismbench.workspace import Workspace

EXAMPLES = "plismbench leaderboard\n\nplismbench leaderboard --dataset demo --format markdown"

_TERMS = {
    "cosine": "cosine",
    "top-10 of cross-scanner pairs": "top10_cross_scanner",
    "top-10 of cross-staining pairs": "top10_cross_staining",
    "top-10 of cross-both pairs": "top10_cross_both",
}


def leaderboard(
    root: options.Root,
    dataset: options.Dataset = "plism",
    table_format: options.Format = TableFormat.TABLE,
) -> None:
    """Rank every evaluated model; one table for each signature, for unlike results are never mixed."""
    from plismbench.leaderboard import leaderboards, published, read_results
    from plismbench.reporting.printing import printable
    from plismbench.reporting.tables import leaderboard_table, leaderboard_text

    registered = find_dataset(dataset)
    boards = leaderboards(read_results(Workspace(root, registered.name)))
    if not boards:
        if registered != PLISM:
            raise MissingEmbeddings(
                f"No results of '{dataset}' under {root}.",
                hint=f"Run `plismbench extract --model NAME --dataset {dataset}`,"
                f" then `plismbench evaluate --dataset {dataset}`.",
            )
        say("No results here yet: this is the published table.")
        boards = (published(),)
    for board in boards:
        undefined = [word for word, field in _TERMS.items() if all(getattr(row, field) is None for row in board.rows)]
        if undefined:
            say(f"{printable(board.signature)}: no {', '.join(undefined)}; without all four terms there is no score.")
    if table_format is TableFormat.TABLE:
        for board in boards:
            show(printable(board.signature))
            show(leaderboard_table(board))
    else:
        show(leaderboard_text(boards, table_format))
