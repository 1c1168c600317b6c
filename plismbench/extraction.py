"""Tiles to vectors, slide by slide, into a store."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from plismbench.dataset import TILE_SIZE, Slide
from plismbench.embeddings.manifest import Manifest
from plismbench.embeddings.store import Embeddings, EmbeddingStore
from plismbench.errors import AlreadyExists, CorruptFile, FingerprintMismatch, NonFiniteValue
from plismbench.execution.executor import Executor
from plismbench.extractors.extractor import Extractor, load_extractor
from plismbench.extractors.spec import ExtractorSpec, Precision
from plismbench.tiles.source import TileBatch, TileSource
from plismbench.workspace import MANIFEST_FILE, Existing, Workspace, remove_folder, require_writable

_MEASURED_SECONDS = 2.0


@dataclass(frozen=True)
class SlideExtracted:
    """One slide, now in the store."""

    slide: Slide
    n_tiles: int
    seconds: float


@dataclass(frozen=True)
class Extraction:
    """One extractor over some slides: what is to do, and how. Small; it travels to workers.

    Args:
        spec: the model.
        source: the tiles.
        store: where the vectors go.
        slides: those asked for that the store does not have yet.
        skipped: those asked for that it has.
        device: a torch device, ``cpu`` or ``cuda``.
        precision: of the forward pass.
        batch_size: tiles a forward pass.
        unlike: something else made what the store holds; it goes when the work begins.
    """

    spec: ExtractorSpec
    source: TileSource
    store: EmbeddingStore
    slides: tuple[Slide, ...]
    skipped: tuple[Slide, ...]
    device: str
    precision: Precision
    batch_size: int
    unlike: bool = False

    def run(self, executor: Executor, on_tiles: Callable[[int], None] = lambda _: None) -> Iterator[SlideExtracted]:
        """Extracts the slides one by one; each is in the store when it is yielded.

        Args:
            executor: where the work runs.
            on_tiles: told how many tiles were done, batch by batch.
        """
        if self.unlike:
            remove_folder(self.store.folder)
        return executor.map(partial(self._start, on_tiles), self.slides)

    def _start(self, on_tiles: Callable[[int], None]) -> Callable[[Slide], SlideExtracted]:
        return partial(self._extract, load_extractor(self.spec, self.device, self.precision), on_tiles)

    def _extract(self, extractor: Extractor, on_tiles: Callable[[int], None], slide: Slide) -> SlideExtracted:
        begun = time.perf_counter()
        xy, vectors = [], []
        for batch in self.source.batches(slide, self.batch_size):
            xy.append(batch.xy)
            vectors.append(extractor(batch.pixels))
            self._check_finite(batch, vectors[-1])
            on_tiles(len(batch))
        embeddings = Embeddings(slide, np.concatenate(xy), np.concatenate(vectors))
        expected = self.source.dataset.tiles_per_slide
        if len(embeddings.vectors) != expected:
            raise CorruptFile(f"{slide} has {len(embeddings.vectors):,} tiles; {expected:,} are expected.")
        self.store.write(embeddings)
        return SlideExtracted(slide, expected, time.perf_counter() - begun)

    def _check_finite(self, batch: TileBatch, vectors: npt.NDArray[np.float16]) -> None:
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            x, y = batch.xy[np.argmin(finite)]
            raise NonFiniteValue(
                f"'{self.spec.name}' in {self.precision} gives NaN, infinity or a value above 65,504"
                f" for {batch.slide}, tile ({x}, {y}); nothing of this slide was kept.",
                hint=_finite_hint(self.precision),
            )


def _finite_hint(precision: Precision) -> str:
    if precision is Precision.FP32:
        return "No precision is wider: the model itself gives it, so look at its weights and its preprocessing."
    return f"Try --precision {Precision.BF16 if precision is Precision.FP16 else Precision.FP32}."


@dataclass(frozen=True)
class Estimate:
    """What an extraction will take.

    Args:
        n_tiles: to be embedded.
        written: bytes of vectors and coordinates.
        tiles_per_second: measured on noise, without what fetching and decoding cost.
    """

    n_tiles: int
    written: int
    tiles_per_second: float

    @property
    def seconds(self) -> float:
        """Of the model alone."""
        return self.n_tiles / self.tiles_per_second


def estimate_extraction(
    spec: ExtractorSpec, n_tiles: int, *, device: str, precision: Precision, batch_size: int
) -> Estimate:
    """Loads the model and times it on some batches of noise.

    Raises:
        PlismbenchError: as `load_extractor` does.
    """
    extractor = load_extractor(spec, device, precision)
    pixels = np.random.default_rng(0).integers(0, 256, (batch_size, TILE_SIZE, TILE_SIZE, 3), dtype=np.uint8)
    extractor(pixels)  # the first batch costs more
    begun = time.perf_counter()
    batches = 0
    while time.perf_counter() - begun < _MEASURED_SECONDS or not batches:
        extractor(pixels)
        batches += 1
    rate = batches * batch_size / (time.perf_counter() - begun)
    return Estimate(n_tiles, written_bytes(spec, n_tiles), rate)


def written_bytes(spec: ExtractorSpec, n_tiles: int) -> int:
    """What the vectors of so many tiles take: for each, float16 numbers and two coordinates of int32."""
    return n_tiles * (2 * spec.dim + 8)


def plan_extraction(
    spec: ExtractorSpec,
    source: TileSource,
    slides: tuple[Slide, ...],
    workspace: Workspace,
    *,
    device: str,
    precision: Precision,
    batch_size: int,
    existing: Existing,
    commits: Mapping[str, str] | None = None,
) -> Extraction:
    """Opens or makes the store and finds out which slides are to do.

    Args:
        spec: the model.
        source: the tiles.
        slides: those asked for.
        workspace: where the store is.
        device: a torch device, ``cpu`` or ``cuda``.
        precision: of the forward pass.
        batch_size: tiles a forward pass.
        existing: what to do with slides that are there.
        commits: of each repository that the source reads; one store holds one commit of each.

    Raises:
        AlreadyExists: if a slide is there and ``existing`` is ``error``.
        FingerprintMismatch: if the store holds vectors that something else made, and it is not
            replaced as a whole.
        StorageFailure: if the store cannot be written.
    """
    manifest = Manifest(
        extractor=spec.as_dict(),
        fingerprint=spec.fingerprint(),
        dataset=source.dataset.name,
        revision=source.dataset.revision,
        dataset_option=source.dataset.option,
        precision=str(precision),
        device=device,
        versions={name: version(name) for name in ("plismbench", "torch", "timm", "numpy")},
        tiles_commit=dict(commits or {}),
    )
    folder = workspace.embeddings(spec.name)
    require_writable(folder)
    unlike = existing is Existing.REPLACE and _is_unlike(folder, manifest, slides)
    store = EmbeddingStore(folder, manifest) if unlike else EmbeddingStore.create(folder, manifest)
    there = tuple(slide for slide in slides if store.has(slide))
    if there and existing is Existing.ERROR:
        raise AlreadyExists(
            f"'{spec.name}' has {len(there)} of these slides already: {there[0]}{', …' if len(there) > 1 else ''}.",
            hint="Keep them with --existing skip, or drop them with --existing replace.",
        )
    skipped = there if existing is Existing.SKIP else ()
    todo = tuple(slide for slide in slides if slide not in skipped)
    if todo:
        store = store.with_tiles_of(manifest.tiles_commit)
    return Extraction(spec, source, store, todo, skipped, device, precision, batch_size, unlike)


def _is_unlike(folder: Path, manifest: Manifest, slides: tuple[Slide, ...]) -> bool:
    """Whether something else made a store; an error if dropping it would lose slides not asked for."""
    if not (folder / MANIFEST_FILE).exists():
        return False
    try:
        store = EmbeddingStore.open(folder)
    except CorruptFile:
        store = None
    if store and store.manifest.identity == manifest.identity:
        with contextlib.suppress(FingerprintMismatch):
            store.with_tiles_of(manifest.tiles_commit)
            return False
    lost = sorted(path.stem for path in folder.glob("*.parquet") if path.stem not in map(str, slides))
    if lost:
        raise FingerprintMismatch(
            f"{folder} was made by something else; replacing it would lose {len(lost)} slides that are not"
            f" asked for: {lost[0]}{', …' if len(lost) > 1 else ''}.",
            hint="Ask for all of its slides, or use another --root.",
        )
    return True
