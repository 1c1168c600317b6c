"""The contract of exact search among the tiles of two slides."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from plismbench.errors import InvalidInput, NeedsAction, ShapeMismatch, UnknownName
from plismbench.search.vectors import Float32, Float64, Int64, PrincipalAxes, SlideVectors

Placed: TypeAlias = Any
"""One slide's vectors, where and how an engine wants them."""


@dataclass(frozen=True)
class Neighbors:
    """The k best rows for each row of a slide, the row itself among them.

    Args:
        scores: (n_rows, k) float32 inner products, descending.
        rows: (n_rows, k) int64 row numbers.

    Raises:
        ShapeMismatch: if the arrays differ in shape or have other types.
    """

    scores: Float32
    rows: Int64

    def __post_init__(self) -> None:
        fits = self.scores.ndim == 2 and self.scores.shape == self.rows.shape
        if not fits or self.scores.dtype != np.float32 or self.rows.dtype != np.int64:
            raise ShapeMismatch(
                f"Neighbours are (n_rows, k) float32 and int64; got {self.scores.shape} {self.scores.dtype}"
                f" and {self.rows.shape} {self.rows.dtype}."
            )


@dataclass(frozen=True)
class Reached:
    """For each row of a slide, how many rows of another reach its least score.

    Args:
        sure: (n_rows,) int64, rows that surely do; 0 for a row whose least score is infinite.
        unsure: (m, 2) int64, pairs (own row, row of the other slide) that may reach the least score:
            nearer to it than the arithmetic can tell. Not among the counts.
        crowded: (n_rows,) bool, rows with too many such pairs, which are not listed then: duplicates
            come by the hundred, and their pairs would fill the memory.
    """

    sure: Int64
    unsure: Int64
    crowded: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Moments:
    """Where the directions of a slide lie.

    Args:
        mean: (dim,) float64 mean of the directions.
        spread: (n_tiles,) float64 distance of each direction from it.
    """

    mean: Float64
    spread: Float64


@dataclass(frozen=True)
class PairedProducts:
    """Inner products of the directions of counterparts: row i of one slide with row i of another.

    Args:
        matched: (n_tiles,) float64.
        centred: (n_tiles,) float64, after each slide's mean is subtracted from its directions.
    """

    matched: Float64
    centred: Float64


class Engine(Protocol):
    """Exact search by inner product of unit vectors, in float32 or better; and their products in float64."""

    @property
    def concurrent(self) -> bool:
        """Whether several threads may compare at once, because each call keeps to one core."""
        ...

    @property
    def room(self) -> int | None:
        """Bytes that slides may take where it searches; None where that is the memory of the machine."""
        ...

    @property
    def device(self) -> str:
        """Where it searches, for the record."""
        ...

    @property
    def versions(self) -> dict[str, str]:
        """The library that searches, for the record."""
        ...

    def place(self, vectors: SlideVectors, axes: Callable[[], PrincipalAxes], /) -> Placed:
        """Takes a slide in, once.

        Args:
            vectors: the slide.
            axes: along which it may be rotated; to find them costs something.
        """
        ...

    def rounding(self, dim: int, /) -> float:
        """Largest error of a score between unit vectors of this width."""
        ...

    def moments(self, slide: Placed, /) -> Moments:
        """Mean and spread of the directions of a slide."""
        ...

    def products(self, a: Placed, b: Placed, pairs: Int64, /) -> Float64:
        """Inner products of some directions, in float64 from the stored values.

        Args:
            a: one slide.
            b: another, or the same.
            pairs: (m, 2) int64: a row of ``a``, a row of ``b``.

        Returns:
            (m,) float64.
        """
        ...

    def count(self, a: Placed, b: Placed, rows: Int64, least: Float64, /) -> Int64:
        """For some rows of a slide, how many rows of another reach a score, in float64 from the stored values.

        Args:
            a: one slide.
            b: another, or the same; its row of the same number is not counted.
            rows: (m,) int64, rows of ``a``.
            least: (n_rows,) float64, the score for each row of ``a``.

        Returns:
            (m,) int64.
        """
        ...

    def paired(self, a: Placed, b: Placed, /) -> PairedProducts:
        """Inner products of counterparts, in float64 from the stored values.

        Raises:
            ShapeMismatch: if the slides differ in tiles or in width.
        """
        ...

    def nearest(self, slide: Placed, k: int, /) -> Neighbors:
        """The k rows of a slide with the largest inner product with each of its rows.

        Which of two rows comes first when their scores agree to rounding is open.

        Raises:
            InvalidInput: if k is not between 1 and the number of rows.
        """
        ...

    def reaching(self, a: Placed, b: Placed, least_a: Float64, least_b: Float64, /) -> tuple[Reached, Reached]:
        """Counts, for each row of two slides, the rows of the other with at least a given score.

        Scores that are as near to it as ``rounding``, or nearer, are unsure.

        Args:
            a: one slide.
            b: another, of the same shape.
            least_a: (n_rows,) for each row of ``a``; infinity where it is not asked for.
            least_b: (n_rows,) for each row of ``b``; the same.

        Returns:
            That of ``a``, and that of ``b``.
        """
        ...


def has_cuda_driver() -> bool:
    """Whether this machine has a driver that CUDA programs could use."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


ENGINES = ("exact", "faiss", "torch")

AUTO = "auto"
"""Torch on a GPU if there is one (estimated to be faster: docs/performance.md), else FAISS (measured)."""


def engine_for(name: str, device: str = AUTO) -> str:
    """The engine that ``auto`` stands for on this machine; any other name is itself."""
    if name != AUTO:
        return name
    if device == "cuda":
        return "torch"
    if device == "cpu" or not has_cuda_driver():  # saves the import of torch: 0.4 GB and two seconds
        return "faiss"
    import torch

    return "torch" if torch.cuda.is_available() else "faiss"


def engine(name: str, device: str = AUTO) -> Engine:
    """The engine of that name; its library is imported here.

    Args:
        name: one of ``ENGINES``.
        device: ``cpu``, ``cuda``, or ``auto``: with torch a GPU where there is one, else the CPU.

    Raises:
        UnknownName: if there is no such engine or device.
        NeedsAction: if the engine cannot use the device here.
    """
    if device not in (AUTO, "cpu", "cuda"):
        raise UnknownName("search device", device, (AUTO, "cpu", "cuda"))
    match name:
        case "exact":
            if device == "cuda":
                raise NeedsAction("Engine 'exact' searches on the CPU only.", hint="Use --engine torch.")
            from plismbench.search.exact import ExactEngine

            return ExactEngine()
        case "faiss":
            from plismbench.search.faiss_flat import FaissEngine

            return FaissEngine.on(device)
        case "torch":
            from plismbench.search.torch_matmul import TorchEngine

            return TorchEngine.on(device)
    raise UnknownName("search engine", name, (*ENGINES, AUTO))


def check_k(k: int, n_rows: int) -> None:
    """Refuses more neighbours than there are rows.

    Raises:
        InvalidInput: if k is not between 1 and ``n_rows``.
    """
    if not 1 <= k <= n_rows:
        raise InvalidInput(f"Cannot find {k} neighbours among {n_rows} rows.")


def check_same_shape(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    """Refuses two slides of unlike shape, whose rows cannot be the same tiles.

    Raises:
        ShapeMismatch: if they differ in tiles or in dim.
    """
    if a != b:
        raise ShapeMismatch(f"Slides of a pair have the same tiles and dim; got {tuple(a)} and {tuple(b)}.")
