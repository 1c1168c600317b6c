"""The Hub that other tests rely on is itself right, sick and healthy."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from loopback_hub import LOGIN_PAGE, Fault, FaultKind, LoopbackHub

CONTENT = bytes(range(256)) * 40
FILE = "/datasets/acme/pictures/resolve/main/data/pictures.parquet"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[LoopbackHub]:
    model = tmp_path / "root" / "models" / "acme" / "tiny"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    (model / "model.safetensors").write_bytes(CONTENT)
    data = tmp_path / "root" / "datasets" / "acme" / "pictures" / "data"
    data.mkdir(parents=True)
    (data / "pictures.parquet").write_bytes(CONTENT)
    with LoopbackHub(tmp_path / "root", page_size=2) as hub:
        yield hub


def get(hub: LoopbackHub, path: str, **headers: str) -> bytes:
    request = Request(hub.url + path, headers=headers)  # noqa: S310  # http
    with urlopen(request, timeout=5) as response:  # noqa: S310
        content: bytes = response.read()
    return content


def test_a_snapshot_is_what_lies_on_the_disk_and_what_was_listed(hub: LoopbackHub, tmp_path: Path) -> None:
    program = (
        "import huggingface_hub\n"
        "info = huggingface_hub.HfApi().model_info('acme/tiny', files_metadata=False)\n"
        "folder = huggingface_hub.snapshot_download('acme/tiny')\n"
        "tree = {entry.path: entry for entry in huggingface_hub.HfApi().list_repo_tree('acme/tiny', recursive=True)}\n"
        "paths = huggingface_hub.HfApi().get_paths_info('acme/tiny', ['config.json', 'absent'])\n"
        "assert [path.path for path in paths] == ['config.json']\n"
        "assert folder.endswith(info.sha)\n"
        "print(folder, tree['model.safetensors'].lfs.sha256, tree['config.json'].blob_id, sep='\\n')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | hub.environment(tmp_path / "hf"),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    folder, sha256, blob = run.stdout.splitlines()
    assert (Path(folder) / "model.safetensors").read_bytes() == CONTENT
    assert sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert blob == "9e26dfeeb6e641a33dae4961196235bdb965b21b"  # git hash-object of "{}"


def test_a_long_tree_comes_in_pages(hub: LoopbackHub, tmp_path: Path) -> None:
    from huggingface_hub import HfApi

    for number in range(3):
        (hub.root / "models" / "acme" / "tiny" / f"{number}.txt").write_text(str(number))
    with hub.in_this_process(tmp_path / "hf"):
        names = sorted(entry.path for entry in HfApi().list_repo_tree("acme/tiny"))
    assert names == ["0.txt", "1.txt", "2.txt", "config.json", "model.safetensors"]
    assert len(hub.requested("/tree/main")) == 3


def test_a_range_is_the_bytes_from_first_to_last(hub: LoopbackHub) -> None:
    assert get(hub, FILE, Range="bytes=10-19") == CONTENT[10:20]
    assert get(hub, FILE, Range="bytes=10200-") == CONTENT[10200:]
    assert [(request.first, request.last, request.n_bytes) for request in hub.requests] == [
        (10, 19, 10),
        (10200, len(CONTENT) - 1, 40),
    ]
    with pytest.raises(HTTPError) as raised:
        get(hub, FILE, Range="bytes=99999-")
    assert raised.value.code == 416
    raised.value.close()


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/datasets/acme/absent", 401, "RepoNotFound"),
        ("/api/datasets/acme/pictures/revision/v9", 404, "RevisionNotFound"),
        ("/api/datasets/acme/pictures/tree/main/absent", 404, "EntryNotFound"),
        ("/datasets/acme/pictures/resolve/main/absent.parquet", 404, "EntryNotFound"),
        ("/somewhere/else", 404, None),
    ],
)
def test_what_is_not_there_is_said_as_the_hub_says_it(
    hub: LoopbackHub, path: str, status: int, code: str | None
) -> None:
    with pytest.raises(HTTPError) as raised:
        get(hub, path)
    assert (raised.value.code, raised.value.headers["X-Error-Code"]) == (status, code)
    raised.value.close()


def test_a_status_strikes_as_often_as_told(hub: LoopbackHub) -> None:
    hub.faults.append(Fault("GET .*parquet", status=429, times=2, headers={"Retry-After": "7"}))
    for _ in range(2):
        with pytest.raises(HTTPError) as raised:
            get(hub, FILE)
        assert (raised.value.code, raised.value.headers["Retry-After"]) == (429, "7")
        raised.value.close()
    assert get(hub, FILE) == CONTENT
    assert get(hub, "/acme/tiny/resolve/main/config.json") == b"{}"


def test_a_body_can_be_reset_cut_stalled_and_corrupted(hub: LoopbackHub) -> None:
    hub.faults = [Fault("parquet", kind, times=1, seconds=0.3) for kind in list(FaultKind)[1:]]
    with pytest.raises(ConnectionResetError):
        get(hub, FILE)
    with pytest.raises(IncompleteRead) as raised:
        get(hub, FILE)
    assert raised.value.partial == CONTENT[: len(CONTENT) // 2]
    started = time.monotonic()
    with pytest.raises(IncompleteRead):
        get(hub, FILE)
    assert time.monotonic() - started >= 0.3
    corrupt = get(hub, FILE)
    assert len(corrupt) == len(CONTENT)
    assert corrupt != CONTENT
    assert get(hub, FILE) == LOGIN_PAGE
    assert get(hub, FILE) == CONTENT


def hang(hub: LoopbackHub) -> None:
    with pytest.raises(OSError) as raised:  # noqa: PT011  # a reset, or an HTTPError
        get(hub, "/anything")
    if isinstance(raised.value, HTTPError):
        raised.value.close()


def test_nothing_is_left_running(tmp_path: Path) -> None:
    before = threading.active_count()
    (tmp_path / "models").mkdir()
    with LoopbackHub(tmp_path) as hub:
        hub.faults.append(Fault("GET", FaultKind.STALL, seconds=60))
        stalled = threading.Thread(target=hang, args=(hub,))
        stalled.start()
        while not hub.requests:
            time.sleep(0.01)
        started = time.monotonic()
    stalled.join()
    assert time.monotonic() - started < 5
    assert threading.active_count() == before
