import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from extras import needs_dev_full
from loopback_hub import Fault, FaultKind, LoopbackHub
from small_plism import SMALL

from plismbench.dataset import Slide
from plismbench.errors import AccessDenied, NeedsAction, StorageFailure, Unavailable
from plismbench.tiles.plism.download import Download, plan_download
from plismbench.tiles.plism.layout import Layout
from plismbench.workspace import Workspace

SLIDE = Slide("GIVH", "S60")
SHARDS = r"GET .*/resolve/.*\.parquet"


def plan(workspace: Workspace, *slides: Slide, layout: Layout = Layout.TILES) -> Download:
    return plan_download(SMALL, layout, workspace, slides or SMALL.slides)


def fetch(workspace: Workspace, *slides: Slide, layout: Layout = Layout.TILES) -> Download:
    planned = plan(workspace, *slides, layout=layout)
    planned.run(3, lambda _: None)
    return planned


def assert_complete(workspace: Workspace, published: Path, layout: Layout = Layout.TILES) -> None:
    again = plan(workspace, layout=layout)
    assert again.absent == ()
    for file in again.files:
        assert (again.folder / file.path).read_bytes() == (
            published / "datasets" / layout.repo / file.path
        ).read_bytes()
    names = {path.name for path in again.folder.rglob("*") if path.is_file()}
    assert names == {Path(file.path).name for file in again.files} | {"index.json"}


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("layout", Layout)
def test_what_is_published_is_fetched_byte_for_byte(workspace: Workspace, published: Path, layout: Layout) -> None:
    planned = plan(workspace, layout=layout)
    told: list[int] = []
    planned.run(3, told.append)
    assert sum(told) == planned.n_bytes == sum(file.size for file in planned.files)
    assert_complete(workspace, published, layout)


@pytest.mark.parametrize("layout", Layout)
def test_one_slide_needs_only_its_files(hub: LoopbackHub, workspace: Workspace, layout: Layout) -> None:
    planned = fetch(workspace, SLIDE, layout=layout)
    there = {path.name for path in planned.folder.rglob("*.*") if path.suffix in (".parquet", ".h5")}
    assert there == {Path(file.path).name for file in planned.files}
    assert len(there) < len(planned.index.files)


def test_a_second_run_asks_for_nothing(hub: LoopbackHub, workspace: Workspace) -> None:
    fetch(workspace)
    hub.requests.clear()
    fetch(workspace)
    assert hub.requests == []


def test_a_file_that_was_begun_is_continued_where_there_is_room_for_the_rest(
    hub: LoopbackHub, workspace: Workspace, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan(workspace)
    first = planned.files[0]
    part = planned.folder / "data" / f".{Path(first.path).name}.part"
    part.parent.mkdir()
    part.write_bytes((published / "datasets" / Layout.TILES.repo / first.path).read_bytes()[:9000])
    hub.requests.clear()
    again = plan(workspace)
    assert again.n_bytes == planned.n_bytes - 9000
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(9, 9, again.n_bytes))  # room for the rest only
    told: list[int] = []
    again.run(3, told.append)
    assert sum(told) == again.n_bytes
    assert_complete(workspace, published)
    assert [request.first for request in hub.requested(rf"GET .*{first.path}")] == [9000]


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("sealed", [True, False])
def test_a_file_that_was_begun_and_is_too_long_begins_anew(workspace: Workspace, published: Path, sealed: bool) -> None:
    planned = plan(workspace)
    first = planned.files[0]
    part = planned.folder / "data" / f".{Path(first.path).name}.part"
    part.parent.mkdir()
    part.write_bytes(bytes(first.size + 10))
    again = plan(workspace)
    assert again.n_bytes == planned.n_bytes - first.size
    if not sealed:  # of some files the Hub publishes no checksum
        again = replace(again, absent=tuple(replace(file, sha256="") for file in again.absent))
    told: list[int] = []
    again.run(3, told.append)
    assert sum(told) == again.n_bytes
    assert_complete(workspace, published)


