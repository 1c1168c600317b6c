"""Work ahead of the consumer, in threads, in bounded number and in order."""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, as_completed
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


THREAD_NAME = "plismbench-ahead"
"""Of threads that read; one that a program has left, interrupted or after an error, may wait for a silent server."""

_PATIENCE = 1.0
"""Seconds that an interrupted program waits for what is under way."""


@contextlib.contextmanager
def threads(count: int) -> Iterator[Executor]:
    """A pool that, when the block ends early, drops what has not begun.

    What has begun is waited for, but by an interrupted program (or one that takes no more results)
    only for a moment: a server may be silent for a minute.
    """
    pool = _DaemonPool(count)
    try:
        yield pool
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        pool.shutdown(wait=False, cancel_futures=True)
        pool.join(_PATIENCE)
        raise
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise
    else:
        pool.shutdown(cancel_futures=True)


class _DaemonPool(Executor):
    """Threads that do not hold the program at its end, as those of `ThreadPoolExecutor` do."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._waiting: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, fn: Callable[..., _Result], /, *args: Any, **kwargs: Any) -> Future[_Result]:
        """Calls a function in a thread."""
        future: Future[_Result] = Future()
        self._waiting.put(partial(_fulfil, future, fn, args, kwargs))
        if len(self._threads) < self._count:
            self._threads.append(threading.Thread(target=self._work, daemon=True, name=THREAD_NAME))
            self._threads[-1].start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Ends the threads after what is waiting, or without it; nobody may wait for what was dropped."""
        if cancel_futures:
            with contextlib.suppress(Empty):
                while True:
                    self._waiting.get_nowait()
        for _ in self._threads:
            self._waiting.put(None)
        if wait:
            self.join(None)

    def join(self, seconds: float | None) -> None:
        """Waits until all threads have ended, or for so long."""
        end = None if seconds is None else time.monotonic() + seconds
        for thread in self._threads:
            thread.join(None if end is None else max(0.0, end - time.monotonic()))

    def _work(self) -> None:
        while (task := self._waiting.get()) is not None:
            task()
            del task  # it holds the result


def _fulfil(future: "Future[Any]", function: Callable[..., Any], args: Any, kwargs: Any) -> None:
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(function(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001  # raised in the thread that asks
            future.set_exception(error)


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
    """Calls a function with every item, in ``count`` threads; an interrupted program waits as in `threads`.

    Args:
        function: also gets an event that is set when another call has failed: it should give up then.
        items: taken in order.
        count: calls at a time.

    Raises:
        BaseException: what a call raises, after all other calls have ended.
    """
    stop = threading.Event()

    def unless_stopped(item: _Item) -> None:
        if not stop.is_set():
            function(item, stop)

    with threads(count) as pool:
        try:
            for done in as_completed([pool.submit(unless_stopped, item) for item in items]):
                done.result()
        finally:
            stop.set()
