"""The contract of what decides where work runs."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class Executor(Protocol):
    """Runs one function over many items, somewhere."""

    def map(self, start: Callable[[], Callable[[Item], Outcome]], items: Iterable[Item], /) -> Iterator[Outcome]:
        """The outcome of every item, as each is ready.

        Args:
            start: called once in every worker, where it builds what the work needs (a model on a
                device, say) and gives the function that does one item. Picklable.
            items: small and picklable; arrays travel through files.

        Raises:
            Exception: the first that a worker raises, after which no new item is begun.
        """
        ...
