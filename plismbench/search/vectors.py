"""The vectors of one slide, ready for comparison."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from plismbench.errors import NonFiniteValue, ShapeMismatch

Float16 = npt.NDArray[np.float16]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_CHUNK_NUMBERS = 2**17  # 1 MiB of float64: float64 work is done in pieces that stay in a core's cache

_KEPT_NUMBERS = 2**20  # 8 MiB of float64
_ROTATED_NUMBERS = 2**21  # 16 MiB of float64 are multiplied at once: BLAS wants more than stays in a core's cache
_LEAD_STEP = 32
_TAIL = 0.05  # share of the squared length that may lie outside the leading axes; the fastest measured


def keeps_directions(n_tiles: int, dim: int) -> bool:
    """Whether the float64 directions of a slide stay once they are computed: those of a small one.

    A pair of small slides is compared in few milliseconds, of which computing them again takes a fifth.
    """
    return n_tiles * dim <= _KEPT_NUMBERS


@dataclass(frozen=True)
class SlideVectors:
    """One slide's vectors as stored, and their directions.

    Args:
        stored: (n_tiles, dim) float16, finite. Norms may exceed what float16 holds.

    Raises:
        ShapeMismatch: if this is no float16 matrix.
        NonFiniteValue: if it holds NaN or infinity.
    """

    stored: Float16

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
    def norms(self) -> Float64:
        """(n_tiles,) float64 lengths of the stored vectors; 1 for a vector of zeros."""
        norms = np.empty(len(self))
        for rows in chunks(len(self), self.dim):
            wide = self.stored[rows].astype(np.float64)
            norms[rows] = np.sqrt(np.einsum("ij,ij->i", wide, wide))
        norms[norms == 0] = 1
        return norms

    def exact(self, rows: Int64 | slice) -> Float64:
        """(len(rows), dim) float64 of norm 1, from the stored values; zeros stay zeros. Read it only."""
        return self._kept[rows] if keeps_directions(len(self), self.dim) else self._computed(rows)

    @cached_property
    def _kept(self) -> Float64:
        directions = self._computed(slice(None))
        directions.flags.writeable = False
        return directions

    def _computed(self, rows: Int64 | slice) -> Float64:
        wide = self.stored[rows].astype(np.float64)
        wide /= self.norms[rows, None]
        return wide


@dataclass(frozen=True)
class PrincipalAxes:
    """Orthogonal axes along which few columns hold most of the length of a model's vectors.

    Rotation changes no inner product, so it changes no result, only how soon one is known.

    Args:
        axes: (dim, dim) float64, orthonormal columns, the most important first.
        lead: number of columns that hold all but 5 % of the squared length; at most half of them, or 32.
    """

    axes: Float64
    lead: int

    def rotated(self, vectors: SlideVectors) -> Float32:
        """(n_tiles, dim) float32: the directions along these axes, computed in float64; zeros stay zeros."""
        rotated = np.empty(vectors.stored.shape, np.float32)
        for rows in chunks(len(vectors), vectors.dim, _ROTATED_NUMBERS):
            rotated[rows] = vectors.exact(rows) @ self.axes
        return rotated


def principal_axes(sample: Iterable[SlideVectors]) -> PrincipalAxes:
    """The eigenvectors of Σ u uᵀ over the directions u of some slides, not centred.

    Raises:
        ShapeMismatch: if there is no slide, or their widths differ.
    """
    moment: Float64 | None = None
    for vectors in sample:
        if moment is None:
            moment = np.zeros((vectors.dim, vectors.dim))
        if vectors.dim != len(moment):
            raise ShapeMismatch(f"Vectors of dim {len(moment)} and {vectors.dim} have no common axes.")
        for rows in chunks(len(vectors), vectors.dim, _ROTATED_NUMBERS):
            some = vectors.exact(rows)
            moment += some.T @ some
    if moment is None:
        raise ShapeMismatch("No vectors to find axes of.")
    energy, axes = np.linalg.eigh(moment)
    energy, axes = energy[::-1], axes[:, ::-1]
    outside = 1 - np.cumsum(energy) / max(energy.sum(), np.finfo(np.float64).tiny)
    wanted = int(np.searchsorted(-outside, -_TAIL)) + 1
    lead = min(-(-wanted // _LEAD_STEP) * _LEAD_STEP, max(_LEAD_STEP, len(moment) // 2), len(moment))
    return PrincipalAxes(np.ascontiguousarray(axes), lead)


def chunks(n_rows: int, numbers_per_row: int, numbers: int = _CHUNK_NUMBERS) -> Iterator[slice]:
    """Pieces of ``range(n_rows)`` of about so many numbers each; 1 MiB in float64 if not told."""
    size = max(1, numbers // max(1, numbers_per_row))
    return (slice(start, start + size) for start in range(0, n_rows, size))
