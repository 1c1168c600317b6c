"""Work in this process."""

from collections.abc import Iterable, Iterator

from plismbench.execution.executor import Item, ItemProgress, Outcome, Start


class LocalExecutor:
    """Runs everything here, in order; ``start`` is told no place."""

    n_workers = 1

    def run(self, start: Start[Item, Outcome], items: Iterable[Item]) -> Iterator[Outcome | ItemProgress[Item]]:
        """The outcome of every item, in the order of the items; nothing is built for no items."""
        items = list(items)
        if items:
            yield from start("")(iter(items))
