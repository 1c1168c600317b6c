"""Work in processes of this machine, one a device."""

import multiprocessing
import os
import pickle
import signal
import traceback
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum, auto
from multiprocessing.connection import Connection, wait
from threading import Lock, Thread
from typing import Any, TypeVar

from plismbench.execution.executor import Start

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class _Word(Enum):
    WANT = auto()  # the worker can take another item
    OUTCOME = auto()
    ERROR = auto()
    END = auto()


class ProcessExecutor:
    """Runs a process for each place; each takes the next item when it has room for it.

    Processes are started afresh, as CUDA wants, and end when this one does, however it ends.

    Args:
        places: what ``start`` is told in each process: the names of the devices.
    """

    def __init__(self, places: Sequence[str]) -> None:
        self._places = tuple(places)

    @property
    def n_workers(self) -> int:
        """One a place."""
        return len(self._places)

    def run(self, start: Start[Item, Outcome], items: Iterable[Item]) -> Iterator[Outcome]:
        """Every outcome, as each is ready."""
        todo = deque(items)
        context = multiprocessing.get_context("spawn")
        workers: dict[Connection, Any] = {}
        try:
            for place in self._places[: len(todo)]:
                ours, theirs = context.Pipe()
                process = context.Process(target=_work, args=(theirs, start, place), name=place, daemon=True)
                process.start()
                theirs.close()  # so that the end of the process closes the pipe
                workers[ours] = process
            while workers:
                for connection in set(workers).intersection(wait(list(workers))):
                    try:
                        word, value = connection.recv()
                        if word is _Word.WANT:
                            connection.send((_Word.OUTCOME, todo.popleft()) if todo else (_Word.END, None))
                    except (EOFError, OSError):
                        raise ChildProcessError(_obituary(workers[connection])) from None
                    if word is _Word.OUTCOME:
                        yield value
                    elif word is _Word.ERROR:
                        raise value
                    elif word is _Word.END:
                        workers.pop(connection).join()
        finally:
            for process in workers.values():
                process.terminate()
            for connection, process in workers.items():
                process.join()
                connection.close()


def _obituary(process: Any) -> str:
    process.join()
    code = process.exitcode
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    return f"The worker process on '{process.name}' {how}"


def _work(connection: Connection, start: Start[Item, Outcome], place: str) -> None:
    """What a process runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the first one ends the others
    Thread(target=_end_with_parent, daemon=True).start()
    sending = Lock()

    def send(word: _Word, value: object = None) -> None:
        with sending:
            connection.send((word, value))

    def items() -> Iterator[Item]:
        while True:
            send(_Word.WANT)
            word, item = connection.recv()
            if word is _Word.END:
                return
            yield item

    try:
        for outcome in start(place)(items()):
            send(_Word.OUTCOME, outcome)
        send(_Word.END)
    except Exception as error:  # noqa: BLE001 - it is raised in the first process
        send(_Word.ERROR, _portable(error))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _portable(error: Exception) -> Exception:
    """The error with its traceback as a note; a description, if it cannot be pickled."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - whatever a foreign exception does when it is copied
        return RuntimeError("".join(error.__notes__))
    return error
