"""Shared by all tests."""

import os
from functools import partial

import pytest

if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    # Threads of OpenMP and BLAS that wait for one another spin: a worker, and what it starts, gets its share of the
    # cores. Read when NumPy is first imported.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(workers))))


def pytest_collection_modifyitems(items):
    """Long tests first, so that at the end no worker is left alone with one."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def hub(tmp_path):
    """A Hub of what lies in ``tmp_path / "hub"``, for this process, with a cache of its own."""
    from loopback_hub import LoopbackHub

    with LoopbackHub(tmp_path / "hub") as hub, hub.in_this_process(tmp_path / "hf"):
        yield hub


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """A folder with the small PLISM, in both layouts that are published."""
    from small_plism import publish_small_plism

    return publish_small_plism(tmp_path_factory.mktemp("published"))


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Runs a command with a root of its own."""
    from command_line import run_command

    monkeypatch.setenv("PLISMBENCH_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("COLUMNS", "80")
    return partial(run_command, monkeypatch, capsys)
