import os
import shutil
from pathlib import Path

import pytest

from plismbench.tiles.digests import digest_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty images of one size, as uncompressed ones are."""
    folder = tmp_path / "slide"
    folder.mkdir()
    for number in range(40):
        (folder / f"tile_{number}_0.tif").write_bytes(bytes([number]) * 20_000)
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "slide.h5"
    path.write_bytes(bytes(range(250)) * 4_000)
    return path


def test_it_is_the_same_wherever_the_files_lie(folder: Path, file: Path, tmp_path: Path) -> None:
    for path in (folder, file):
        moved, link = tmp_path / "moved", tmp_path / "link"
        before = digest_of(path)
        assert len(before) == 16
        link.symlink_to(path)
        assert digest_of(link) == before
        link.unlink()
        path.rename(moved)
        os.utime(moved, (0, 0))
        assert digest_of(moved) == before
        shutil.rmtree(moved) if moved.is_dir() else moved.unlink()


def test_what_is_no_tile_does_not_count(folder: Path) -> None:
    before = digest_of(folder)
    for name in ("Thumbs.db", "._tile_0_0.tif", "notes.txt"):
        (folder / name).touch()
    (folder / "other.tif").mkdir()
    assert digest_of(folder) == before


def test_other_images_in_a_folder_are_noticed(folder: Path) -> None:
    image = folder / "tile_7_0.tif"
    told = [digest_of(folder)]
    image.rename(folder / "tile_7_1.tif")
    told.append(digest_of(folder))
    (folder / "tile_7_1.tif").write_bytes(b"other")
    told.append(digest_of(folder))
    (folder / "tile_7_1.tif").unlink()
    told.append(digest_of(folder))
    for path in folder.iterdir():
        path.write_bytes(b"\0" * 20_000)
    told.append(digest_of(folder))
    assert len(set(told)) == len(told)


def test_another_file_is_noticed_though_it_has_the_same_size(file: Path) -> None:
    before, content = digest_of(file), file.read_bytes()
    file.write_bytes(content[1:] + content[:1])
    assert digest_of(file) != before
    file.write_bytes(content + b"\0")
    assert digest_of(file) != before


@pytest.mark.parametrize("block", range(16))
def test_a_change_anywhere_in_a_large_file_is_noticed(file: Path, block: int) -> None:
    # A change of a sixteenth, as another slide of the same size is one of all.
    before, sixteenth = digest_of(file), file.stat().st_size // 16
    with file.open("r+b") as opened:
        opened.seek(block * sixteenth)
        opened.write(b"\0" * sixteenth)
    assert digest_of(file) != before


@pytest.mark.parametrize("part", range(16))
def test_a_change_anywhere_in_a_folder_is_noticed(folder: Path, part: int) -> None:
    before, images = digest_of(folder), sorted(folder.iterdir())
    for image in images[part * 40 // 16 : -(-(part + 1) * 40 // 16)]:
        image.write_bytes(b"\xff" * 20_000)
    assert digest_of(folder) != before


def test_of_a_large_file_little_is_read(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(2**40)
    assert digest_of(file)


def test_where_there_is_nothing_nothing_is_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert digest_of(tmp_path / "empty") == digest_of(tmp_path / "absent.h5") == ""
    (folder / "tile_9_9.tif").symlink_to("nowhere")
    assert digest_of(folder) == ""
