"""Work in this process."""

from collections.abc import Iterable, Iterator

from plismbench.execution.executor import Item, Outcome, Start, UnderWay


class LocalExecutor:
    """Runs everything here, in order.

    Args:
        place: what ``start`` is told.
    """

    n_workers = 1

    def __init__(self, place: str = "") -> None:
        self._place = place

    def run(self, start: Start[Item, Outcome], items: Iterable[Item]) -> Iterator[Outcome | UnderWay[Item]]:
        """The outcome of every item, in the order of the items; nothing is built for no items."""
        items = list(items)
        if items:
            yield from start(self._place)(iter(items))
