"""Tiles through one or more networks into their stores, with no step waiting for another.

Threads read and decode slides ahead (`ReadAhead`); this thread hands their batches to the device,
which copies, computes and copies back by itself (`Runner`); one more thread writes whole slides.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from plismbench.dataset import Slide
from plismbench.embeddings.efficiency import Efficiency, write_efficiency
from plismbench.embeddings.slide_file import Embeddings
from plismbench.embeddings.store import EmbeddingStore
from plismbench.errors import CorruptFile, NonFiniteValue
from plismbench.execution.executor import ItemProgress
from plismbench.extractors.inference.devices import device_title, peak_memory
from plismbench.extractors.inference.extractor import NOT_FINITE
from plismbench.extractors.inference.runner import Runner, VectorFutures
from plismbench.extractors.spec import Precision
from plismbench.extractors.towers import FITTED
from plismbench.tiles.readahead import Gap, ReadAhead
from plismbench.tiles.source import TileBatch, TileSource
from plismbench.workspace import EFFICIENCY_FILE

_AHEAD = 2  # batches of a slide that may wait for the device
IN_FLIGHT = 2
"""Batches that a device has beside the one that it works on."""
_UNWRITTEN = 2  # whole slides that may wait for the disk


@dataclass(frozen=True)
class Task:
    """One slide, for those extractors that lack it."""

    slide: Slide
    extractors: tuple[str, ...]


@dataclass(frozen=True)
class SlideExtracted:
    """One slide of one extractor, now in its store.

    Args:
        slide: where the tiles are from.
        begun: when its first tile was asked for, in seconds since 1970: it is compared between machines.
        efficiency: what the forward passes of this slide cost.
        fitted_positions: how the network's position embeddings were resampled, in words; empty if they were not.
    """

    slide: Slide
    begun: float
    efficiency: Efficiency
    fitted_positions: str


@dataclass(frozen=True)
class _Piece:
    """A batch of a task, or the mark of its end; when its reading began, and how many tiles there are with this."""

    task: Task
    begun: float
    n_tiles: int
    batch: TileBatch | None = None


@dataclass
class _SoFar:
    """Vectors of one slide by one extractor, so far."""

    vectors: list[npt.NDArray[np.float16]] = field(default_factory=list)
    xy: list[npt.NDArray[np.int32]] = field(default_factory=list)
    forward_seconds: float = 0.0


@dataclass(frozen=True)
class Pipeline:
    """Turns a stream of tasks into a stream of slides in their stores.

    Args:
        source: the tiles.
        runners: by name of the extractor, all on one device.
        stores: by the same names.
        workers: slides that are read and decoded at once.
    """

    source: TileSource
    runners: Mapping[str, Runner]
    stores: Mapping[str, EmbeddingStore]
    workers: int

    def __call__(self, tasks: Iterable[Task]) -> Iterator[tuple[SlideExtracted, ...] | ItemProgress[Task]]:
        """For each task, in order, its slide by each extractor; in the stores when it is yielded.

        Batch by batch it says how many tiles the extractors did of a slide, each tile once for each.

        Memory holds some batches of each slide that is read, and the vectors of a few slides. When
        the caller stops early, what is being written is finished and nothing more is begun.

        Raises:
            CorruptFile: if a slide has another number of tiles than the data set says.
            NonFiniteValue: naming the first tile whose vector is no number in float16.
        """
        size = max(runner.batch_size for runner in self.runners.values())
        sources = (partial(self._read, task, size) for task in tasks)
        under_way: dict[Slide, dict[str, _SoFar]] = {}
        queued: deque[tuple[_Piece, dict[str, VectorFutures]]] = deque()
        written: deque[Future[tuple[SlideExtracted, ...]]] = deque()
        over = False
        with ThreadPoolExecutor(1) as writer, ReadAhead(sources, self.workers, _AHEAD) as pieces:
            while not over or queued or written:
                piece = Gap.END if over else pieces.get(wait=not queued)
                if piece is Gap.END:
                    over = True
                elif piece is not Gap.NOT_YET:
                    queued.append((piece, self._submit(piece)))
                    if len(queued) <= IN_FLIGHT:
                        continue
                if queued:
                    piece, futures = queued.popleft()
                    if piece.batch is not None:
                        self._collect(piece.batch, futures, under_way.setdefault(piece.task.slide, {}))
                        yield ItemProgress(piece.task, piece.n_tiles * len(futures))
                    else:
                        written.append(writer.submit(self._write, piece, under_way.pop(piece.task.slide)))
                        written[-1].add_done_callback(lambda _: pieces.wake())
                while written and (len(written) > _UNWRITTEN or written[0].done() or (over and not queued)):
                    yield written.popleft().result()

    def _read(self, task: Task, size: int) -> Iterator[_Piece]:
        begun = time.time()
        n_tiles, expected = 0, self.source.dataset.tiles_per_slide
        for batch in self.source.batches(task.slide, size):
            n_tiles += len(batch)
            yield _Piece(task, begun, n_tiles, batch)
        if n_tiles != expected:
            raise CorruptFile(f"{task.slide} has {n_tiles:,} tiles; {expected:,} are expected.")
        yield _Piece(task, begun, n_tiles)

    def _submit(self, piece: _Piece) -> dict[str, VectorFutures]:
        if piece.batch is None:
            return {}
        return {name: self.runners[name].submit(piece.batch.pixels) for name in piece.task.extractors}

    def _collect(self, batch: TileBatch, futures: dict[str, VectorFutures], slide: dict[str, _SoFar]) -> None:
        for name, future in futures.items():
            computed = future.result()
            _check_finite(self.runners[name], batch, computed.vectors, alone=len(self.runners) == 1)
            so_far = slide.setdefault(name, _SoFar())
            so_far.xy.append(batch.xy)
            so_far.vectors.append(computed.vectors)
            so_far.forward_seconds += computed.seconds

    def _write(self, piece: _Piece, whole: dict[str, _SoFar]) -> tuple[SlideExtracted, ...]:
        outcomes = []
        for name, done in whole.items():
            embeddings = Embeddings(piece.task.slide, np.concatenate(done.xy), np.concatenate(done.vectors))
            cost = replace(
                measured(self.runners[name], len(embeddings.vectors), done.forward_seconds),
                wall_seconds=time.time() - piece.begun,
                n_together=len(self.runners),
            )
            # What is replaced goes first, with its cost; then the first cost, before the slide: who is killed later
            # leaves no slides of unknown cost.
            store = self.stores[name]
            store.claim()
            if not (store.folder / EFFICIENCY_FILE).exists():
                write_efficiency(store.folder, cost)
            store.write(embeddings)
            fitted = getattr(self.runners[name].extractor.module, FITTED, "")
            outcomes.append(SlideExtracted(embeddings.slide, piece.begun, cost, fitted))
        return tuple(outcomes)


def measured(runner: Runner, n_tiles: int, forward_seconds: float) -> Efficiency:
    """What some tiles cost a runner."""
    extractor = runner.extractor
    return Efficiency(
        extractor=extractor.spec.name,
        n_params=extractor.n_params,
        device=device_title(extractor.device),
        precision=str(extractor.precision),
        batch_size=runner.batch_size,
        compiled=extractor.compiled,
        n_tiles=n_tiles,
        forward_seconds=forward_seconds,
        peak_memory=peak_memory(extractor.device),
    )


def _check_finite(runner: Runner, batch: TileBatch, vectors: npt.NDArray[np.float16], *, alone: bool) -> None:
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        x, y = batch.xy[np.argmin(finite)]
        extractor = runner.extractor
        raise NonFiniteValue(
            f"'{extractor.spec.name}' in {extractor.precision} gives {NOT_FINITE}"
            f" for {batch.slide}, tile ({x}, {y}); nothing of this slide was kept.",
            hint=_finite_hint(extractor.precision) + ("" if alone else " Without this model the others go on."),
        )


def _finite_hint(precision: Precision) -> str:
    if precision is Precision.FP32:
        return (
            "No precision is wider: the model itself gives it, so look at its weights, its preprocessing and the scale"
            " of its output."
        )
    return f"Try --precision {Precision.BF16 if precision is Precision.FP16 else Precision.FP32}."
