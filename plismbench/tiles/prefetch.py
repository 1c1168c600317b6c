"""Work ahead of the consumer, in threads, in bounded number and in order."""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@contextlib.contextmanager
def threads(count: int) -> Iterator[Executor]:
    """A pool that, when the block ends early, drops what has not begun."""
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def in_order(
    pool: Executor, function: Callable[[_Item], _Result], items: Iterable[_Item], ahead: int
) -> Iterator[_Result]:
    """``map(function, items)``, with up to ``ahead`` calls begun before their result is asked for.

    Unlike ``pool.map``, it takes items from their iterator only as results are taken, so what is
    in memory stays bounded.
    """
    begun: deque[Future[_Result]] = deque()
    for item in items:
        begun.append(pool.submit(function, item))
        if len(begun) > ahead:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()


def for_each(function: Callable[[_Item, threading.Event], None], items: Iterable[_Item], count: int) -> None:
    """Calls a function with every item, in ``count`` threads that an interrupted program does not wait for.

    Args:
        function: also gets an event that is set when another call has failed: it should give up then.
        items: taken in order.
        count: calls at a time.

    Raises:
        BaseException: the first that a call raises, after all other calls have ended.
    """
    waiting = deque(items)
    n_items = len(waiting)
    stop = threading.Event()
    outcomes: SimpleQueue[BaseException | None] = SimpleQueue()

    def work() -> None:
        with contextlib.suppress(IndexError):
            while not stop.is_set():
                item = waiting.popleft()
                outcomes.put(_failure(function, item, stop))

    # A pool of concurrent.futures would hold the program at its end until every silent server was given up.
    workers = [threading.Thread(target=work, daemon=True) for _ in range(min(count, n_items))]
    for worker in workers:
        worker.start()
    try:
        for _ in range(n_items):
            failure = outcomes.get()
            if failure is not None:
                stop.set()
                for worker in workers:
                    worker.join()
                raise failure
    finally:
        stop.set()


def _failure(
    function: Callable[[_Item, threading.Event], None], item: _Item, stop: threading.Event
) -> BaseException | None:
    try:
        function(item, stop)
    except BaseException as error:  # noqa: BLE001  # raised in the thread that asked
        return error
    return None
