from pathlib import Path

import pytest

from plismbench.errors import CorruptFile, Unavailable
from plismbench.tiles.files import DiskFiles


def test_a_file_of_the_disk_is_read_from_any_place_and_its_damage_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    with DiskFiles().open(str(tmp_path / "a")) as file:
        file.seek(4)
        assert file.read(3) == b"456"
    with pytest.raises(Unavailable, match=r"There is no file .*/b any more"):
        DiskFiles().open(str(tmp_path / "b"))
    assert type(DiskFiles().unreadable("It is no parquet.")) is CorruptFile
    assert hash(DiskFiles()) == hash(DiskFiles())  # footers are kept for all who read the disk
