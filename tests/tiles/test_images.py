from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_plism import SMALL, png

from plismbench.dataset import Slide
from plismbench.errors import CorruptFile
from plismbench.tiles.images import ImageFolder
from plismbench.tiles.source import TileBatch

SLIDE = Slide("GIVH", "S60")


@pytest.fixture
def folder(tiles: dict[Slide, TileBatch], tmp_path: Path) -> Path:
    batch = tiles[SLIDE]
    for (x, y), pixels in zip(batch.xy, batch.pixels, strict=True):
        (tmp_path / f"tile_16_{x}_{y}.png").write_bytes(png(pixels))
    (tmp_path / "Thumbs.db").touch()
    return tmp_path


def read(folder: Path) -> list[TileBatch]:
    return list(ImageFolder(SLIDE, folder).batches(SMALL, 10))


def test_images_are_tiles_by_x_then_y(folder: Path, tiles: dict[Slide, TileBatch]) -> None:
    batches = read(folder)
    np.testing.assert_array_equal(np.concatenate([batch.xy for batch in batches]), tiles[SLIDE].xy)
    np.testing.assert_array_equal(np.concatenate([batch.pixels for batch in batches]), tiles[SLIDE].pixels)


def test_a_name_is_x_and_y_whatever_stands_before(folder: Path, tiles: dict[Slide, TileBatch]) -> None:
    (folder / "tile_16_8_7.png").rename(folder / "8_7.PNG")
    (folder / "tile_16_8_9.png").unlink()
    Image.fromarray(tiles[SLIDE].pixels[1]).save(folder / "a-b_8_9.tif")
    np.testing.assert_array_equal(read(folder)[0].pixels, tiles[SLIDE].pixels[:10])


def test_a_folder_is_no_image_and_a_link_that_leads_nowhere_is_named(folder: Path) -> None:
    (folder / "9_9.png").mkdir()
    assert sum(len(batch) for batch in read(folder)) == 25
    tile = folder / "tile_16_8_7.png"
    tile.rename(folder / "elsewhere.bin")
    tile.symlink_to(folder / "elsewhere.bin")
    assert sum(len(batch) for batch in read(folder)) == 25
    (folder / "elsewhere.bin").unlink()
    with pytest.raises(CorruptFile, match=r"A link that leads nowhere: tile_16_8_7\.png of slide GIVH_S60 in "):
        read(folder)


def test_what_macos_writes_beside_a_tile_is_no_image(folder: Path) -> None:
    (folder / "._tile_16_8_7.png").write_bytes(b"Mac OS X")
    (folder / "._8_99.jpg").touch()
    assert sum(len(batch) for batch in read(folder)) == 25


def test_a_folder_of_another_format_says_which_count(tiles: dict[Slide, TileBatch], tmp_path: Path) -> None:
    Image.fromarray(tiles[SLIDE].pixels[0]).save(tmp_path / "8_7.bmp")
    message = r"^No images of slide GIVH_S60 in .*\. They end in \.png, \.jpg, \.jpeg, \.tif, \.tiff\.$"
    for expected in (SMALL, None):  # None: slides are compared before their tiles are counted
        with pytest.raises(CorruptFile, match=message):
            ImageFolder(SLIDE, tmp_path).places(expected)


def test_what_cannot_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(CorruptFile, match=r"Cannot read tile_16_8_7\.png of slide GIVH_S60 in .*: Permission denied"):
        read(folder)
    with pytest.raises(CorruptFile, match=r"Cannot read the images of slide GIVH_S60 in .*: No such file"):
        read(folder / "gone")


def test_what_is_wrong_is_named(folder: Path) -> None:
    tile = folder / "tile_16_8_7.png"
    content = tile.read_bytes()
    tile.write_bytes(content[:500])
    with pytest.raises(CorruptFile, match=r"Not a whole PNG file, .*: tile_16_8_7\.png of slide GIVH_S60 in "):
        read(folder)
    tile.unlink()
    with pytest.raises(CorruptFile, match=r"Slide GIVH_S60 has 24 images in .*; expected 25"):
        read(folder)
    (folder / "overview.png").write_bytes(content)
    with pytest.raises(CorruptFile, match=r"Not named X_Y or …_X_Y: image 'overview\.png' of slide GIVH_S60"):
        read(folder)
    (folder / "overview.png").rename(folder / "8_9.png")
    with pytest.raises(CorruptFile, match=r"The same tile twice: 8_9\.png and tile_16_8_9\.png of slide GIVH_S60"):
        read(folder)
