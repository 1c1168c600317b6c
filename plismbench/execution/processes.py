"""Work in processes of this machine, one a device."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum, auto
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from threading import Lock, Thread
from typing import Any

from plismbench.execution.executor import Item, ItemProgress, Outcome, Start, portable


class _Message(Enum):
    READY = auto()  # the worker can take another item
    GIVEN = auto()  # to the worker an item; by it an outcome, or how far an item is
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

    def run(self, start: Start[Item, Outcome], items: Iterable[Item]) -> Iterator[Outcome | ItemProgress[Item]]:
        """Every outcome, as each is ready, and in between how far items are."""
        todo = deque(items)
        context = multiprocessing.get_context("spawn")
        workers: list[tuple[Connection, Any]] = []
        try:
            for place in self._places[: len(todo)]:
                ours, theirs = context.Pipe()
                process = context.Process(target=_work, args=(theirs, start, place), name=place, daemon=True)
                with _sigint_blocked():
                    process.start()
                    workers.append((ours, process))
                theirs.close()  # so that the end of the process closes the pipe
            working = dict(workers)
            while working:
                for connection in set(working).intersection(wait(list(working))):
                    try:
                        message, value = connection.recv()
                    except (EOFError, OSError):
                        raise ChildProcessError(_exit_reason(working[connection])) from None
                    if message is _Message.READY:
                        with suppress(OSError):  # it has ended; why, is what it said before: the next message
                            connection.send((_Message.GIVEN, todo.popleft()) if todo else (_Message.END, None))
                    elif message is _Message.GIVEN:
                        yield value
                    elif message is _Message.ERROR:
                        raise value
                    elif message is _Message.END:
                        del working[connection]
        finally:
            for _, process in workers:
                process.kill()
            for connection, process in workers:
                process.join()
                connection.close()


@contextmanager
def _sigint_blocked() -> Iterator[None]:
    """Processes started meanwhile ignore Ctrl-C, which is sent to all of them: the first process ends the others."""
    resource_tracker.ensure_running()  # or the first process starts it, which would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _exit_reason(process: Any) -> str:
    process.join()
    code = process.exitcode
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    return f"The worker process on '{process.name}' {how}"


def _work(connection: Connection, start: Start[Item, Outcome], place: str) -> None:
    """What a process runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it could not be kept from hearing Ctrl-C
    Thread(target=_end_with_parent, daemon=True).start()
    sending = Lock()

    def send(message: _Message, value: object = None) -> None:
        with sending:
            connection.send((message, value))

    def items() -> Iterator[Item]:
        while True:
            send(_Message.READY)
            message, item = connection.recv()
            if message is _Message.END:
                return
            yield item

    try:
        for given in start(place)(items()):
            send(_Message.GIVEN, given)
        send(_Message.END)
    except Exception as error:  # noqa: BLE001 - it is raised in the first process
        send(_Message.ERROR, portable(error))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
