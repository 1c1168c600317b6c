"""``plismbench leaderboard``."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plismbench.cli import options
from plismbench.cli.output import deliver, say
from plismbench.dataset import PLISM
from plismbench.errors import GateFailed, InvalidInput, MissingEmbeddings
from plismbench.own_dataset import find_dataset
from plismbench.reporting.printing import TableFormat
from plismbench.storage import write_text
from plismbench.workspace import Workspace

if TYPE_CHECKING:
    from plismbench.leaderboard.gate import Check

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
    baseline: Annotated[
        Path | None, typer.Option(help="Gate: exit 1 if a number fell below that of this file.", dir_okay=False)
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(min=0, show_default="0.005", help="Gate: how far a number may fall below its baseline."),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Gate, --write-baseline: only this model; may be repeated.")
    ] = None,
    fail_under: Annotated[float | None, typer.Option(help="Gate: exit 1 if a score is below.")] = None,
    require_rank: Annotated[int | None, typer.Option(min=1, help="Gate: exit 1 if the model ranks below.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Gate: write its checks as JUnit.", dir_okay=False)] = None,
    write_baseline: Annotated[
        Path | None, typer.Option(help="Write what was measured as a baseline, unless the gate fails.", dir_okay=False)
    ] = None,
) -> None:
    """Rank every evaluated model; one table for each signature, for unlike results are never mixed.

    With --baseline, --fail-under or --require-rank it is a gate: exit code 1, and a line on stderr
    for each number that is worse than allowed.
    """
    from plismbench.cli.outdated import mind_outdated
    from plismbench.embeddings.efficiency import read_costs
    from plismbench.leaderboard.board_file import board_text, read_boards
    from plismbench.leaderboard.gate import DEFAULT_TOLERANCE, Requirements, checks, not_compared, of_models
    from plismbench.leaderboard.group_tables import group_tables, published_groups
    from plismbench.leaderboard.leaderboard import leaderboards
    from plismbench.leaderboard.leaderboard import published as published_board
    from plismbench.reporting.groups import groups_parts
    from plismbench.reporting.printing import printable
    from plismbench.reporting.ranking import leaderboard_parts, sorted_board, undefined_terms
    from plismbench.results.result import read_results

    shown, models = options.split_commas(columns), options.model_names(model)
    _refuse_what_does_not_fit(table_format, shown, sort, group)
    _refuse_one_file_for_two(output, junit, write_baseline, baseline)
    required = None
    demanded = baseline or junit or tolerance is not None or fail_under is not None or require_rank is not None
    if demanded or (models and not write_baseline):
        required = Requirements(
            baseline=read_boards(baseline) if baseline else None,
            tolerance=DEFAULT_TOLERANCE if tolerance is None else tolerance,
            models=models,
            least_score=fail_under,
            worst_rank=require_rank,
        )
    registered = find_dataset(dataset)
    workspace = Workspace(root, registered.name)
    results = read_results(workspace)
    published = published and registered == PLISM
    if not results and (required or write_baseline or not published):
        raise MissingEmbeddings(
            f"No results of '{dataset}' under {root}.",
            hint=f"Run `plismbench extract --model NAME --dataset {shlex.quote(dataset)}`,"
            f" then `plismbench evaluate --dataset {shlex.quote(dataset)}`.",
        )
    if not results:
        say("No results here yet: this is the published table.")
    judged = (models or [result.run.name for result in results]) if required or write_baseline else []
    mind_outdated(results, workspace, registered, options.split_commas(model), judged)
    own = leaderboards(results, read_costs(workspace))
    for board in own:
        for sentence in undefined_terms(board):
            say(f"{printable(board.signature)}: {sentence}")
    found = checks(own, required) if required else ()
    kept = of_models(own, models) if write_baseline else ()
    if group:
        tables = [*group_tables(results), *([published_groups()] if published else [])]
        deliver(groups_parts(tables, table_format), output)
    else:
        boards = [*own, *([published_board()] if published else [])]
        if sort:
            boards = [sorted_board(board, sort) for board in boards]
        deliver(leaderboard_parts(boards, table_format, shown), output)
    if required:
        for lacking, names in not_compared(own, required).items():
            say(f"Not in the baseline, and not compared with it: {printable(', '.join(names))} [{printable(lacking)}]")
        _judge(found, junit)
    if write_baseline:
        write_text(write_baseline, board_text(kept))


def _judge(found: "Sequence[Check]", junit: Path | None) -> None:
    """Says what failed.

    Raises:
        GateFailed: if anything did.
    """
    from plismbench.reporting.gate import check_line
    from plismbench.reporting.gate import junit as junit_text

    if junit:
        write_text(junit, junit_text(found))
    failed = [check for check in found if not check.passed]
    for check in failed:
        say(check_line(check))
    if failed:
        raise GateFailed(f"The gate failed: {len(failed)} of {len(found)} checks.")
    random = sum(check.at_chance for check in found)
    of_those = f"; {random} are of accuracies that were no better than ranking at random" if random else ""
    say(f"The gate passed: {len(found)} of {len(found)} checks{of_those}.")


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


def _refuse_one_file_for_two(output: Path | None, junit: Path | None, written: Path | None, read: Path | None) -> None:
    # One would be lost under another: a gate that fails would replace the baseline that it fails.
    places = [path.resolve() for path in (output, junit) if path]
    places += {path.resolve() for path in (written, read) if path}  # a baseline that passed may be written anew
    if len(places) > len(set(places)):
        raise InvalidInput(
            "--output, --junit and the baseline name the same file more than once.", hint="Give each a file of its own."
        )
