"""stdout is the result; progress and talk go to stderr."""

import errno
import io
import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from plismbench.errors import StorageFailure
from plismbench.reporting.printing import shortened
from plismbench.storage import write_text

if TYPE_CHECKING:
    from rich.console import RenderableType

COMPILING = "Compiling first: nothing moves for a minute or more, for each network."

_WHOLE = 10_000  # columns of a table that no terminal cuts: wider than any
_TITLE = 20  # of a progress bar, in columns: the rest of 80 is for its numbers
_EVERY = 60  # seconds between two lines where there is no terminal, as in the log of a batch job
_PERIOD = 900  # seconds back that time left is judged from: a batch of a large model takes a CPU minutes


class _Talk(io.TextIOWrapper):
    """stderr: what cannot be written is lost, and the work goes on."""

    def write(self, text: str, /) -> int:
        with _unless_unread():
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with _unless_unread():
            super().flush()


@contextmanager
def _unless_unread() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise  # who read it has enough
    except OSError:
        pass


def prepare_streams() -> None:
    """Makes the best of the stdout, stderr and COLUMNS that a shell gave: closed, full, not UTF-8, or 0."""
    for handle, stream in enumerate((sys.stdout, sys.stderr), start=1):
        if stream is None:  # closed; what is opened next would take its number, and what libraries print there
            os.dup2(os.open(os.devnull, os.O_WRONLY), handle)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    talk = io.BufferedWriter(io.FileIO(2, "w", closefd=False))
    sys.stderr = _Talk(talk, getattr(sys.stderr, "encoding", None), "backslashreplace", line_buffering=True)
    if not os.environ.get("COLUMNS", "").strip("0"):
        os.environ.pop("COLUMNS", None)


# In errors: a command that is to be run next. `plismbench models` is no command of a root.
_TO_RUN = re.compile(r"((?:[Rr]un|then) `plismbench (?!models)[^`]*)`")
_root = ""  # as --root names it: errors are said when there is no command any more to ask


def keep_root(root: Path | None) -> None:
    """Has the commands that `say` tells to run name the same root; None where --root was left out."""
    global _root
    _root = f" --root {shlex.quote(str(root))}" if root else ""


def say(sentence: str) -> None:
    """Tells the person at the terminal; never part of the result. A command to run has this one's --root."""
    sys.stderr.write(f"{_TO_RUN.sub(lambda found: f'{found[1]}{_root}`', sentence)}\n")


def show(result: "RenderableType | str") -> None:
    """Prints a result: text as it is, a table as wide as the terminal, or as COLUMNS says; whole into a pipe."""
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, "it is closed")
        if isinstance(result, str):
            sys.stdout.write(result if result.endswith("\n") else f"{result}\n")
        else:
            from rich.console import Console

            narrow = sys.stdout.isatty() or os.environ.get("COLUMNS")
            Console(width=None if narrow else _WHOLE).print(result, crop=False)
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # who read it has enough
    except OSError as error:
        raise StorageFailure(
            f"Cannot write the result to stdout: {error.strerror or error}.",
            hint="Send it elsewhere, or use --output where the command has it.",
        ) from error


def deliver(results: "Sequence[RenderableType | str]", output: Path | None = None) -> None:
    """Shows results; or writes them to a file of text, whole and without colour, and shows its path."""
    if output is None:
        for result in results:
            show(result)
        return
    from rich.console import Console

    text = io.StringIO()
    console = Console(file=text, width=_WHOLE, color_system=None)
    for result in results:
        if isinstance(result, str):
            text.write(f"{result.rstrip()}\n")
        else:
            console.print(result, crop=False)
    write_text(output, text.getvalue())
    show(str(output))


@contextmanager
def progress(title: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """A bar on stderr with count, rate and time left; where there is no terminal a line a minute, and one at the end.

    Yields:
        What moves it on by so many, or back where work is lost: that leaves the time left a speed.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.table import Column
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            elapsed = task.finished_time or task.elapsed  # what follows the last one is not of the rate
            speed = task.completed / elapsed if elapsed else 0
            return Text(f"{speed:,.1f} {unit}/s")

    one_line = partial(Column, no_wrap=True)
    counts = (
        (DownloadColumn(table_column=one_line()), TransferSpeedColumn(table_column=one_line()))
        if unit == "bytes"
        else (MofNCompleteColumn(table_column=one_line()), Rate(table_column=one_line()))
    )
    bar = Progress(
        TextColumn("{task.description}", markup=False, table_column=one_line()),
        BarColumn(bar_width=20),
        *counts,
        TimeElapsedColumn(table_column=one_line()),
        TextColumn("left"),
        TimeRemainingColumn(table_column=one_line()),
        console=Console(stderr=True),
        speed_estimate_period=_PERIOD,
    )
    told = time.monotonic()

    def advance(count: int) -> None:
        nonlocal told
        bar.update(task, advance=count)
        if count < 0:
            bar.tasks[0].finished_time = None  # its clock would stand still, once it was full
        if not bar.console.is_interactive and not bar.finished and time.monotonic() - told >= _EVERY:
            told = time.monotonic()
            bar.console.print(bar.get_renderable())

    with bar:
        task = bar.add_task(shortened(title, _TITLE), total=total)
        yield advance
