from plismbench.execution.local import LocalExecutor


def test_items_are_done_in_order_by_one_worker():
    started = []

    def start():
        started.append(True)
        return lambda item: item * 10

    assert list(LocalExecutor().map(start, [3, 1, 2])) == [30, 10, 20]
    assert started == [True]


def test_nothing_is_built_for_nothing_and_items_are_done_only_when_asked():
    done = []
    outcomes = LocalExecutor().map(lambda: done.append, ["a", "b"])
    assert done == []
    next(outcomes)
    assert done == ["a"]
    assert list(LocalExecutor().map(lambda: 1 / 0, [])) == []
