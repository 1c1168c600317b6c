from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from small_plism import SMALL, write_shards

from plismbench.dataset import Slide
from plismbench.errors import CorruptFile
from plismbench.tiles.files import DiskFiles
from plismbench.tiles.shards import READERS, Shards
from plismbench.tiles.thread_pool import threads

SLIDE = Slide("GIVH", "S60")  # begins and ends inside a row group, and lies in two shards

Rows = list[dict[str, Any]]
Tiles = list[tuple[int, int, bytes]]


class CountingFiles(DiskFiles):
    """The disk, with a list of what was opened; two are never equal, so nothing is read from a cache."""

    def __init__(self) -> None:
        self.opened: list[str]
        object.__setattr__(self, "opened", [])

    def open(self, path: str) -> IO[bytes]:
        self.opened.append(Path(path).name)
        return super().open(path)

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


def shards_in(folder: Path, slide: Slide = SLIDE) -> Shards:
    return Shards(slide, CountingFiles(), tuple(str(path) for path in sorted(folder.rglob("*.parquet"))))


def read(shards: Shards) -> Tiles:
    with threads(READERS) as readers:
        encoded = shards.encoded(shards.places(SMALL), readers)
        return [(place.x, place.y, png) for place, png in encoded]


def expected(rows: Rows, slide: Slide = SLIDE) -> Tiles:
    tiles = []
    for row in rows:
        if row["slide_id"] == f"{slide}_to_GMH_S60.tif":
            _, _, x, y = row["tile_id"].split("_")
            tiles.append((int(x), int(y), row["png"]["bytes"]))
    return sorted(tiles)


@pytest.mark.parametrize("slide", SMALL.slides, ids=str)
def test_every_slide_is_found_whole_by_x_then_y(published: Path, rows: Rows, slide: Slide) -> None:
    assert read(shards_in(published, slide)) == expected(rows, slide)


@pytest.mark.parametrize(
    "layout",
    [{"n_shards": 1}, {"n_shards": 50, "rows_per_group": 1}, {"n_shards": 3, "rows_per_group": 1000}],
    ids=str,
)
def test_how_rows_are_split_does_not_matter(rows: Rows, tmp_path: Path, layout: dict[str, int]) -> None:
    write_shards(tmp_path, rows, **layout)
    assert read(shards_in(tmp_path)) == expected(rows)


@pytest.mark.parametrize("order", ["slides backwards", "tiles shuffled", "everything shuffled"])
def test_the_order_of_rows_does_not_matter(rows: Rows, tmp_path: Path, order: str) -> None:
    disordered = [rows[index] for index in np.random.default_rng(3).permutation(len(rows))]
    if order != "everything shuffled":
        disordered.sort(key=lambda row: row["slide_id"], reverse=order == "slides backwards")
    write_shards(tmp_path, disordered)
    assert read(shards_in(tmp_path)) == expected(rows)


def test_shards_without_statistics_give_the_same(published: Path, rows: Rows, tmp_path: Path) -> None:
    for path in published.rglob("*.parquet"):
        pq.write_table(pq.read_table(path), tmp_path / path.name, row_group_size=7, write_statistics=False)
    assert read(shards_in(tmp_path)) == expected(rows)


