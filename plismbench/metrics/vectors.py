"""The vectors of one slide, ready for comparison."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from plismbench.errors import NonFiniteValue, ShapeMismatch

Rows = npt.NDArray[np.int64]

_CHUNK_NUMBERS = 2**17  # 1 MiB of float64: float64 work is done in pieces that stay in a core's cache


@dataclass(frozen=True)
class SlideVectors:
    """One slide's vectors as stored, and their directions.

    Args:
        stored: (n_tiles, dim) float16, finite. Norms may exceed what float16 holds.

    Raises:
        ShapeMismatch: if this is no float16 matrix.
        NonFiniteValue: if it holds NaN or infinity.
    """

    stored: npt.NDArray[np.float16]

    def __post_init__(self) -> None:
        if self.stored.ndim != 2 or self.stored.dtype != np.float16:
            raise ShapeMismatch(f"Vectors are (n_tiles, dim) float16; got {self.stored.shape} {self.stored.dtype}.")
        if not np.isfinite(self.stored).all():
            raise NonFiniteValue("Vectors hold NaN or infinity.")

    def __len__(self) -> int:
        return len(self.stored)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.stored.shape[1])

    @cached_property
    def norms(self) -> npt.NDArray[np.float64]:
        """(n_tiles,) float64 lengths of the stored vectors; 1 for a vector of zeros."""
        norms = np.empty(len(self))
        for rows in chunks(len(self), self.dim):
            wide = self.stored[rows].astype(np.float64)
            norms[rows] = np.sqrt(np.einsum("ij,ij->i", wide, wide))
        norms[norms == 0] = 1
        return norms

    @cached_property
    def unit(self) -> npt.NDArray[np.float32]:
        """(n_tiles, dim) float32 of norm 1, for engines; zeros stay zeros."""
        wide = self.stored.astype(np.float32)
        wide /= self.norms.astype(np.float32)[:, None]
        return wide

    def exact(self, rows: Rows | slice) -> npt.NDArray[np.float64]:
        """(len(rows), dim) float64 of norm 1, from the stored values; zeros stay zeros."""
        wide = self.stored[rows].astype(np.float64)
        wide /= self.norms[rows, None]
        return wide

    @property
    def rounding(self) -> float:
        """Largest error of a float32 inner product of two rows of ``unit`` matrices of this width.

        With u = 2⁻²⁴, the product of two unit vectors is off by at most dim·u in whatever order it
        is summed (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), and each
        vector by 2u a component from its norm and its division.
        """
        return float((self.dim + 8) * 2.0**-24)


def check_counterparts(a: SlideVectors, b: SlideVectors) -> None:
    """Refuses two slides whose rows cannot be the same tiles.

    Raises:
        ShapeMismatch: if they differ in tiles or in dim.
    """
    if a.stored.shape != b.stored.shape:
        raise ShapeMismatch(f"Slides of a pair have the same tiles and dim; got {a.stored.shape} and {b.stored.shape}.")


def chunks(n_rows: int, numbers_per_row: int) -> Iterator[slice]:
    """Pieces of ``range(n_rows)`` that take about 1 MiB in float64 each."""
    size = max(1, _CHUNK_NUMBERS // numbers_per_row)
    return (slice(start, start + size) for start in range(0, n_rows, size))
