from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback_hub import LoopbackHub
from small_plism import REPO, published_rows, small_tiles, write_shards

from plismbench.dataset import Slide
from plismbench.tiles.source import TileBatch


@pytest.fixture(scope="session")
def tiles() -> dict[Slide, TileBatch]:
    return small_tiles()


@pytest.fixture(scope="session")
def rows(tiles: dict[Slide, TileBatch]) -> list[dict[str, Any]]:
    return published_rows(tiles)


@pytest.fixture(scope="session")
def published(rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small PLISM, as its shards are published."""
    root = tmp_path_factory.mktemp("published")
    write_shards(root / "datasets" / REPO, rows)
    return root


@pytest.fixture
def hub(published: Path, tmp_path: Path) -> Iterator[LoopbackHub]:
    """A Hub that has the small PLISM; the huggingface_hub of this process talks to it."""
    with LoopbackHub(published) as hub, hub.in_this_process(tmp_path / "hf"):
        yield hub


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that code would have slept between two tries; it does not sleep."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    return slept
