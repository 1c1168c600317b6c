from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from small_plism import H5_REPO, SMALL, write_h5

from plismbench.dataset import Slide
from plismbench.errors import CorruptFile, Unavailable
from plismbench.tiles.h5 import H5Tiles
from plismbench.tiles.ids import ids_sha256
from plismbench.tiles.source import TileBatch

SLIDE = Slide("GIVH", "S60")


def source(published: Path) -> H5Tiles:
    return H5Tiles(SMALL, published / "datasets" / H5_REPO)


def test_the_keys_of_the_file_are_in_another_order(published: Path) -> None:
    file = source(published).of(SLIDE)
    with h5py.File(file.path) as content:
        as_text = list(content)
    by_place = [place.name for place in file.places(SMALL)]
    assert sorted(as_text) == sorted(by_place)
    assert (as_text[0], by_place[0]) == ("tile_16_100_10", "tile_16_8_7")


def test_the_tiles_that_the_data_set_declares_are_required(published: Path) -> None:
    ids = [place.name for place in source(published).of(SLIDE).places(SMALL)]
    folder = published / "datasets" / H5_REPO
    assert len(list(H5Tiles(replace(SMALL, tiles_sha256=ids_sha256(ids)), folder).batches(SLIDE, 25))) == 1
    with pytest.raises(CorruptFile, match=r"Slide GIVH_S60 in GIVH_S60_to_GMH_S60\.tif\.h5 has other tiles"):
        next(H5Tiles(replace(SMALL, tiles_sha256="0" * 64), folder).batches(SLIDE, 25))


def bomb(content: h5py.File) -> None:
    del content["tile_16_8_7"]
    content.create_dataset("tile_16_8_7", (30_000, 30_000, 3), "uint8", chunks=(1000, 1000, 3))


def regrouped(content: h5py.File) -> None:
    del content["tile_16_8_7"]
    content.create_group("tile_16_8_7")


def renamed(old: str, new: str) -> Callable[[h5py.File], None]:
    return lambda content: content.move(old, new)


def replaced(pixels: np.ndarray) -> Callable[[h5py.File], None]:  # type: ignore[type-arg]
    def damage(content: h5py.File) -> None:
        del content["tile_16_8_7"]
        content["tile_16_8_7"] = pixels

    return damage


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (bomb, r"but \(30000, 30000, 3\) uint8: tile tile_16_8_7 of slide GIVH_S60 in GIVH_S60_to_"),
        (regrouped, r"but None None: tile tile_16_8_7 of slide GIVH_S60"),
        (replaced(np.zeros((224, 224, 3), np.float32)), r"but \(224, 224, 3\) float32: tile tile_16_8_7"),
        (replaced(np.zeros((224, 224), np.uint8)), r"but \(224, 224\) uint8: tile tile_16_8_7"),
        (replaced(np.zeros((224, 224, 4), np.uint8)), r"but \(224, 224, 4\) uint8: tile tile_16_8_7"),
        (renamed("tile_16_8_7", "../8_7"), "Not the id of a tile: '..' of slide GIVH_S60"),
        (renamed("tile_16_8_7", "tile_16_8"), "Not the id of a tile: 'tile_16_8' of slide GIVH_S60"),
        (renamed("tile_16_8_7", "tile_15_8_9"), "The same tile twice: tile_15_8_9 and tile_16_8_9 of slide GIVH_S60"),
        (lambda content: content.pop("tile_16_8_7"), "Slide GIVH_S60 has 24 tiles in GIVH_S60_to_.*; expected 25"),
    ],
)
def test_bad_data_are_named(
    tiles: dict[Slide, TileBatch], tmp_path: Path, damage: Callable[[h5py.File], None], words: str
) -> None:
    (path,) = write_h5(tmp_path, {SLIDE: tiles[SLIDE]})
    with h5py.File(path, "a") as content:
        damage(content)
    with pytest.raises(CorruptFile, match=words) as raised:
        list(H5Tiles(SMALL, tmp_path).batches(SLIDE, 10))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("end", [0, 100, -30_000], ids=["empty", "head", "tail"])
def test_a_file_that_is_cut_is_named(tiles: dict[Slide, TileBatch], tmp_path: Path, end: int) -> None:
    (path,) = write_h5(tmp_path, {SLIDE: tiles[SLIDE]})
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(CorruptFile, match=r"GIVH_S60_to_GMH_S60\.tif\.h5 cannot be read as HDF5") as raised:
        list(H5Tiles(SMALL, tmp_path).batches(SLIDE, 10))
    assert "\n" not in str(raised.value)


def test_a_file_that_is_overwritten_in_its_middle_is_named(tiles: dict[Slide, TileBatch], tmp_path: Path) -> None:
    (path,) = write_h5(tmp_path, {SLIDE: tiles[SLIDE]})
    with h5py.File(path) as content:
        header = h5py.h5o.get_info(content["tile_16_9_9"].id).addr
    with path.open("r+b") as stream:
        stream.seek(header)
        stream.write(b"\xff" * 64)
    with pytest.raises(CorruptFile, match=r"Not a whole array, .*: tile tile_16_9_9 of slide GIVH_S60"):
        list(H5Tiles(SMALL, tmp_path).batches(SLIDE, 10))


def test_a_slide_without_a_file_or_with_two_is_named(tiles: dict[Slide, TileBatch], tmp_path: Path) -> None:
    (path,) = write_h5(tmp_path, {SLIDE: tiles[SLIDE]})
    with pytest.raises(Unavailable, match="Slide GM_AT2 is not there"):
        H5Tiles(SMALL, tmp_path).batches(Slide("GM", "AT2"), 10)
    path.with_name("GIVH_S60_to_other.tif.h5").touch()
    with pytest.raises(CorruptFile, match="Slide GIVH_S60 is there twice"):
        H5Tiles(SMALL, tmp_path).batches(SLIDE, 10)
