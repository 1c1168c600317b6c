"""Streams of work for the tests of executors; importable in other processes."""

import os
import signal
import threading
import time
from functools import partial
from pathlib import Path

from plismbench.execution.executor import ItemProgress


def square(place, items):
    for item in items:
        yield item * item, place, os.getpid()


def squares(place):
    return partial(square, place)


def count_down(items):
    for item in items:
        for step in range(3):
            time.sleep(0.3)
            yield ItemProgress(item, step + 1)
        yield f"{item} done"


def counting_down(place):
    return count_down


def refuse(items):
    for item in items:
        if item == 3:
            raise ValueError("no 3")
        yield item


def refusing(place):
    return refuse


def refusing_to_start(place):
    raise ValueError(f"no {place}")


def ask_in_a_thread_and_fail(items):
    yield os.getpid(), next(items)
    asking = threading.Thread(target=next, args=(items,), daemon=True)  # as readers do, which run ahead
    asking.start()
    time.sleep(0.2)
    raise ValueError("no more")


def failing_after_asking(place):
    return ask_in_a_thread_and_fail


class Unpicklable(Exception):
    def __init__(self, first, second):
        super().__init__(first)


def raise_unpicklable(items):
    next(items)
    raise Unpicklable("odd", "one")


def raising_unpicklable(place):
    return raise_unpicklable


def die(items):
    for item in items:
        if item == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        yield item


def dying(place):
    return die


def leaving(code, place):
    os._exit(code)


def sleep(folder, items):
    for item in items:
        (Path(folder) / f"{os.getpid()}").touch()
        time.sleep(60)
        yield item


def sleeping(folder, place):
    return partial(sleep, folder)


def meet(folder, items):
    """Goes on only once two processes are here: fails, unless they work side by side."""
    for item in items:
        (Path(folder) / f"{os.getpid()}").touch()
        for _ in range(2000):
            if len(list(Path(folder).iterdir())) > 1:
                break
            time.sleep(0.01)
        else:
            raise TimeoutError("alone")
        yield item


def meeting(folder, place):
    return partial(meet, folder)
