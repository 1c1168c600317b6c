"""The directions of a slide's vectors, and what is computed from them in float64."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from plismbench.errors import ShapeMismatch

Float16 = npt.NDArray[np.float16]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_CHUNK_NUMBERS = 2**17  # 1 MiB of float64: float64 work is done in pieces that stay in a core's cache


class Directions(Protocol):
    """One slide's vectors as stored, and their directions."""

    @property
    def stored(self) -> Float16:
        """(n_tiles, dim) float16, finite."""
        ...

    @property
    def norms(self) -> Float64:
        """(n_tiles,) float64 lengths of the stored vectors; 1 for a vector of zeros."""
        ...

    def exact(self, rows: Int64 | slice, /) -> Float64:
        """(len(rows), dim) float64 of norm 1, from the stored values; zeros stay zeros. Read it only."""
        ...


class Axes(Protocol):
    """Orthogonal axes along which few columns hold most of the length of a model's vectors."""

    @property
    def lead(self) -> int:
        """How many columns do; it decides how fast a search is, never what it finds."""
        ...

    def turned(self, vectors: Directions, /) -> Float32:
        """(n_tiles, dim) float32 of norm 1 or 0, C-contiguous: the directions along these axes."""
        ...


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


Form = TypeVar("Form")


@dataclass(frozen=True)
class OnHost(Generic[Form]):
    """A slide placed on the CPU: its vectors, and the form of them that an engine searches."""

    vectors: Directions
    form: Form

    @cached_property
    def moments(self) -> Moments:
        """Mean and spread of the directions."""
        n_tiles, dim = self.vectors.stored.shape
        total, spread = np.zeros(dim), np.empty(n_tiles)
        for rows in chunks(n_tiles, dim):
            total += self.vectors.exact(rows).sum(axis=0)
        mean = total / n_tiles
        for rows in chunks(n_tiles, dim):
            centred = self.vectors.exact(rows) - mean
            spread[rows] = np.sqrt(np.einsum("ij,ij->i", centred, centred))
        return Moments(mean, spread)


class HostArithmetic:
    """The part of an engine that does not search, with NumPy."""

    def rounding(self, dim: int) -> float:
        """Largest error of a float32 inner product of two unit vectors of float32.

        With u = 2⁻²⁴, the product of two unit vectors is off by at most dim·u in whatever order it
        is summed (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), each vector
        by u a component, and sums and differences of a few such numbers by u each.
        """
        return float((dim + 16) * 2.0**-24)

    def moments(self, slide: OnHost[Any]) -> Moments:
        """Mean and spread of the directions."""
        return slide.moments

    def products(self, a: OnHost[Any], b: OnHost[Any], pairs: Int64) -> Float64:
        """Some of each slide's rows at a time."""
        products = np.empty(len(pairs))
        for some in chunks(len(pairs), 2 * a.vectors.stored.shape[1]):
            of_a, of_b = pairs[some].T
            products[some] = np.einsum("ij,ij->i", a.vectors.exact(of_a), b.vectors.exact(of_b))
        return products

    def paired(self, a: OnHost[Any], b: OnHost[Any]) -> PairedProducts:
        """With einsum, not BLAS: its order of summation does not depend on the number of threads."""
        check_counterparts(a.vectors, b.vectors)
        n_tiles, dim = a.vectors.stored.shape
        matched, centred = np.empty(n_tiles), np.empty(n_tiles)
        for rows in chunks(n_tiles, dim):
            of_a, of_b = a.vectors.exact(rows), b.vectors.exact(rows)
            matched[rows] = np.einsum("ij,ij->i", of_a, of_b)
            centred[rows] = np.einsum("ij,ij->i", of_a - a.moments.mean, of_b - b.moments.mean)
        return PairedProducts(matched, centred)


def check_counterparts(a: Directions, b: Directions) -> None:
    """Refuses two slides whose rows cannot be the same tiles.

    Raises:
        ShapeMismatch: if they differ in tiles or in dim.
    """
    check_same_shape(a.stored.shape, b.stored.shape)


def check_same_shape(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    """Refuses two slides of unlike shape.

    Raises:
        ShapeMismatch: if they differ in tiles or in dim.
    """
    if a != b:
        raise ShapeMismatch(f"Slides of a pair have the same tiles and dim; got {tuple(a)} and {tuple(b)}.")


def chunks(n_rows: int, numbers_per_row: int, numbers: int = _CHUNK_NUMBERS) -> Iterator[slice]:
    """Pieces of ``range(n_rows)`` of about so many numbers each; 1 MiB in float64 if not told."""
    size = max(1, numbers // max(1, numbers_per_row))
    return (slice(start, start + size) for start in range(0, n_rows, size))
