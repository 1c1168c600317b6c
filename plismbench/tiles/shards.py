"""The published parquet layout: one slide's tiles, without reading what lies before it.

Facts that this relies on, and checks: each row is a tile with its slide's id, its own id and a PNG
file; rows are sorted by slide id, and the boundaries between slides fall inside shards and row
groups. How the tiles of one slide are ordered does not matter.
"""

import contextlib
from bisect import bisect_left
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from plismbench.dataset import RegisteredDataset, Slide
from plismbench.errors import CorruptFile, first_line_of
from plismbench.machine import n_cpus
from plismbench.tiles.decoding import decode_png
from plismbench.tiles.files import ReadableFiles
from plismbench.tiles.ids import require_count, require_tiles, slide_name, tile_xy
from plismbench.tiles.source import KeptSlide
from plismbench.tiles.thread_pool import in_order, threads

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

READERS = 8
"""Row groups in flight at a time: 11 MB each on PLISM."""


class ShardPlace(NamedTuple):
    """Where a tile lies. Sorts by x, then by y."""

    x: int
    y: int
    name: str
    shard: str
    group: int
    row: int  # within the row group


@dataclass(frozen=True)
class Shards(KeptSlide[ShardPlace]):
    """The tiles of one slide in parquet files.

    Args:
        slide: among those that the files have.
        files: the file system that has them.
        paths: all of them, sorted.
    """

    files: ReadableFiles
    paths: tuple[str, ...]

    def places(self, dataset: RegisteredDataset | None) -> list[ShardPlace]:
        """See `KeptSlide`.

        Costs a footer for each step of a bisection over the shards (kept for the next slide), and
        the two columns of ids of the slide's own row groups.
        """
        with threads(READERS) as readers:
            places = self._read_places(self._bisect() if dataset else self.paths, readers)
            if dataset and len(places) != dataset.tiles_per_slide:
                # Perhaps these shards are in some other order: look at all of them before saying so.
                list(readers.map(self._index, self.paths))
                places = self._read_places(self.paths, readers)
        places.sort()
        for before, after in pairwise(places):
            if before[:2] == after[:2]:
                raise CorruptFile(f"The same tile twice: {self._called(before)}; {self._called(after)}.")
        if dataset:
            where = sorted({_file_name(place.shard) for place in places}) or [_file_name(path) for path in self.paths]
            require_count(self.slide, len(places), dataset.tiles_per_slide, f"{where[0]} to {where[-1]}")
            require_tiles(dataset, self.slide, (place.name for place in places), where[0])
        return places

    def pixels(self, places: list[ShardPlace], ahead: int) -> Generator[npt.NDArray[np.uint8], None, None]:
        """See `KeptSlide`; memory holds some row groups of PNG files, and what is decoded ahead."""
        with threads(READERS) as readers, threads(n_cpus()) as decoders:
            yield from in_order(
                decoders,
                lambda item: decode_png(item[1], self._called(item[0])),
                self.encoded(places, readers),
                ahead,
            )

    def encoded(self, places: Sequence[ShardPlace], readers: Executor) -> Iterator[tuple[ShardPlace, bytes]]:
        """The PNG file of each place, in the order of the places.

        A row group is fetched once, somewhat before its first tile comes up, and a tile is dropped
        once it is handed over. If the rows of a slide are sorted by x and y, as numbers or as text,
        this holds at most some tens of row groups (0.3 GB on PLISM); in an order at random it would
        hold most of a slide (1.6 GB).
        """
        wanted: dict[tuple[str, int], list[int]] = {}  # in the order of first need
        for place in places:
            wanted.setdefault((place.shard, place.group), []).append(place.row)
        fetched = in_order(readers, lambda key: (key, self._read_pngs(*key)), wanted, ahead=READERS - 1)
        held: dict[tuple[str, int], dict[int, bytes | None]] = {}
        for place in places:
            while (place.shard, place.group) not in held:
                key, pngs = next(fetched)
                held[key] = {row: pngs[row] for row in wanted[key]}
            encoded = held[place.shard, place.group].pop(place.row)
            if encoded is None:
                raise CorruptFile(f"No image: {self._called(place)}.")
            yield place, encoded

    def _bisect(self) -> tuple[str, ...]:
        """The shards that may have the slide, if rows are sorted by slide id."""
        prefix = _prefix(self.slide)
        start = bisect_left(self.paths, prefix, key=lambda path: self._index(path).last[: len(prefix)])
        stop = start
        while stop < len(self.paths) and self._index(self.paths[stop]).first[: len(prefix)] <= prefix:
            stop += 1
        return self.paths[start:stop]

    def _read_places(self, paths: Sequence[str], readers: Executor) -> list[ShardPlace]:
        groups = [(path, group) for path in paths for group in self._index(path).groups_over(self.slide)]
        read = in_order(readers, lambda key: self._read_ids(*key), groups, ahead=READERS - 1)
        places: list[ShardPlace] = []
        for (path, group), rows in zip(groups, read, strict=True):
            for row, (slide_id, tile_id) in enumerate(rows):
                name = slide_name(slide_id)
                if name is None:
                    raise CorruptFile(f"Not the id of a slide: {slide_id!r}, {_where(path, group, row)}.")
                if name == str(self.slide):
                    xy = tile_xy(tile_id)
                    if xy is None:
                        where = _where(path, group, row)
                        raise CorruptFile(f"Not the id of a tile: {tile_id!r} of slide {self.slide}, {where}.")
                    places.append(ShardPlace(*xy, tile_id, path, group, row))
        return places

    def _called(self, place: ShardPlace) -> str:
        """How an error calls a tile."""
        return f"tile {place.name} of slide {self.slide}, {_where(place.shard, place.group, place.row)}"

    def _index(self, path: str) -> "_Index":
        return _read_index(self.files, path)

    def _read_ids(self, path: str, group: int) -> list[tuple[str, str]]:
        table = _read_columns(self.files, path, group, ["slide_id", "tile_id"], self._index(path).footer)
        return list(zip(table["slide_id"].to_pylist(), table["tile_id"].to_pylist(), strict=True))

    def _read_pngs(self, path: str, group: int) -> list[bytes | None]:
        table = _read_columns(self.files, path, group, ["png"], self._index(path).footer)
        return [cell and cell["bytes"] for cell in table["png"].to_pylist()]


