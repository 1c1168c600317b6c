"""The contract of exact search among the tiles of two slides."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from plismbench.errors import InvalidInput, NeedsAction, ShapeMismatch, UnknownName
from plismbench.search.directions import Moments, PairedProducts
from plismbench.search.vectors import Float32, Float64, Int64, PrincipalAxes, SlideVectors

Placed = TypeVar("Placed")
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
    """For each row of two slides, how many rows of the other reach its least score.

    Args:
        a: (n_rows,) int64, rows of ``b`` that surely do; 0 for a row whose least score is infinite.
        b: (n_rows,) int64, the same for the rows of ``b``.
        unsure_a: (m, 2) int64, pairs (row of a, row of b) that may reach the least score of the
            row of ``a``: nearer to it than the arithmetic can tell. Not among the counts.
        unsure_b: (m, 2) int64, pairs (row of a, row of b) that may reach that of the row of ``b``.
        crowded_a: (n_rows,) bool, rows of ``a`` with more than ``MOST_UNSURE`` such pairs, which are not
            listed then: duplicates come by the hundred, and their pairs would fill the memory.
        crowded_b: (n_rows,) bool, the same for ``b``.
    """

    a: Int64
    b: Int64
    unsure_a: Int64
    unsure_b: Int64
    crowded_a: npt.NDArray[np.bool_]
    crowded_b: npt.NDArray[np.bool_]


class Unsure:
    """Collects unsure pairs for the rows of one side, few for each."""

    def __init__(self, n_rows: int, side: int) -> None:
        self._counts = np.zeros(n_rows, np.int64)
        self._pairs: list[Int64] = [np.empty((0, 2), np.int64)]
        self._side = side

    def add(self, pairs: Int64) -> None:
        """Takes pairs (row of a, row of b); those of a row that has too many are let go."""
        own = pairs[:, self._side]
        self._counts += np.bincount(own, minlength=len(self._counts))
        self._pairs.append(pairs[self._counts[own] <= MOST_UNSURE])

    def result(self) -> tuple[Int64, npt.NDArray[np.bool_]]:
        """The pairs of rows that have few, and which rows have too many."""
        crowded = self._counts > MOST_UNSURE
        pairs = np.concatenate(self._pairs)
        return pairs[~crowded[pairs[:, self._side]]], crowded


class Engine(Protocol[Placed]):
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
            axes: along which it may be turned; to find them costs something.
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

    def reaching(self, a: Placed, b: Placed, least_a: Float64, least_b: Float64, margin: float, /) -> Reached:
        """Counts, for each row of two slides, the rows of the other with at least a given score.

        Args:
            a: one slide.
            b: another.
            least_a: (n_rows,) for each row of ``a``; infinity where it is not asked for.
            least_b: (n_rows,) for each row of ``b``; the same.
            margin: scores this near the least one, or nearer, are unsure; at least ``rounding``.

        Raises:
            ShapeMismatch: if the slides differ in width.
        """
        ...


def has_cuda_driver() -> bool:
    """Whether this machine has a driver that CUDA programs could use."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


MOST_UNSURE = 64
"""Unsure pairs that are listed for a row."""

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


def engine(name: str, device: str = AUTO) -> Engine[Any]:
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


def check_width(a: int, b: int) -> None:
    """Refuses two slides of unlike vectors.

    Raises:
        ShapeMismatch: if the widths differ.
    """
    if a != b:
        raise ShapeMismatch(f"Slides of width {a} and {b} cannot be compared.")


def unsure_band(least: Float64, margin: float) -> tuple[Float32, Float32]:
    """Float32 scores from the first on are unsure, from the second on sure; both rounded outwards."""
    with np.errstate(over="ignore"):
        low = np.nextafter((least - margin).astype(np.float32), np.float32(-np.inf))
        high = np.nextafter((least + margin).astype(np.float32), np.float32(np.inf))
    low[np.isinf(least)] = np.inf
    return low, high
