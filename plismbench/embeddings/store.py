"""One parquet file of float16 vectors a slide."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from plismbench.dataset import Slide
from plismbench.embeddings.manifest import Manifest, read_manifest, write_manifest
from plismbench.errors import (
    CorruptFile,
    FingerprintMismatch,
    InvalidInput,
    MissingEmbeddings,
    NonFiniteValue,
    ShapeMismatch,
    few_of,
    first_line_of,
)
from plismbench.storage import folder_lock, storage_errors, writing
from plismbench.workspace import EFFICIENCY_FILE, MANIFEST_FILE

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


@dataclass(frozen=True)
class EmbeddingStore:
    """A folder of one extractor's vectors: ``manifest.json`` and ``<slide>.parquet``.

    A parquet file has columns ``x``, ``y`` (int32) and ``vector`` (dim float16), page checksums,
    and the identity of what made it, so that a file from another store is noticed.

    Args:
        folder: where it is.
        manifest: what made the vectors.
        digests: of the files that each slide is made from, where they are known; kept with its vectors.
        replaces: the manifest, as its file has it, of something else that made what the folder holds: it goes, with
            its slides, when the first slide is written.
    """

    folder: Path
    manifest: Manifest
    digests: Mapping[Slide, str] = field(default_factory=dict)
    replaces: str | None = None

    @classmethod
    def open(cls, folder: Path) -> "EmbeddingStore":
        """The store in a folder.

        Raises:
            CorruptFile: if there is no readable manifest.
        """
        return cls(folder, read_manifest(folder / MANIFEST_FILE))

    @classmethod
    def create(cls, folder: Path, manifest: Manifest) -> "EmbeddingStore":
        """The store in a folder; nothing is written before its first slide.

        Raises:
            FingerprintMismatch: if it holds vectors that something else made.
        """
        if (folder / MANIFEST_FILE).exists():
            store = cls.open(folder)
            found = store.manifest.identity
            same = found["extractor"] == manifest.identity["extractor"]
            hint = "another --root, or drop what is there with --existing replace."
            hint = f"Use {hint}" if same else f"Its weights, settings or code were others: use {hint}"
            manifest.require_same(found, folder, hint=hint)
            moved = replace(  # as files do
                store.manifest, model_option=manifest.model_option, dataset_option=manifest.dataset_option
            )
            return replace(store, manifest=moved)
        return cls(folder, manifest)

    def with_tiles_of(self, commits: Mapping[str, str]) -> Self:
        """This store, ready for vectors of tiles at one commit of each repository; written with the next slide.

        Raises:
            FingerprintMismatch: if it has vectors of another commit.
        """
        return replace(self, manifest=self.manifest.with_tiles_of(commits, self.folder))

    def require_made_from(self, digests: Mapping[Slide, str]) -> None:
        """Checks that the slides that are there were made from these files; one that does not say passes.

        Args:
            digests: of the files of each slide.

        Raises:
            FingerprintMismatch: naming the slides that were made from others.
            CorruptFile: if a slide cannot be read.
        """
        made_from = self.made_from(filter(self.has, digests))
        unlike = [str(slide) for slide, digest in made_from.items() if digest != digests[slide]]
        if unlike:
            raise FingerprintMismatch(
                f"The files of {few_of(unlike)} are not those that the vectors in {self.folder} were made from.",
                hint=f"{'Import' if self.manifest.origin else 'Extract'} these slides again with --existing replace;"
                " another data set or model needs a name or --root of its own.",
            )

    def made_from(self, slides: Iterable[Slide]) -> dict[Slide, str]:
        """Digest of the files that each slide was made from; without slides that do not say.

        Raises:
            CorruptFile: if a slide cannot be read.
        """
        digests = {slide: self._metadata(slide).get("files", "") for slide in slides}
        return {slide: digest for slide, digest in digests.items() if digest}

    def path(self, slide: Slide) -> Path:
        """Where a slide's vectors are."""
        return self.folder / f"{slide}.parquet"

    def has(self, slide: Slide) -> bool:
        """Whether a slide is there; a file appears only when it is whole."""
        return self.path(slide).exists()

    def require(self, slides: tuple[Slide, ...]) -> None:
        """Checks that every slide is there.

        Raises:
            MissingEmbeddings: naming those that are not.
        """
        absent = [str(slide) for slide in slides if not self.has(slide)]
        if absent:
            raise MissingEmbeddings(
                f"'{self.manifest.name}' lacks {len(absent)} of {len(slides)} slides: {few_of(absent)}.",
                hint=f"Run `plismbench extract {self.manifest.choice}` for them, or evaluate fewer with --slides.",
            )

    def claim(self) -> None:
        """Makes the folder this store's own, before the first slide: what it replaces goes.

        Raises:
            FingerprintMismatch: if something else has begun to write there since the store was opened.
            CorruptFile: if the manifest that is there cannot be read, and is not replaced.
            StorageFailure: if it cannot be written.
        """
        path = self.folder / MANIFEST_FILE
        with folder_lock(self.folder), storage_errors(path):
            if path.exists() and self.replaces != path.read_text(encoding="utf-8", errors="replace"):
                found = read_manifest(path)
                if found == self.manifest:
                    return
                hint = "Another command writes there: use another --root, or a name of its own for one of the models."
                self.manifest.require_same(found.identity, self.folder, hint=hint)
                found.with_tiles_of(self.manifest.tiles_commit, self.folder)
            elif path.exists():
                for old in (*self.folder.glob("*.parquet"), self.folder / EFFICIENCY_FILE):
                    old.unlink(missing_ok=True)
            write_manifest(path, self.manifest)

    def write(self, embeddings: Embeddings) -> None:
        """Writes one slide, whole or not at all.

        Raises:
            ShapeMismatch: if the vectors have another length than the manifest says.
            FingerprintMismatch: as `claim` does.
            StorageFailure: if it cannot be written.
        """
        self._check_dim(embeddings)
        self.claim()
        dim = self.manifest.dim
        metadata = self.manifest.identity | {"slide": str(embeddings.slide), "content": embeddings.digest()}
        if embeddings.slide in self.digests:
            metadata["files"] = self.digests[embeddings.slide]
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
        with writing(self.path(embeddings.slide)) as temporary:
            pq.write_table(
                pa.table(columns, schema=schema),
                temporary,
                compression="none",  # half-precision noise does not compress
                use_dictionary=False,
                write_statistics=False,
                row_group_size=max(1, _GROUP_NUMBERS // dim),
                write_page_checksum=True,
            )

    def read(self, slide: Slide) -> Embeddings:
        """One slide's vectors, bit for bit as they were written.

        Raises:
            MissingEmbeddings: if the slide is not there.
            CorruptFile: if the file is truncated or damaged.
            FingerprintMismatch: if something else made it.
            ShapeMismatch: if its vectors have another length than the manifest says.
        """
        self.require((slide,))
        path = self.path(slide)
        again = self._again(slide)
        try:
            with pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True) as file:
                identity = json.loads(file.schema_arrow.metadata[_METADATA_KEY])
                xy, vectors = _read_pieces(file)
        except (OSError, pa.ArrowException, KeyError, TypeError, ValueError, AttributeError) as error:
            raise CorruptFile(f"{path} is damaged: {first_line_of(error)}.", hint=again) from error
        self.manifest.require_same(identity, path, hint=again)
        if identity["slide"] != str(slide):
            raise CorruptFile(f"{path} holds slide {identity['slide']}.", hint=again)
        embeddings = Embeddings(slide, xy, vectors)
        self._check_dim(embeddings)
        return embeddings

    def content(self, slides: Iterable[Slide]) -> str:
        """Digest of the vectors of some slides, sixteen hex digits: what a result was computed from.

        Raises:
            CorruptFile: if a file cannot be read, or does not say.
        """
        contents = "\n".join(self._metadata(slide)["content"] for slide in sorted(slides))
        return hashlib.sha256(contents.encode()).hexdigest()[:16]

    def _metadata(self, slide: Slide) -> dict[str, str]:
        """What made the vectors of a slide, as its file says."""
        path = self.path(slide)
        try:
            with pq.ParquetFile(path) as file:
                metadata: dict[str, str] = json.loads(file.schema_arrow.metadata[_METADATA_KEY])
            if "content" not in metadata:
                raise KeyError("content")
        except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
            raise CorruptFile(f"{path} is damaged: {first_line_of(error)}.", hint=self._again(slide)) from error
        return metadata

    def _again(self, slide: Slide) -> str:
        return f"Extract it again: `plismbench extract {self.manifest.choice} --slides {slide} --existing replace`."

    def _check_dim(self, embeddings: Embeddings) -> None:
        found, declared = embeddings.vectors.shape[1], self.manifest.dim
        if found != declared:
            raise ShapeMismatch(
                f"Vectors of {embeddings.slide} have dim {found}; '{self.manifest.name}' declares {declared}."
            )


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
