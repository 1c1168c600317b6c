import threading
from functools import partial

import pytest

from plismbench.tiles.readahead import Gap, ReadAhead


def everything(reader):
    items = []
    while (item := reader.get(wait=True)) is not Gap.END:
        items.append(item)
    return items


def wait_until(condition):
    """For what another thread does at once; fails rather than hangs."""
    moment = threading.Event()
    for _ in range(500):
        if condition():
            return
        moment.wait(0.01)
    raise AssertionError("it never happened")


@pytest.mark.parametrize("at_once", [1, 2, 5])
@pytest.mark.parametrize("ahead", [1, 3])
def test_items_come_in_the_order_of_the_sources(at_once, ahead):
    sources = [partial(iter, [(source, item) for item in range(source)]) for source in (3, 0, 5, 1)]
    expected = [(source, item) for source in (3, 0, 5, 1) for item in range(source)]
    with ReadAhead(sources, at_once, ahead) as reader:
        assert everything(reader) == expected
        assert reader.get(wait=False) is Gap.END
    with ReadAhead([], at_once, ahead) as reader:
        assert reader.get(wait=True) is Gap.END


def test_sources_are_read_side_by_side():
    meeting = threading.Barrier(3, timeout=10)  # broken unless three run at once

    def source():
        meeting.wait()
        yield 1

    with ReadAhead([source] * 3, 3, 1) as reader:
        assert everything(reader) == [1, 1, 1]


@pytest.mark.parametrize("per_source", [1, 100])
def test_what_waits_is_bounded(per_source):
    read = []

    def source(number):
        for item in range(per_source):
            read.append((number, item))
            yield item

    with ReadAhead((partial(source, number) for number in range(50)), at_once=2, ahead=2) as reader:
        assert reader.get(wait=True) == 0
        # Two sources of 2 items each and one in hand; or, of short ones, a third source too.
        most = 7
        wait_until(lambda: len(read) >= 3)
        threading.Event().wait(0.1)
        assert len(read) <= most


def test_an_error_comes_after_the_items_before_it():
    def bad():
        yield 1
        raise ValueError("torn")

    with ReadAhead([partial(iter, [0]), bad, partial(iter, [2])], 3, 2) as reader:
        assert [reader.get(wait=True), reader.get(wait=True)] == [0, 1]
        with pytest.raises(ValueError, match="torn"):
            reader.get(wait=True)


def test_an_error_of_the_iterable_of_sources_comes_out():
    def sources():
        yield partial(iter, [0])
        raise OSError("gone")

    with ReadAhead(sources(), 2, 2) as reader:
        assert reader.get(wait=True) == 0
        with pytest.raises(OSError, match="gone"):
            reader.get(wait=True)


def test_a_source_is_handed_over_while_the_next_is_not_known_yet():
    known = threading.Event()

    def sources():
        yield partial(iter, [0, 1])
        known.wait()
        yield partial(iter, [2])

    with ReadAhead(sources(), 2, 2) as reader:
        assert [reader.get(wait=True), reader.get(wait=True)] == [0, 1]
        assert reader.get(wait=False) is Gap.NOT_YET
        known.set()
        assert everything(reader) == [2]


def test_waking_ends_one_wait():
    known = threading.Event()

    def sources():
        known.wait()
        yield partial(iter, [7])

    with ReadAhead(sources(), 1, 1) as reader:
        reader.wake()
        assert reader.get(wait=True) is Gap.NOT_YET
        known.set()
        assert everything(reader) == [7]


def test_stopping_early_closes_the_sources():
    closed = []

    def source(number):
        try:
            yield from range(1000)
        finally:
            closed.append(number)

    def stop():
        with ReadAhead((partial(source, number) for number in range(9)), 2, 1) as reader:
            reader.get(wait=True)
            wait_until(lambda: len(reader._buffers) == 2 and all(buffer.items for buffer in reader._buffers))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    wait_until(lambda: sorted(closed) == [0, 1])


def test_what_is_no_exception_comes_out_too():
    """As the panics of packages written in Rust: a reader that died of one would be waited for without end."""

    class Panic(BaseException):
        pass

    def source():
        yield 1
        raise Panic("no")

    def sources():
        raise Panic("none")
        yield

    with pytest.raises(Panic, match="no"), ReadAhead([source], 1, 1) as reader:
        assert reader.get(wait=True) == 1
        reader.get(wait=True)
    with pytest.raises(Panic, match="none"), ReadAhead(sources(), 1, 1) as reader:
        reader.get(wait=True)
