from plismbench.execution.local import LocalExecutor


def test_items_are_done_in_order_by_one_worker_that_is_told_no_place():
    started = []

    def start(place):
        started.append(place)
        return lambda items: (item * 10 for item in items)

    assert list(LocalExecutor().run(start, [3, 1, 2])) == [30, 10, 20]
    assert started == [""]
    assert LocalExecutor().n_workers == 1


def test_nothing_is_built_for_nothing_and_items_are_done_only_when_asked():
    done = []
    outcomes = LocalExecutor().run(lambda _: lambda items: map(done.append, items), ["a", "b"])
    assert done == []
    next(outcomes)
    assert done == ["a"]
    assert list(LocalExecutor().run(lambda _: 1 / 0, [])) == []
