"""One slide's vectors, and the parquet file that holds them."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from plismbench.dataset import Slide
from plismbench.errors import CorruptFile, InvalidInput, NonFiniteValue, ShapeMismatch, first_line_of
from plismbench.storage import writing

_METADATA_KEY = b"plismbench"
_GROUP_NUMBERS = 2**23  # numbers in a row group, 16 MiB
_READ_NUMBERS = 2**20  # numbers read at once, besides the array they go to: what stays in the cache is read fastest
_INFINITE = 0x7C00  # the exponent's bits of a float16, all set in NaN and infinity only


@dataclass(frozen=True)
class Embeddings:
    """The vectors of one slide.

    Args:
        slide: where the tiles are from.
        xy: (n_tiles, 2) int32 tile coordinates, sorted by x, then by y.
        vectors: (n_tiles, dim) float16, finite.

    Raises:
        ShapeMismatch: if an array has another shape or type.
        InvalidInput: if the coordinates are not sorted, or stand twice.
        NonFiniteValue: if a vector holds NaN or infinity.
    """

    slide: Slide
    xy: npt.NDArray[np.int32]
    vectors: npt.NDArray[np.float16]

    def __post_init__(self) -> None:
        if self.vectors.dtype != np.float16 or self.vectors.ndim != 2:
            raise ShapeMismatch(
                f"Vectors of {self.slide} are (n_tiles, dim) float16; got {self.vectors.shape} {self.vectors.dtype}."
            )
        if self.xy.dtype != np.int32 or self.xy.shape != (len(self.vectors), 2):
            raise ShapeMismatch(
                f"Coordinates of {self.slide} are ({len(self.vectors)}, 2) int32; got {self.xy.shape} {self.xy.dtype}."
            )
        x, y = self.xy[:, 0], self.xy[:, 1]
        ascending = (x[1:] > x[:-1]) | ((x[1:] == x[:-1]) & (y[1:] > y[:-1]))
        if not ascending.all():
            row = int(np.argmin(ascending)) + 1
            raise InvalidInput(f"Tiles of {self.slide} are not in (x, y) order, or stand twice: row {row}.")
        bits = self.vectors.view(np.uint16)  # five times as fast as np.isfinite
        finite = (bits & _INFINITE != _INFINITE).all(axis=1)
        if not finite.all():
            row = int(np.argmin(finite))
            what = "NaN" if np.isnan(self.vectors[row]).any() else "a value beyond 65,504, the largest of float16"
            raise NonFiniteValue(f"The vector of {self.slide}, tile ({x[row]}, {y[row]}), holds {what}.")

    def digest(self) -> str:
        """SHA-256 of coordinates and vectors."""
        digest = hashlib.sha256(np.ascontiguousarray(self.xy).tobytes())
        digest.update(np.ascontiguousarray(self.vectors).data)
        return digest.hexdigest()


def write_slide(path: Path, embeddings: Embeddings, metadata: Mapping[str, str]) -> None:
    """Writes a slide, whole or not at all.

    Args:
        path: of the file, with columns ``x``, ``y`` (int32) and ``vector`` (dim float16), and page checksums.
        embeddings: of the slide.
        metadata: what made them, kept in the file.

    Raises:
        StorageFailure: if it cannot be written.
    """
    dim = embeddings.vectors.shape[1]
    item = pa.field("item", pa.float16(), nullable=False)
    schema = pa.schema(
        [
            pa.field("x", pa.int32(), nullable=False),
            pa.field("y", pa.int32(), nullable=False),
            pa.field("vector", pa.list_(item, dim), nullable=False),
        ],
        metadata={_METADATA_KEY: json.dumps(metadata, sort_keys=True)},
    )
    flat = pa.array(np.ascontiguousarray(embeddings.vectors).reshape(-1))
    columns = [
        pa.array(np.ascontiguousarray(embeddings.xy[:, 0])),
        pa.array(np.ascontiguousarray(embeddings.xy[:, 1])),
        pa.FixedSizeListArray.from_arrays(flat, type=pa.list_(item, dim)),
    ]
    with writing(path) as temporary:
        pq.write_table(
            pa.table(columns, schema=schema),
            temporary,
            compression="none",  # half-precision noise does not compress
            use_dictionary=False,
            write_statistics=False,
            row_group_size=max(1, _GROUP_NUMBERS // dim),
            write_page_checksum=True,
        )


def read_slide(path: Path, *, hint: str) -> tuple[dict[str, str], npt.NDArray[np.int32], npt.NDArray[np.float16]]:
    """What made a slide, its coordinates and its vectors, bit for bit as they were written.

    Raises:
        CorruptFile: if the file is truncated or damaged; with the hint.
    """
    with _opened(path, hint) as (metadata, file):
        return metadata, *_read_pieces(file)


def read_metadata(path: Path, *, hint: str) -> dict[str, str]:
    """What made a slide; ``content`` is the digest of its vectors.

    Raises:
        CorruptFile: if the file cannot be read, or does not say; with the hint.
    """
    with _opened(path, hint) as (metadata, _):
        return metadata


@contextmanager
def _opened(path: Path, hint: str) -> Iterator[tuple[dict[str, str], pq.ParquetFile]]:
    try:
        with pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True) as file:
            metadata = json.loads(file.schema_arrow.metadata[_METADATA_KEY])
            if "content" not in metadata:
                raise KeyError("content")
            yield metadata, file
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptFile(f"{path} is damaged: {first_line_of(error)}.", hint=hint) from error


def _read_pieces(file: pq.ParquetFile) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float16]]:
    """Coordinates and vectors, one piece after the other into one array: at once takes five times the memory."""
    n_rows, dim = file.metadata.num_rows, file.schema_arrow.field("vector").type.list_size
    xy, vectors = np.empty((n_rows, 2), np.int32), np.empty((n_rows, dim), np.float16)
    start = 0
    for piece in file.iter_batches(max(1, _READ_NUMBERS // dim)):
        rows = slice(start, start + len(piece))
        xy[rows, 0], xy[rows, 1] = (piece.column(name).to_numpy() for name in ("x", "y"))
        vectors[rows] = piece.column("vector").flatten().to_numpy(zero_copy_only=False).reshape(len(piece), dim)
        start += len(piece)
    return xy, vectors
