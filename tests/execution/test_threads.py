import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from plismbench.execution.threads import ThreadMap, thread_budget


def numpy_threads():
    (library,) = (library for library in threadpool_info() if "numpy" in library["filepath"])
    return library["num_threads"]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_outcomes_come_in_the_order_of_the_items(threads):
    def work(item):
        time.sleep(0.01 * (3 - item))
        return item**2

    assert list(ThreadMap(threads, threads).map(work, range(4))) == [0, 1, 4, 9]
    assert list(ThreadMap(threads, threads).map(work, [])) == []


def test_items_run_side_by_side_and_linear_algebra_gets_its_share():
    assert np.eye(2) @ np.eye(2) is not None  # BLAS is loaded
    meeting = threading.Barrier(2, timeout=10)  # broken unless two run at once

    def work(_):
        meeting.wait()
        return numpy_threads()

    with thread_budget(2):
        assert list(ThreadMap(2, 2).map(work, range(4))) == [1] * 4
        assert numpy_threads() == 2


def test_openmp_gets_its_share_in_every_worker():
    import faiss  # brings a libgomp

    assert faiss.omp_get_max_threads() >= 1
    meeting = threading.Barrier(2, timeout=10)

    def work(_):
        meeting.wait()
        return faiss.omp_get_max_threads()

    with thread_budget(6):
        assert list(ThreadMap(6, 2).map(work, range(4))) == [3] * 4
        assert faiss.omp_get_max_threads() == 6


def test_no_more_run_at_once_than_asked_for():
    running, most = [], []

    def work(item):
        running.append(item)
        most.append(len(running))
        time.sleep(0.01)
        running.remove(item)

    list(ThreadMap(8, 2).map(work, range(8)))
    assert max(most) == 2


def test_the_threads_stay_for_what_comes_next():
    """Each new thread has its share of memory that the allocator keeps."""
    threads, local, fresh = ThreadMap(2, 2), threading.local(), []

    def work(item):
        if not hasattr(local, "known"):
            local.known = True
            fresh.append(item)

    for _ in range(5):
        list(threads.map(work, range(4)))
    assert len(fresh) <= 2


def test_one_item_has_all_threads():
    with thread_budget(2):
        assert list(ThreadMap(2, 2).map(lambda _: numpy_threads(), [0])) == [2]


def test_a_budget_holds_for_all_libraries_and_ends():
    with thread_budget(2):
        before = threadpool_info()
        assert {library["num_threads"] for library in before} == {2}
        with thread_budget(1):
            assert {library["num_threads"] for library in threadpool_info()} == {1}
        assert threadpool_info() == before


def test_an_error_comes_out_and_stops_the_rest():
    begun = []

    def work(item):
        begun.append(item)
        if item == 1:
            raise ValueError("no")
        time.sleep(0.02)
        return item

    with pytest.raises(ValueError, match="no"):
        list(ThreadMap(2, 2).map(work, range(100)))
    assert len(begun) < 50
