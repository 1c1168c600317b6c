"""Work on a Ray cluster: the only file that knows Ray."""

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, TypeVar

from plismbench.execution.executor import Start

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

_AT_HAND = 2  # items a worker has: one under way, and the next, which it reads ahead


class RayExecutor:
    """Runs one actor a GPU, or one a node where there is none; what a lost one had goes to the others.

    Args:
        place: what ``start`` is told on each worker; Ray shows every actor its own GPU only.
        address: of a running cluster, ``auto`` for the one of this machine; None starts one here.
        on_gpu: whether a worker needs a GPU to itself.
        n_workers: at most; one a GPU or node of the cluster, if left out.

    Raises:
        ModuleNotFoundError: if Ray is not installed.
        ConnectionError: if there is no cluster at that address.
    """

    def __init__(self, place: str, *, address: str | None, on_gpu: bool, n_workers: int | None = None) -> None:
        import ray

        if not ray.is_initialized():
            ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR)
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        self._place = place
        self._on_gpu = on_gpu
        self._cpus = 1 if on_gpu else min(node.get("CPU", 1) for node in nodes)
        there = int(sum(node.get("GPU", 0) for node in nodes)) if on_gpu else len(nodes)
        self.n_workers = max(1, there if n_workers is None else min(n_workers, there))

    def run(self, start: Start[Item, Outcome], items: Iterable[Item]) -> Iterator[Outcome]:
        """Every outcome, as each is ready."""
        import ray
        from ray.exceptions import RayActorError, RayTaskError

        todo = deque(enumerate(items))
        options = {"num_cpus": self._cpus, "num_gpus": int(self._on_gpu), "max_concurrency": 2}
        actor = ray.remote(_Actor).options(scheduling_strategy="SPREAD", **options)
        crew = [_Member(actor.remote(start, self._place)) for _ in range(min(self.n_workers, len(todo)))]
        try:
            while todo or any(member.at_hand for member in crew):
                for member in crew:
                    member.feed(todo)
                waiting = {member.taking: member for member in crew if member.at_hand}
                (ready, *_), _ = ray.wait(list(waiting), num_returns=1)
                member = waiting[ready]
                try:
                    number, outcome = ray.get(ready)
                except RayTaskError as error:
                    raise error.cause from None
                except RayActorError as error:
                    crew.remove(member)
                    todo.extendleft(member.at_hand.items())
                    if not crew:
                        raise ChildProcessError("The last worker of the Ray cluster is lost") from error
                    continue
                del member.at_hand[number]
                member.taking = None
                yield outcome
        finally:
            for member in crew:
                ray.kill(member.actor)


@dataclass
class _Member:
    """An actor, the items that it has, by number, and the call that waits for its next outcome."""

    actor: Any
    at_hand: dict[int, Any] = field(default_factory=dict)
    taking: Any = None

    def feed(self, todo: deque[tuple[int, Any]]) -> None:
        while todo and len(self.at_hand) < _AT_HAND:
            number, item = todo.popleft()
            self.at_hand[number] = item
            self.actor.put.remote(number, item)
        if self.at_hand and self.taking is None:
            self.taking = self.actor.take.remote()


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

    def put(self, number: int, item: Any) -> None:
        self._items.put((number, item))

    def take(self) -> tuple[int, Any]:
        if self._outcomes is None:  # not on creation: an error there reaches nobody
            self._outcomes = self._start(self._place)(self._stream())
        outcome = next(self._outcomes)
        return self._begun.popleft(), outcome

    def _stream(self) -> Iterator[Any]:
        while True:
            number, item = self._items.get()
            self._begun.append(number)
            yield item
