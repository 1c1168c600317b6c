"""Work in threads of this process, for functions that spend their time in NumPy."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class ThreadExecutor:
    """Runs as many items at once as it has threads, each with its share of them for linear algebra.

    Args:
        threads: the budget of the whole: with one, everything runs here, in order.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def map(self, work: Callable[[Item], Outcome], items: Iterable[Item]) -> Iterator[Outcome]:
        """The outcome of every item, in the order of the items."""
        from threadpoolctl import threadpool_limits

        items = list(items)
        at_once = min(self._threads, len(items))
        if at_once <= 1:
            yield from map(work, items)
            return
        pool = ThreadPoolExecutor(at_once)
        try:
            with threadpool_limits(self._threads // at_once, user_api="blas"):
                yield from pool.map(work, items)
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def thread_budget(threads: int) -> Iterator[None]:
    """Limits the threads of every library loaded so far, linear algebra and OpenMP alike."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads):
        yield
