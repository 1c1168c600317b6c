"""The command ``plismbench``: puts the commands together and turns errors into one line and an exit code."""

import os
import sys
import threading
import traceback
from contextlib import suppress
from typing import Annotated, NoReturn

import typer

from plismbench import __version__
from plismbench.cli import (
    compare,
    doctor,
    download,
    evaluate,
    exchange,
    extract,
    leaderboard,
    models,
    profile,
    report,
    submit,
)
from plismbench.cli.output import say, show
from plismbench.errors import InvalidInput, NeedsAction, PlismbenchError
from plismbench.machine import lacks_memory
from plismbench.reporting.printing import printable

app = typer.Typer(
    name="plismbench",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help: no box to fold, and 0.1 s less to start
    pretty_exceptions_enable=False,  # a bug of ours keeps its own traceback
    epilog="plismbench extract --model color-stats --dataset demo\n\nplismbench evaluate --dataset demo",
)
app.command(name="download", epilog=download.EXAMPLES)(download.download)
app.command(name="extract", epilog=extract.EXAMPLES)(extract.extract)
app.command(name="evaluate", epilog=evaluate.EXAMPLES)(evaluate.evaluate)
app.command(name="leaderboard", epilog=leaderboard.EXAMPLES)(leaderboard.leaderboard)
app.command(name="compare", epilog=compare.EXAMPLES)(compare.compare)
app.add_typer(submit.submit, name="submit")
app.command(name="report", epilog=report.EXAMPLES)(report.report)
app.command(name="profile", epilog=profile.EXAMPLES)(profile.profile)
app.command(name="import", epilog=exchange.IMPORT_EXAMPLES)(exchange.import_features)
app.command(name="export", epilog=exchange.EXPORT_EXAMPLES)(exchange.export)
app.command(name="doctor", epilog=doctor.EXAMPLES)(doctor.doctor)
app.add_typer(models.app, name="models", epilog=models.EXAMPLES)


_INTERRUPTED, _UNREAD = 130, 141  # what a shell makes of SIGINT and of SIGPIPE
_BUG = os.EX_SOFTWARE  # Python's own is 1, which is that of a failed gate


def _print_version(wanted: bool) -> None:
    if wanted:
        show(__version__)
        raise typer.Exit


@app.callback()
def plismbench(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """How far a pathology model's embeddings move with the stain and the scanner, measured on PLISM."""


def _leave(code: int) -> NoReturn:
    """Ends the process, and does not wait for threads that wait for a silent server.

    An orderly end would wait with them, or abort: pyarrow cannot be in one of them while Python ends.
    Nor does who pressed Ctrl-C wait for torch and Ray to be taken apart, seconds on a busy machine:
    what this process started ends with it.
    """
    from plismbench.tiles.thread_pool import THREAD_NAME

    if code in (_INTERRUPTED, _UNREAD) or any(thread.name == THREAD_NAME for thread in threading.enumerate()):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, AttributeError):  # a closed stdout is None
                stream.flush()
        os._exit(code)
    sys.exit(code)


def main() -> None:
    """Runs the command line.

    Exit codes: 0 fine, 1 a gate failed, 2 misuse, 3 something must be installed, granted or
    downloaded, 70 a bug of ours, 130 interrupted, 141 nobody reads on.
    """
    try:
        _run()
    except BrokenPipeError:
        _leave(_UNREAD)
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):  # Typer and rich make exit code 1 of it, that of a gate
            _leave(_UNREAD)
        raise
    except Exception as error:  # noqa: BLE001 - any bug of ours
        if lacks_memory(error):
            say("plismbench: This machine has too little free memory. Ask for less at once; what was finished is kept.")
            _leave(NeedsAction.exit_code)
        traceback.print_exc()
        _leave(_BUG)


def _run() -> None:
    try:
        code = app(prog_name="plismbench", standalone_mode=False)
        if code == _INTERRUPTED:  # Typer's answer to Ctrl-C in a command
            raise KeyboardInterrupt
        sys.exit(code)
    except typer.TyperException as error:
        say(_misuse(error))
        _leave(InvalidInput.exit_code)
    except PlismbenchError as error:
        say(f"plismbench: {printable(' '.join(str(error).split()))}")
        _leave(error.exit_code)
    except KeyboardInterrupt:
        say("plismbench: Interrupted. What was finished is kept; the same command goes on from there.")
        _leave(_INTERRUPTED)


def _misuse(error: typer.TyperException) -> str:
    """One line on a command that Typer cannot read; its help where no command is named."""
    message = error.format_message()
    if message.startswith("Usage:"):
        return message
    line = printable(" ".join(message.split()))
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "plismbench"
    return f"plismbench: {line}{'' if line.endswith(('.', '?')) else '.'} See `{command} --help`."