def holders(
    files: ReadableFiles, paths: Sequence[str], slides: Sequence[Slide], readers: Executor
) -> dict[str, list[Slide]]:
    """The slides that each shard may have, by the footers of all shards; unlike `Shards.places`, no row is read."""
    indices = zip(paths, readers.map(partial(_read_index, files), paths), strict=True)
    return {path: [slide for slide in slides if index.groups_over(slide)] for path, index in indices}


@dataclass(frozen=True)
class _Index:
    """The footer of a shard, and the first and last slide id of each of its row groups."""

    footer: "pq.FileMetaData"
    spans: tuple[tuple[str, str], ...]

    @property
    def first(self) -> str:
        return min((first for first, _ in self.spans), default="")

    @property
    def last(self) -> str:
        return max((last for _, last in self.spans), default="")

    def groups_over(self, slide: Slide) -> list[int]:
        """The row groups that may have the slide."""
        prefix = _prefix(slide)
        return [
            group
            for group, (first, last) in enumerate(self.spans)
            if first[: len(prefix)] <= prefix <= last[: len(prefix)]
        ]


# A path holds a commit, so what it names never changes. A footer is some 50 kB, and PLISM has 293.
@lru_cache(maxsize=512)
def _read_index(files: ReadableFiles, path: str) -> _Index:
    import pyarrow.parquet as pq

    with _reading(files, path), files.open(path) as handle:
        footer = pq.read_metadata(handle)
        _require_columns(footer, path)
    column = footer.schema.names.index("slide_id")
    spans = []
    for group in range(footer.num_row_groups):
        statistics = footer.row_group(group).column(column).statistics
        if statistics is not None and statistics.has_min_max:
            spans.append((statistics.min, statistics.max))
        else:
            ids = [str(value) for value in _read_columns(files, path, group, ["slide_id"], footer)["slide_id"]]
            spans.append((min(ids, default=""), max(ids, default="")))
    return _Index(footer, tuple(spans))


def _require_columns(footer: "pq.FileMetaData", path: str) -> None:
    """Raises CorruptFile unless the shard declares two texts and an image, in the way of `datasets`."""
    from datasets import Features, Image, Value  # 1 s to import

    try:
        features = Features.from_arrow_schema(footer.schema.to_arrow_schema())
    except (ValueError, KeyError, TypeError) as error:  # what it makes of a damaged declaration
        raise CorruptFile(
            f"{_file_name(path)} does not declare its columns as `datasets` does: {first_line_of(error)}."
        ) from error
    for column, expected in (("slide_id", Value("string")), ("tile_id", Value("string")), ("png", Image())):
        if type(features.get(column)) is not type(expected) or features[column].dtype != expected.dtype:
            raise CorruptFile(
                f"{_file_name(path)} has no column '{column}' that is declared as {expected}; "
                f"its columns are {', '.join(f'{name} ({kind})' for name, kind in features.items())}."
            )


def _read_columns(
    files: ReadableFiles, path: str, group: int, columns: Sequence[str], footer: "pq.FileMetaData"
) -> "pa.Table":
    import pyarrow.parquet as pq

    # No cache: pre_buffer asks for exactly the columns, in one request where they are neighbours.
    with _reading(files, path), files.open(path) as handle:
        return pq.ParquetFile(handle, metadata=footer, pre_buffer=True).read_row_group(group, columns=list(columns))


@contextlib.contextmanager
def _reading(files: ReadableFiles, path: str) -> Iterator[None]:
    import pyarrow as pa
    from huggingface_hub.errors import HfHubHTTPError

    try:
        yield
    except (HfHubHTTPError, FileNotFoundError, ConnectionError):
        raise  # OSErrors too, but not the fault of the file
    except (pa.ArrowException, OSError) as error:
        raise files.unreadable(f"{_file_name(path)} cannot be read as parquet: {first_line_of(error)}.") from error


def _where(path: str, group: int, row: int) -> str:
    return f"row {row} of row group {group} of {_file_name(path)}"


def _file_name(path: str) -> str:
    return PurePosixPath(path).name


def _prefix(slide: Slide) -> str:
    return f"{slide}_to_"