def test_when_one_file_cannot_be_had_the_others_stop_at_their_next_piece(
    hub: LoopbackHub, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plismbench.tiles.plism.download._PIECE", 1_000)
    planned = plan(workspace)
    first, second, *_ = planned.files
    hub.faults.append(Fault(f"GET .*{first.path}", status=404, headers={"X-Error-Code": "EntryNotFound"}))
    with pytest.raises(Unavailable):
        planned.run(2, lambda _: time.sleep(0.02))
    assert not (planned.folder / second.path).exists()


@pytest.mark.usefixtures("hub")
def test_a_file_of_another_size_is_fetched_again(workspace: Workspace, published: Path) -> None:
    planned = fetch(workspace)
    path = planned.folder / planned.files[0].path
    path.write_bytes(path.read_bytes()[:-1])
    assert plan(workspace).absent == planned.files[:1]
    fetch(workspace)
    assert_complete(workspace, published)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(SHARDS, status=503, times=4),
        Fault(SHARDS, status=500, times=4),
        Fault(SHARDS, status=429, times=3, headers={"Retry-After": "2"}),
        Fault(SHARDS, FaultKind.RESET, times=3),
        Fault(SHARDS, FaultKind.RESET, times=20),  # of one request huggingface_hub forgives 5, and we 23
        Fault(SHARDS, FaultKind.TRUNCATE, times=3),
        Fault(SHARDS, FaultKind.STALL, times=2),
        Fault(SHARDS, FaultKind.CORRUPT, times=2),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
def test_a_fault_that_passes_changes_nothing(
    hub: LoopbackHub,
    workspace: Workspace,
    published: Path,
    naps: list[float],
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 0.5)
    planned = plan(workspace)
    hub.faults.append(fault)
    told: list[int] = []
    planned.run(3, told.append)
    assert fault.times == 0
    if wait := fault.headers.get("Retry-After"):
        assert max(naps) >= float(wait)
    assert sum(told) == planned.n_bytes
    assert_complete(workspace, published)


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault(SHARDS, status=401), AccessDenied, ["401", Layout.TILES.repo, "HF_TOKEN"]),
        (Fault(SHARDS, status=403, headers={"X-Error-Code": "GatedRepo"}), AccessDenied, ["403", "hf auth login"]),
        (Fault(SHARDS, status=404, headers={"X-Error-Code": "EntryNotFound"}), Unavailable, [Layout.TILES.repo]),
        (Fault(SHARDS, status=429), Unavailable, ["429", "run the same command again"]),
        (Fault(SHARDS, status=503), Unavailable, ["503", "run the same command again"]),
        (Fault(SHARDS, FaultKind.RESET), Unavailable, ["network"]),
        (Fault(SHARDS, FaultKind.TRUNCATE), Unavailable, ["network"]),
        (Fault(SHARDS, FaultKind.CORRUPT), Unavailable, ["arrived damaged 3 times", "SHA-256", "mirror"]),
        (Fault(SHARDS, FaultKind.PAGE), Unavailable, ["network"]),
        (
            Fault(SHARDS, status=302, headers={"Location": f"/datasets/{Layout.TILES.repo}/resolve/main/a.parquet"}),
            Unavailable,
            [Layout.TILES.repo],
        ),
        (Fault("GET", status=302, headers={"Location": "/datasets/loop"}), Unavailable, ["network"]),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Fault) else "",
)
def test_a_fault_that_stays_is_one_sentence_and_a_second_run_completes(
    hub: LoopbackHub,
    workspace: Workspace,
    published: Path,
    naps: list[float],
    fault: Fault,
    kind: type[NeedsAction],
    words: list[str],
) -> None:
    planned = plan(workspace)
    hub.faults.append(fault)
    with pytest.raises(kind) as raised:
        planned.run(3, lambda _: None)
    for word in words:
        assert word in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 3
    assert len(hub.requests) < 200
    assert [path for path in planned.folder.rglob("*.parquet") if path.stat().st_size == 0] == []
    hub.faults.clear()
    fetch(workspace)
    assert_complete(workspace, published)


def test_too_little_room_is_said_before_anything_is_fetched(
    hub: LoopbackHub, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan(workspace)
    hub.requests.clear()
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(9, 9, planned.n_bytes - 1))
    with pytest.raises(StorageFailure, match=r"bytes are to be fetched, and .* has room for"):
        planned.run(3, lambda _: None)
    assert hub.requests == []


@pytest.fixture
def full_disk(workspace: Workspace) -> Iterator[Path]:
    """A link to a device that is always full, in place of the first unfinished file."""
    planned = plan(workspace)
    part = planned.folder / "data" / f".{Path(planned.files[0].path).name}.part"
    part.parent.mkdir()
    part.symlink_to("/dev/full")
    yield part
    part.unlink(missing_ok=True)