def test_an_empty_shard_does_not_matter(published: Path, rows: Rows, tmp_path: Path) -> None:
    for path in published.rglob("*.parquet"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    pq.write_table(pq.read_table(path)[:0], tmp_path / "train-00002-and-nothing.parquet")
    assert read(shards_in(tmp_path)) == expected(rows)


def test_a_slide_is_found_by_bisection(rows: Rows, tmp_path: Path) -> None:
    write_shards(tmp_path, rows, n_shards=75, rows_per_group=2)  # 2 rows each, so 13 hold the slide
    shards = shards_in(tmp_path)
    shards.places(SMALL)
    assert len(set(shards.files.opened)) <= 13 + 1 + 7  # the shard behind it, and log2(75)


def test_row_groups_are_fetched_only_a_little_ahead(rows: Rows, tmp_path: Path) -> None:
    write_shards(tmp_path, rows, rows_per_group=1)
    shards = shards_in(tmp_path)
    with threads(READERS) as readers:
        places = shards.places(SMALL)
        shards.files.opened.clear()
        encoded = shards.encoded(places, readers)
        for done in range(1, 6):
            next(encoded)
            assert len(shards.files.opened) <= done + READERS
    assert len(places) == 25


@pytest.fixture
def damaged(rows: Rows, tmp_path: Path) -> Callable[[Callable[[dict[str, Any], Rows], None]], str]:
    """What is said when the first row of GIVH_S60, or the list of rows, has been damaged."""

    def message(damage: Callable[[dict[str, Any], Rows], None]) -> str:
        copies = [dict(row) for row in rows]
        damage(next(row for row in copies if row["slide_id"].startswith(f"{SLIDE}_to_")), copies)
        write_shards(tmp_path, copies)
        with pytest.raises(CorruptFile) as raised:
            read(shards_in(tmp_path))
        return str(raised.value)

    return message


PLACE = "row 4 of row group 3 of train-00000-of-00005.parquet"


@pytest.mark.parametrize("slide_id", ["GIVH_S60", "../GIVH_S60_to_GMH_S60.tif", "GIVH_S60_to_GMH_S60.svs", None])
def test_what_is_not_the_id_of_a_slide_is_named(damaged: Callable[..., str], slide_id: str | None) -> None:
    message = damaged(lambda row, _: row.update(slide_id=slide_id))
    assert message == f"Not the id of a slide: {slide_id!r}, {PLACE}."


@pytest.mark.parametrize("tile_id", ["tile_16_8", "tile_16_8_-1", "8_20", "tile_16_8_20.png", None])
def test_what_is_not_the_id_of_a_tile_is_named(damaged: Callable[..., str], tile_id: str | None) -> None:
    message = damaged(lambda row, _: row.update(tile_id=tile_id))
    assert message == f"Not the id of a tile: {tile_id!r} of slide GIVH_S60, {PLACE}."


def test_a_tile_that_is_there_twice_is_named(damaged: Callable[..., str]) -> None:
    message = damaged(lambda row, rows: rows.insert(rows.index(row), dict(row)))
    tile = "tile tile_16_100_10 of slide GIVH_S60, row {} of row group 3 of train-00000-of-00005.parquet"
    assert message == f"The same tile twice: {tile.format(4)}; {tile.format(5)}."


def test_two_images_for_one_tile_in_place_of_another_are_named(damaged: Callable[..., str]) -> None:
    assert "The same tile twice" in damaged(lambda row, _: row.update(tile_id="tile_16_8_7"))


def test_a_tile_that_is_missing_is_counted(damaged: Callable[..., str]) -> None:
    message = damaged(lambda row, rows: rows.remove(row))
    first, last = "train-00000-of-00005.parquet", "train-00001-of-00005.parquet"
    assert message == f"Slide GIVH_S60 has 24 tiles in {first} to {last}; expected 25."


def test_an_image_that_is_missing_is_named(damaged: Callable[..., str]) -> None:
    message = damaged(lambda row, _: row.update(png=None))
    assert message == f"No image: tile tile_16_100_10 of slide GIVH_S60, {PLACE}."


@pytest.mark.parametrize("column", ["slide_id", "tile_id", "png"])
def test_a_column_that_is_missing_is_named(rows: Rows, tmp_path: Path, column: str) -> None:
    write_shards(tmp_path, [{name: value for name, value in row.items() if name != column} for row in rows])
    with pytest.raises(CorruptFile, match=f"no column '{column}' .* its columns are .*scanner") as raised:
        read(shards_in(tmp_path))
    assert "\n" not in str(raised.value)


def test_images_that_are_not_declared_as_images_are_named(published: Path, tmp_path: Path) -> None:
    for path in published.rglob("*.parquet"):
        pq.write_table(pq.read_table(path).replace_schema_metadata({}), tmp_path / path.name)
    with pytest.raises(CorruptFile, match="no column 'png' that is declared as Image"):
        read(shards_in(tmp_path))


@pytest.mark.parametrize("end", [0, 100, -100], ids=["empty", "head", "no footer"])
def test_a_shard_that_is_cut_is_named(published: Path, tmp_path: Path, end: int) -> None:
    for path in published.rglob("*.parquet"):
        (tmp_path / path.name).write_bytes(path.read_bytes()[:end])
    with pytest.raises(CorruptFile, match=r"train-0000\d-of-00005.parquet cannot be read as parquet") as raised:
        read(shards_in(tmp_path))
    assert "\n" not in str(raised.value)
