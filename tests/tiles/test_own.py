import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_plism import SMALL, png, published_rows, write_h5, write_shards

from plismbench.dataset import Slide
from plismbench.errors import CorruptFile, InvalidInput
from plismbench.own_dataset import OwnDataset
from plismbench.tiles.choice import SourceKind, tile_source, tiles_at_hand
from plismbench.tiles.digests import slide_digests
from plismbench.tiles.own import OwnTiles
from plismbench.tiles.source import TileBatch
from plismbench.workspace import Workspace

FOLDER, H5, PARQUET = SMALL.slides[:3]


@pytest.fixture
def dataset(tiles: dict[Slide, TileBatch], tmp_path: Path) -> OwnDataset:
    """Three slides, each kept in another way."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for (x, y), pixels in zip(tiles[FOLDER].xy, tiles[FOLDER].pixels, strict=True):
        (folder / f"{x}_{y}.png").write_bytes(png(pixels))
    (h5,) = write_h5(tmp_path, {H5: tiles[H5]})
    (parquet,) = write_shards(tmp_path, published_rows({PARQUET: tiles[PARQUET]}), n_shards=1)
    return OwnDataset(
        "own",
        "Own",
        SMALL.slides[:3],
        SMALL.slides[:3],
        25,
        25,
        "1",
        paths=(folder, h5, parquet),
        file=tmp_path / "own.toml",
    )


@pytest.mark.parametrize("slide", [FOLDER, H5, PARQUET], ids=["folder", "h5", "parquet"])
def test_each_way_gives_the_same_tiles(dataset: OwnDataset, tiles: dict[Slide, TileBatch], slide: Slide) -> None:
    batches = list(OwnTiles(dataset).batches(slide, 10))
    assert [len(batch) for batch in batches] == [10, 10, 5]
    np.testing.assert_array_equal(np.concatenate([batch.xy for batch in batches]), tiles[slide].xy)
    np.testing.assert_array_equal(np.concatenate([batch.pixels for batch in batches]), tiles[slide].pixels)
    few = tiles_at_hand(dataset, Workspace(Path("nowhere"), "own"), (slide,)).pick(slide, [20, 3])
    np.testing.assert_array_equal(few.xy, tiles[slide].xy[[20, 3]])
    np.testing.assert_array_equal(few.pixels, tiles[slide].pixels[[20, 3]])


def test_it_is_read_from_where_it_is(dataset: OwnDataset, tmp_path: Path) -> None:
    chosen = tile_source(dataset, Workspace(tmp_path / "root", "own"), dataset.slides, SourceKind.AUTO)
    assert (chosen.tiles, chosen.origin) == (OwnTiles(dataset), f"read from {tmp_path}")


def test_the_digest_of_each_slide_goes_with_the_source(dataset: OwnDataset, tmp_path: Path) -> None:
    def digests() -> dict[Slide, str]:
        workspace = Workspace(tmp_path / "root", "own")
        return dict(tile_source(dataset, workspace, dataset.slides, SourceKind.AUTO).digests)

    before = digests()
    assert before == slide_digests(dataset, dataset.slides)
    assert len(set(before.values())) == 3
    (tmp_path / "folder/8_7.png").write_bytes(b"")
    after = digests()
    assert {slide for slide in dataset.slides if after[slide] != before[slide]} == {FOLDER}
    shutil.rmtree(tmp_path / "folder")
    assert set(digests()) == {H5, PARQUET}
    assert slide_digests(SMALL, SMALL.slides) == {}


def test_a_slide_that_shows_other_places_is_named(dataset: OwnDataset, tmp_path: Path) -> None:
    (tmp_path / "folder/8_7.png").rename(tmp_path / "folder/8_8.png")
    with pytest.raises(
        CorruptFile, match=r"^Slide GIVH_P shows other places than GIV_P: it has tile 8_7, one of 1 that"
    ):
        next(OwnTiles(dataset).batches(H5, 10))


def test_swapped_x_and_y_are_named(dataset: OwnDataset, tmp_path: Path) -> None:
    for file in list((tmp_path / "folder").iterdir()):
        file.rename(tmp_path / "folder" / f"turned_{'_'.join(reversed(file.stem.split('_')))}.png")
    with pytest.raises(CorruptFile, match=r"that are elsewhere\. Are X and Y of one swapped\?"):
        next(OwnTiles(dataset).batches(H5, 10))


@pytest.mark.parametrize("slide", [H5, PARQUET], ids=["h5", "parquet"])
def test_a_tile_that_one_slide_has_too_many_is_named(dataset: OwnDataset, tmp_path: Path, slide: Slide) -> None:
    (tmp_path / "folder/8_9.png").unlink()
    message = f"Slide {slide} shows other places than GIV_P: it has tile 8_9, and has 25 tiles, not 24."
    with pytest.raises(CorruptFile, match=f"^{message}$"):
        next(OwnTiles(dataset).batches(slide, 10))
    with pytest.raises(CorruptFile, match=r"Slide GIV_P has 24 tiles in .*folder, and own\.toml says tiles = 25\."):
        next(OwnTiles(dataset).batches(FOLDER, 10))


def test_a_tile_that_is_missing_is_named(dataset: OwnDataset, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(tmp_path / "folder", other)
    (other / "8_9.png").unlink()
    changed = replace(dataset, paths=(dataset.paths[0], other, dataset.paths[2]))
    with pytest.raises(CorruptFile, match=r"GIVH_P shows .* GIV_P: it lacks tile 8_9, and has 24 tiles, not 25"):
        next(OwnTiles(changed).batches(H5, 10))


def test_another_kind_of_file_is_refused(dataset: OwnDataset, tmp_path: Path) -> None:
    other = tmp_path / "slide.zip"
    other.touch()
    paths = (*dataset.paths[:2], other)
    changed = OwnDataset("own", "Own", dataset.slides, dataset.slides, 25, 25, "1", paths=paths)
    with pytest.raises(InvalidInput, match=r"Slide GIVH_S60 is a folder of images, .*; got .*slide\.zip"):
        next(OwnTiles(changed).batches(PARQUET, 10))
