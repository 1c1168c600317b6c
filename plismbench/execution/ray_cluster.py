"""Work on a Ray cluster: the only file that knows Ray."""

import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from typing import Any

from plismbench.execution.executor import Item, ItemProgress, Outcome, Start, portable

_AT_HAND = 2  # items a worker has: one under way, and the next, which it reads ahead
_WHILE = 0.5  # seconds that a worker may work on before it says how far it is
_PATIENCE = 5.0  # seconds that a cluster may take to answer
_LOOK = 2.0  # seconds between two looks at which machines there are


class RayExecutor:
    """Runs one actor a GPU, or one a node with CPUs; what a lost one had goes to the others.

    A machine that joins the cluster while it runs works too.

    Args:
        place: what ``start`` is told on each worker; Ray shows every actor its own GPU only.
        address: of a running cluster, ``auto`` for the one of this machine; None starts one here.
        on_gpu: whether a worker needs a GPU to itself.
        n_workers: at most; one a GPU or node of the cluster, if left out.
        on_loss: told, of each lost worker but the last, what Ray says of it and how many are left.

    Raises:
        ModuleNotFoundError: if Ray is not installed.
        ConnectionError: if there is no cluster at that address, or it has another version of Ray or Python.
    """

    def __init__(
        self,
        place: str,
        *,
        address: str | None,
        on_gpu: bool,
        n_workers: int | None = None,
        on_loss: Callable[[str, int], None] = lambda *_: None,
    ) -> None:
        import ray

        self._ours = address is None and not ray.is_initialized()
        if not ray.is_initialized():
            _join(address)
        self._place = place
        self._on_gpu = on_gpu
        self._most = n_workers
        self._on_loss = on_loss
        self._sizes: dict[str, float] = {}
        self._look()

    @property
    def n_workers(self) -> int:
        """One a place that there was so far, as many as are wanted; 0, if the cluster has none."""
        places = int(sum(self._sizes.values())) if self._on_gpu else len(self._sizes)
        return places if self._most is None else min(self._most, places)

    def _look(self) -> None:
        """Notes the machines that have joined; one that is lost stays noted, so that its workers are not replaced."""
        import ray

        kind = "GPU" if self._on_gpu else "CPU"
        for node in ray.nodes():
            if node["Alive"] and kind in node["Resources"]:
                self._sizes[node["NodeID"]] = node["Resources"][kind]

    def _start_worker(self, start: Start[Item, Outcome]) -> "_Worker":
        import ray

        cpus = 1 if self._on_gpu else min(self._sizes.values())
        options = {"num_cpus": cpus, "num_gpus": int(self._on_gpu), "max_concurrency": 2}
        actor = ray.remote(_Actor).options(scheduling_strategy="SPREAD", **options)
        return _Worker(actor.remote(start, self._place))

    def run(self, start: Start[Item, Outcome], items: Iterable[Item]) -> Iterator[Outcome | ItemProgress[Item]]:
        """Every outcome, as each is ready, and in between how far items are; those of a lost worker start over."""
        import ray
        from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError

        todo = deque(enumerate(items))
        n_items, n_started, looked = len(todo), 0, time.monotonic()
        workers: list[_Worker] = []
        try:
            while todo or any(worker.at_hand for worker in workers):
                if time.monotonic() - looked > _LOOK:
                    self._look()
                    looked = time.monotonic()
                while todo and n_started < min(self.n_workers, n_items):
                    workers.append(self._start_worker(start))
                    n_started += 1
                for worker in workers:
                    worker.feed(todo)
                waiting = {worker.call: worker for worker in workers if worker.call is not None}
                ready, _ = ray.wait(list(waiting), num_returns=1, timeout=_LOOK)
                if not ready:
                    continue
                worker = waiting[ready[0]]
                try:
                    said, done = ray.get(ready[0])
                except RayTaskError as error:
                    raise error.cause from None
                except (RayActorError, OutOfMemoryError) as error:
                    workers.remove(worker)
                    todo.extendleft(worker.at_hand.items())
                    why = str(error).partition("\n")[0].rstrip(". ")
                    if workers:
                        self._on_loss(why, len(workers))
                    else:
                        raise ChildProcessError(f"The last worker of the Ray cluster is lost ({why})") from error
                    yield from (ItemProgress(item, 0) for item in worker.at_hand.values())
                    continue
                worker.placed, worker.call = True, None
                yield from said
                if done is not None:
                    number, outcome = done
                    del worker.at_hand[number]
                    yield outcome
        finally:
            for worker in workers:
                ray.kill(worker.actor)
            if self._ours:  # as this process ends it would take longer, and killed, it would leave some of it behind
                ray.shutdown()


def _join(address: str | None) -> None:
    import ray

    if address is None:  # a cluster of our own needs no web page, and reports to nobody
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        return
    try:
        if address != "auto" and "://" not in address:  # Ray itself tries for minutes
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), _PATIENCE).close()
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:  # not there; no address; of another version
        raise ConnectionError(str(error)) from error


class _Worker:
    """An actor, the items that it has, by number, and the call that is waited for.

    It gets no item before it has a place: where places are fewer than were counted, it may never.
    """

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.at_hand: dict[int, Any] = {}
        self.placed = False
        self.call: Any = actor.answer.remote()

    def feed(self, todo: deque[tuple[int, Any]]) -> None:
        while self.placed and todo and len(self.at_hand) < _AT_HAND:
            number, item = todo.popleft()
            self.at_hand[number] = item
            self.actor.put.remote(number, item)
        if self.at_hand and self.call is None:
            self.call = self.actor.take.remote()


class _Actor:
    """A stream of work that is fed one item at a time; ``put`` comes in while ``take`` waits.

    Ray runs both in threads, so two calls of ``put`` may overtake each other: an outcome goes home
    with the number of its item.
    """

    def __init__(self, start: Start[Any, Any], place: str) -> None:
        self._start, self._place = start, place
        self._items: SimpleQueue[tuple[int, Any]] = SimpleQueue()
        self._begun: deque[int] = deque()
        self._outcomes: Iterator[Any] | None = None

    def answer(self) -> tuple[list[ItemProgress[Any]], None]:
        """Says that it is there."""
        return [], None

    def put(self, number: int, item: Any) -> None:
        self._items.put((number, item))

    def take(self) -> tuple[list[ItemProgress[Any]], tuple[int, Any] | None]:
        """What comes in a while, up to the next outcome: each call costs a round trip through the network."""
        said: list[ItemProgress[Any]] = []
        until = time.monotonic() + _WHILE
        try:
            if self._outcomes is None:  # not on creation: an error there reaches nobody
                self._outcomes = self._start(self._place)(self._stream())
            while time.monotonic() < until:
                given = next(self._outcomes)
                if not isinstance(given, ItemProgress):
                    return said, (self._begun.popleft(), given)
                said.append(given)
        except Exception as error:  # noqa: BLE001 - it is raised on the machine of the command
            raise portable(error) from None
        return said, None

    def _stream(self) -> Iterator[Any]:
        while True:
            number, item = self._items.get()
            self._begun.append(number)
            yield item
