"""Several sources read at once, in bounded memory, and handed over one source after the other."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from enum import Enum
from threading import Condition, Lock, Thread
from types import TracebackType
from typing import Generic, Self, TypeVar

from plismbench.tiles.thread_pool import THREAD_NAME

DEFAULT_WORKERS = 2
"""Slides read at once: the next one is there when one ends, and each decodes on all cores by itself."""

_Item = TypeVar("_Item")

_PATIENCE = 2.0  # seconds that closing waits for a reader in the middle of something


class Gap(Enum):
    """What comes instead of an item."""

    NOT_YET = "nothing is ready"
    END = "everything was handed over"


@dataclass
class _Buffer(Generic[_Item]):
    items: deque[_Item] = field(default_factory=deque)
    ended: bool = False
    error: BaseException | None = None


class ReadAhead(Generic[_Item]):
    """Reads some sources at once and hands their items over in the order of the sources.

    Args:
        sources: each is called in a thread, where it gives its items. This iterable is advanced in
            a thread too, and may block: then a source that is known is still read and handed over.
        at_once: sources that are read at the same time.
        ahead: items of each that may wait to be taken.
    """

    def __init__(self, sources: Iterable[Callable[[], Iterator[_Item]]], at_once: int, ahead: int) -> None:
        self._sources, self._at_once, self._ahead = iter(sources), at_once, ahead
        self._taking, self._changed = Lock(), Condition()
        self._buffers: deque[_Buffer[_Item]] = deque()
        self._no_more = self._closed = self._woken = False
        self._threads = [Thread(target=self._read, name=THREAD_NAME, daemon=True) for _ in range(at_once)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if error is not None:
            return  # readers may sit in a slow request; they see that nobody waits
        for thread in self._threads:
            thread.join(_PATIENCE)

    def get(self, *, wait: bool) -> _Item | Gap:
        """The next item.

        Args:
            wait: for it, or for `wake`, rather than give ``Gap.NOT_YET`` where none is ready.

        Raises:
            BaseException: what a source raised, after the items before it; a panic of Rust is no Exception.
        """
        with self._changed:
            while True:
                if self._buffers:
                    first = self._buffers[0]
                    if first.items:
                        self._changed.notify_all()
                        return first.items.popleft()
                    if first.error is not None:
                        raise first.error
                    if first.ended:
                        self._buffers.popleft()
                        self._changed.notify_all()
                        continue
                elif self._no_more:
                    return Gap.END
                if self._woken or not wait:
                    self._woken = False
                    return Gap.NOT_YET
                self._changed.wait()

    def wake(self) -> None:
        """Ends one wait, from any thread: something else is ready for the one who waits."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def _read(self) -> None:
        while (taken := self._take()) is not None:
            source, buffer = taken
            error: BaseException | None = None
            try:
                with closing(_generator(source)) as items:
                    for item in items:
                        if not self._put(buffer, item):
                            return
            except BaseException as caught:  # noqa: BLE001 - it is raised where the items are taken
                error = caught
            with self._changed:
                buffer.error, buffer.ended = error, True
                self._changed.notify_all()

    def _take(self) -> tuple[Callable[[], Iterator[_Item]], _Buffer[_Item]] | None:
        """The next source, and its place in the order."""
        with self._taking:
            with self._changed:  # one more than are read: a source of few items must not let all others in
                self._changed.wait_for(lambda: len(self._buffers) <= self._at_once or self._closed)
            buffer: _Buffer[_Item] = _Buffer()
            try:
                source = None if self._no_more or self._closed else next(self._sources, None)
            except BaseException as caught:  # noqa: BLE001 - it is raised where the items are taken
                source, buffer.error = None, caught
            with self._changed:
                if source is not None or buffer.error is not None:
                    self._buffers.append(buffer)
                self._no_more = source is None
                self._changed.notify_all()
            return None if source is None else (source, buffer)

    def _put(self, buffer: _Buffer[_Item], item: _Item) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: len(buffer.items) < self._ahead or self._closed)
            buffer.items.append(item)
            self._changed.notify_all()
            return not self._closed


def _generator(source: Callable[[], Iterator[_Item]]) -> Generator[_Item, None, None]:
    """What a source gives, as something that can be closed."""
    yield from source()
