import threading
from collections.abc import Iterator

import pytest

from plismbench.tiles.prefetch import in_order, threads


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
