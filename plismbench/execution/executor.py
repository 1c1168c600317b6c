"""The contract of what decides where work runs."""

import pickle
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class ItemProgress(Generic[Item]):
    """How far an item is that has no outcome yet.

    Args:
        item: equal to the one that was given.
        n_done: of its steps, so far; 0 where it starts over, as its worker was lost.
    """

    item: Item
    n_done: int


Work = Callable[[Iterator[Item]], Iterator[Outcome | ItemProgress[Item]]]
"""Turns a stream of items into a stream of outcomes, one for each, in order; it may take items ahead, and
say among the outcomes how far items are."""

Start = Callable[[str], Work[Item, Outcome]]
"""Builds, in a worker, what its work needs; told the name of the worker's place, a device say."""


class ExecutorKind(StrEnum):
    """Where work can run."""

    LOCAL = "local"
    PROCESSES = "processes"
    RAY = "ray"


class Executor(Protocol):
    """Runs streams of work, somewhere."""

    @property
    def n_workers(self) -> int:
        """How many work side by side."""
        ...

    def run(self, start: Start[Item, Outcome], items: Iterable[Item], /) -> Iterator[Outcome | ItemProgress[Item]]:
        """Every outcome, as each is ready, and in between how far items are.

        Args:
            start: called once in every worker. Picklable, if workers are other processes.
            items: small and picklable; arrays travel through files.

        Raises:
            Exception: the first that a worker raises, after which no new item is begun.
            ChildProcessError: if a worker is lost, and nobody is left to do its work.
        """
        ...


def portable(error: Exception) -> Exception:
    """The error with its traceback as a note; a description, if it cannot be pickled."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - whatever a foreign exception does when it is copied
        return RuntimeError("".join(error.__notes__))
    return error
