"""Work in threads of this process, for functions that spend their time in NumPy."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property, partial

from plismbench.execution.executor import Item, Outcome


class ThreadMap:
    """Runs some items at once, each with its share of the threads for linear algebra and OpenMP.

    Args:
        threads: the budget of the whole.
        at_once: items that run side by side, at most one a thread: with one, everything runs here, in order.
    """

    def __init__(self, threads: int, at_once: int) -> None:
        self._threads, self._at_once = threads, min(threads, at_once)

    def map(self, work: Callable[[Item], Outcome], items: Iterable[Item]) -> Iterator[Outcome]:
        """The outcome of every item, in the order of the items."""
        from threadpoolctl import threadpool_limits

        items = list(items)
        if min(self._at_once, len(items)) <= 1:
            yield from map(work, items)
            return
        with threadpool_limits(self._threads // self._at_once, user_api="blas"):
            yield from self._pool.map(work, items)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        """The same threads for all that is to do: what the allocator keeps for new ones would add up."""
        from threadpoolctl import threadpool_limits

        # OpenMP has a limit for each thread that calls it, BLAS one for all.
        limit = partial(threadpool_limits, self._threads // self._at_once, user_api="openmp")
        return ThreadPoolExecutor(self._at_once, initializer=limit)


@contextmanager
def thread_budget(threads: int) -> Iterator[None]:
    """Limits the threads of every library loaded so far, linear algebra and OpenMP alike."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads):
        yield
