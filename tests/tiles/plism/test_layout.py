from pathlib import Path

import pytest

from plismbench.tiles.plism.layout import Layout


@pytest.mark.parametrize("layout", Layout)
def test_its_pattern_finds_every_published_file(published: Path, layout: Layout) -> None:
    folder = published / "datasets" / layout.repo
    files = {path for path in folder.rglob("*") if path.suffix in (".parquet", ".h5")}
    assert set(folder.glob(layout.pattern)) == files != set()
