"""Work in threads of this process, for functions that spend their time in NumPy."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class ThreadExecutor:
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
        at_once = min(self._at_once, len(items))
        if at_once <= 1:
            yield from map(work, items)
            return
        share = self._threads // at_once
        # OpenMP has a limit for each thread that calls it, BLAS one for all.
        pool = ThreadPoolExecutor(at_once, initializer=partial(threadpool_limits, share, user_api="openmp"))
        try:
            with threadpool_limits(share, user_api="blas"):
                yield from pool.map(work, items)
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def thread_budget(threads: int) -> Iterator[None]:
    """Limits the threads of every library loaded so far, linear algebra and OpenMP alike."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads):
        yield
