import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from plismbench.tiles.thread_pool import for_each, in_order, threads


def test_results_come_in_the_order_of_the_items_though_they_end_in_another() -> None:
    later = threading.Event()

    def square(number: int) -> int:
        if number == 0:
            assert later.wait(10)
        if number == 2:
            later.set()
        return number**2

    with threads(3) as pool:
        assert list(in_order(pool, square, range(10), ahead=3)) == [number**2 for number in range(10)]


@pytest.mark.parametrize("ahead", [0, 1, 5])
def test_no_more_items_are_taken_than_asked_for(ahead: int) -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    with threads(2) as pool:
        results = in_order(pool, str, items(), ahead=ahead)
        assert taken == []
        for done in range(5):
            assert next(results) == str(done)
            assert len(taken) == done + 1 + ahead


def test_an_error_comes_up_at_its_own_item() -> None:
    with threads(2) as pool:
        results = in_order(pool, lambda number: 1 // number, [1, 0, 1], ahead=2)
        assert next(results) == 1
        with pytest.raises(ZeroDivisionError):
            next(results)


def test_what_has_not_begun_when_the_block_ends_is_dropped() -> None:
    begun = []
    release = threading.Event()

    def work(number: int) -> None:
        begun.append(number)
        if number > 0:
            assert release.wait(10)

    with threads(1) as pool:
        next(in_order(pool, work, range(50), ahead=20))
        end = threading.Timer(0.2, release.set)
        end.start()
    end.join()
    assert len(begun) <= 2


def test_each_item_is_done_once_and_as_many_at_a_time_as_told() -> None:
    done: list[int] = []
    together = threading.Barrier(3)

    def work(item: int, stop: threading.Event) -> None:
        together.wait(timeout=5)  # breaks unless three are at work
        done.append(item)

    for_each(work, range(9), 3)
    assert sorted(done) == list(range(9))
    for_each(work, [], 3)


def test_a_failure_stops_the_others_and_is_raised_when_they_have_ended() -> None:
    begun: list[int] = []
    ended: list[int] = []

    def work(item: int, stop: threading.Event) -> None:
        begun.append(item)
        if item == 0:
            raise ZeroDivisionError
        assert stop.wait(timeout=5)
        ended.append(item)

    with pytest.raises(ZeroDivisionError):
        for_each(work, range(100), 4)
    assert len(begun) <= 5
    assert sorted(ended) == sorted(set(begun) - {0})


@pytest.mark.parametrize(
    "wait",
    [
        "for_each(lambda item, stop: threading.Event().wait(60), [1], 1)",
        "with threads(2) as pool: list(in_order(pool, lambda item: threading.Event().wait(60), [1, 2, 3], 1))",
    ],
    ids=["for_each", "threads"],
)
def test_an_interrupted_program_does_not_wait_for_what_is_under_way(wait: str) -> None:
    program = (
        "import os, signal, threading\n"
        "from plismbench.tiles.thread_pool import for_each, in_order, threads\n"
        f"threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()\n{wait}\n"
    )
    begun = time.monotonic()
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "KeyboardInterrupt" in run.stderr
    assert time.monotonic() - begun < 20
