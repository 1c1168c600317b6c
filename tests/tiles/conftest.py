import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback_hub import LoopbackHub
from small_plism import SMALL, published_rows, small_tiles

from plismbench.dataset import Slide
from plismbench.tiles.plism.download import plan_download
from plismbench.tiles.plism.layout import Layout
from plismbench.tiles.source import TileBatch
from plismbench.workspace import Workspace


@pytest.fixture(scope="session")
def tiles() -> dict[Slide, TileBatch]:
    return small_tiles()


@pytest.fixture(scope="session")
def rows(tiles: dict[Slide, TileBatch]) -> list[dict[str, Any]]:
    return published_rows(tiles)


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


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that has none, as some networks'."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", refuse)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "root", "plism")


@pytest.fixture
def fetch(hub: LoopbackHub, workspace: Workspace) -> Callable[..., None]:
    """Downloads a layout: all slides, or those that it is given."""

    def run(layout: Layout, *slides: Slide) -> None:
        plan_download(SMALL, layout, workspace, slides or SMALL.slides).run(3, lambda _: None)

    return run