@pytest.mark.usefixtures("hub")
@needs_dev_full
def test_a_full_disk_is_one_sentence_and_a_second_run_completes(
    workspace: Workspace, published: Path, full_disk: Path
) -> None:
    with pytest.raises(StorageFailure, match="The disk is full") as raised:
        fetch(workspace)
    assert "run the same command again" in str(raised.value)
    full_disk.unlink()
    fetch(workspace)
    assert_complete(workspace, published)


PROGRAM = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from small_plism import SMALL
from plismbench.tiles.plism import download
from plismbench.tiles.plism.layout import Layout
from plismbench.workspace import Workspace
download._PIECE = 20_000
download.plan_download(SMALL, Layout.TILES, Workspace(Path({root!r}), "plism"), SMALL.slides).run(2, lambda _: None)
"""


def command(workspace: Workspace) -> list[str]:
    tests = str(Path(__file__).parents[2])
    return [sys.executable, "-W", "error", "-c", PROGRAM.format(tests=tests, root=str(workspace.root))]


def test_a_download_that_is_killed_again_and_again_completes(
    hub: LoopbackHub, workspace: Workspace, published: Path, tmp_path: Path
) -> None:
    environment = os.environ | hub.environment(tmp_path / "hf")
    folder = plan(workspace).folder
    kills = 0
    for seen in (1, 3, 6, 9):
        process = subprocess.Popen(command(workspace), env=environment)
        hub.requests.clear()
        while process.poll() is None and len(hub.requested(SHARDS)) < seen:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        for path in folder.glob("data/*.parquet"):  # whatever has its name is whole
            original = published / "datasets" / Layout.TILES.repo / "data" / path.name
            assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(original.read_bytes()).digest()
    assert kills >= 3
    fetch(workspace)
    assert_complete(workspace, published)


def test_two_processes_share_the_work(hub: LoopbackHub, workspace: Workspace, published: Path, tmp_path: Path) -> None:
    environment = os.environ | hub.environment(tmp_path / "hf")
    total = plan(workspace).n_bytes
    hub.requests.clear()
    processes = [subprocess.Popen(command(workspace), env=environment) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert_complete(workspace, published)
    assert sum(request.n_bytes for request in hub.requested(SHARDS)) == total  # nothing twice


@pytest.mark.usefixtures("hub")
def test_what_another_process_fetched_after_the_plan_is_kept(workspace: Workspace, published: Path) -> None:
    planned = plan(workspace)
    fetch(workspace)
    before = {path: path.stat().st_ino for path in planned.folder.rglob("*.parquet")}
    told: list[int] = []
    planned.run(3, told.append)
    assert {path: path.stat().st_ino for path in planned.folder.rglob("*.parquet")} == before
    assert sum(told) == planned.n_bytes
    assert_complete(workspace, published)


def test_two_downloads_without_locks_leave_each_other_alone(
    hub: LoopbackHub, no_locks: None, workspace: Workspace, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plismbench.tiles.plism.download._PIECE", 20_000)
    failures: list[Exception] = []

    def go() -> None:
        try:
            fetch(workspace)
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    plan(workspace)
    both = [threading.Thread(target=go) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert failures == []
    assert_complete(workspace, published)


@pytest.mark.parametrize("cached", [False, True])
def test_without_a_network_only_what_is_there_counts(
    published: Path, workspace: Workspace, tmp_path: Path, naps: list[float], cached: bool
) -> None:
    hub = LoopbackHub(published)
    with hub.in_this_process(tmp_path / "hf"):
        with hub:
            if cached:
                fetch(workspace)
        if cached:
            assert fetch(workspace).absent == ()
        else:
            with pytest.raises(Unavailable, match="Cannot reach"):
                fetch(workspace)
            assert [path for path in workspace.root.rglob("*") if path.is_file()] == []


def test_a_folder_that_cannot_be_written_is_said_before_the_hub_is_asked(
    hub: LoopbackHub, workspace: Workspace
) -> None:
    workspace.root.touch()
    with pytest.raises(StorageFailure, match="Cannot write"):
        fetch(workspace)
    assert hub.requests == []
