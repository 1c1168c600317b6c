"""``plismbench leaderboard``."""

from typing import TYPE_CHECKING, Annotated

import typer

from plismbench.cli import options
from plismbench.cli.output import deliver, say
from plismbench.dataset import PLISM, dataset_named
from plismbench.errors import InvalidInput, MissingEmbeddings
from plismbench.reporting.formats import TableFormat
from plismbench.workspace import Workspace

if TYPE_CHECKING:
    from rich.console import RenderableType

    from plismbench.leaderboard import Leaderboard
    from plismbench.results import Result

EXAMPLES = "plismbench leaderboard --no-published\n\nplismbench leaderboard --dataset demo --format markdown"


def leaderboard(
    root: options.Root,
    dataset: options.Dataset = "plism",
    table_format: options.Format = TableFormat.TABLE,
    published: Annotated[
        bool, typer.Option("--published/--no-published", help="Show the published table below one's own.")
    ] = True,
    sort: Annotated[str | None, typer.Option(help="Column to sort by instead of the score; ranks stay.")] = None,
    columns: Annotated[
        list[str] | None, typer.Option(help="Columns after the rank, such as model,score,retrieval,params.")
    ] = None,
    group: Annotated[bool, typer.Option("--group", help="Median (IQR) over each pair group instead.")] = False,
    output: options.Output = None,
) -> None:
    """Rank every evaluated model; one table for each signature, for unlike results are never mixed."""
    from plismbench.leaderboard import leaderboards, read_results
    from plismbench.leaderboard import published as published_board
    from plismbench.reporting.ranking import sorted_board

    shown = options.split_commas(columns)
    _refuse_what_does_not_fit(table_format, shown, sort, group)
    results = read_results(Workspace(root, dataset))
    published = published and dataset_named(dataset) == PLISM
    if not results and not published:
        raise MissingEmbeddings(
            f"No results of '{dataset}' under {root}.",
            hint=f"Run `plismbench extract --model NAME --dataset {dataset}`,"
            f" then `plismbench evaluate --dataset {dataset}`.",
        )
    if not results:
        say("No results here yet: this is the published table.")
    if group:
        deliver(_groups(results, published, table_format), output)
        return
    boards = [*leaderboards(results), *([published_board()] if published else [])]
    if sort:
        boards = [sorted_board(board, sort) for board in boards]
    deliver(_rankings(boards, shown, table_format), output)


def _refuse_what_does_not_fit(table_format: TableFormat, columns: list[str], sort: str | None, group: bool) -> None:
    from plismbench.reporting.ranking import find_column

    for name in [*columns, *([sort] if sort else [])]:
        find_column(name)
    if columns and table_format in (TableFormat.CSV, TableFormat.JSON):
        raise InvalidInput(
            f"--columns is for tables that people read; {table_format} always has every field.",
            hint="Leave it out, or choose --format table, markdown, html or latex.",
        )
    if group and (columns or sort):
        raise InvalidInput("--group has columns and an order of its own.", hint="Leave out --columns and --sort.")


def _rankings(
    boards: "list[Leaderboard]", columns: list[str], table_format: TableFormat
) -> "list[RenderableType | str]":
    from plismbench.reporting.printing import printable
    from plismbench.reporting.ranking import leaderboard_table, leaderboard_text, notes

    if table_format is not TableFormat.TABLE:
        return [leaderboard_text(boards, table_format, columns)]
    parts: list[RenderableType | str] = []
    for board in boards:
        parts += [printable(board.signature), leaderboard_table(board, columns), *notes(board)]
    return parts


def _groups(results: "list[Result]", published: bool, table_format: TableFormat) -> "list[RenderableType | str]":
    from plismbench.leaderboard import group_tables, published_groups
    from plismbench.reporting.groups import group_notes, groups_table, groups_text
    from plismbench.reporting.printing import printable

    tables = [*group_tables(results), *([published_groups()] if published else [])]
    if table_format is not TableFormat.TABLE:
        return [groups_text(tables, table_format)]
    parts: list[RenderableType | str] = []
    for table in tables:
        parts += [printable(table.signature), groups_table(table), *group_notes(table)]
    return parts
