"""Work in this process, one item after another."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class LocalExecutor:
    """Runs every item here, in order."""

    def map(self, start: Callable[[], Callable[[Item], Outcome]], items: Iterable[Item]) -> Iterator[Outcome]:
        """The outcome of every item, in the order of the items; nothing is built for no items."""
        worker: Callable[[Item], Outcome] | None = None
        for item in items:
            if worker is None:
                worker = start()
            yield worker(item)
