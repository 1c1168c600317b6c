import builtins
import sys
from collections import namedtuple
from dataclasses import replace
from importlib import metadata

import pytest
from loopback_hub import Fault, LoopbackHub
from small_plism import SMALL, publish_small_plism

from plismbench import doctor
from plismbench.doctor import Verdict, examine
from plismbench.extractors import registry
from plismbench.extractors.spec import ExtractorSpec
from plismbench.tiles.plism.download import plan_download
from plismbench.tiles.plism.layout import Layout
from plismbench.workspace import Workspace

GATED = ExtractorSpec(name="secret", loader="a:b", dim=8, weights="hf-hub:acme/secret", gated=True)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    root = publish_small_plism(tmp_path_factory.mktemp("published"))
    (root / "models/acme/secret").mkdir(parents=True)
    (root / "models/acme/secret/config.json").write_text("{}")
    return root


@pytest.fixture
def hub(published, tmp_path):
    with LoopbackHub(published) as hub, hub.in_this_process(tmp_path / "hf"):
        yield hub


@pytest.fixture
def check(tmp_path):
    """The named check, and only one of that name."""

    def check(name):
        (found,) = [check for check in examine(tmp_path / "root", SMALL, [GATED]) if check.name == name]
        assert bool(found.fix) == (found.verdict is not Verdict.PASS)
        assert "\n" not in found.found + found.fix
        return found

    return check


def log_in(tmp_path):
    (tmp_path / "hf").mkdir(exist_ok=True)
    (tmp_path / "hf/token").write_text("hf_x")


def test_this_machine_has_its_packages(hub, check):
    assert check("python").verdict is Verdict.PASS
    assert check("packages").verdict is Verdict.PASS
    assert f"numpy {metadata.version('numpy')}" in check("packages").found
    assert check("faiss").verdict is Verdict.PASS


def test_a_package_that_is_absent_or_too_old_is_named(hub, check, monkeypatch):
    monkeypatch.setattr(
        metadata, "requires", lambda _: ["numpy>=99", "no-such-thing>=1", "no-such; python_version<'3'"]
    )
    failed = [found for found in doctor._packages() if found.verdict is Verdict.FAIL]
    assert [found.fix for found in failed] == ["pip install 'numpy>=99'", "pip install 'no-such-thing>=1'"]
    assert "no-such-thing is not installed" in failed[1].found


def test_two_builds_of_faiss_are_noticed(hub, check, monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda _: "1")
    assert check("faiss").fix == "pip uninstall faiss-cpu"


@pytest.mark.parametrize(("module", "verdict"), [("faiss", Verdict.WARN), ("torch", Verdict.FAIL)])
def test_a_package_that_does_not_import_is_no_crash(hub, check, monkeypatch, module, verdict):
    true_import = builtins.__import__

    def broken(name, *arguments):
        if name == module:
            raise ImportError("libcudart is missing")
        return true_import(name, *arguments)

    monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(builtins, "__import__", broken)
    found = check({"faiss": "faiss", "torch": "gpu"}[module])
    assert (found.verdict, "libcudart is missing" in found.found) == (verdict, True)


def test_a_gpu_is_told_with_its_memory(hub, check, monkeypatch):
    import torch

    card = namedtuple("card", "name total_memory")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card("H200", 150_000_000_000))
    assert (check("gpu").verdict, check("gpu").found) == (Verdict.PASS, "H200 150 GB")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert check("gpu").verdict is Verdict.WARN


@pytest.mark.parametrize(
    ("gigabytes", "verdict", "words"),
    [
        (1, "FAIL", "up to 4.6 GB"),
        (100, "WARN", "tiles 146 GB, h5 225 GB"),
        (200, "WARN", ": h5 225"),
        (300, "PASS", ""),
    ],
)
def test_the_disk_is_measured_by_what_is_planned(hub, check, monkeypatch, gigabytes, verdict, words):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(0, 0, gigabytes * 10**9))
    assert check("disk").verdict == verdict
    assert f"{gigabytes:.1f} GB free" in check("disk").found
    assert words in check("disk").found


def test_a_root_that_cannot_be_written_is_named(hub, check, tmp_path):
    (tmp_path / "root").touch()
    assert check("disk").verdict is Verdict.FAIL
    assert "--root" in check("disk").fix


def test_the_hub_the_account_and_a_gated_model(hub, check, tmp_path):
    assert check("hub").verdict is Verdict.PASS
    assert check("login").fix == "hf auth login"
    log_in(tmp_path)
    assert (check("login").verdict, check("login").found) == (Verdict.PASS, "as tester")
    assert (check("secret").verdict, check("secret").found) == (Verdict.PASS, "access to acme/secret")
    hub.faults.append(Fault("auth-check", status=403, headers={"X-Error-Code": "GatedRepo"}))
    hub.faults.append(Fault("whoami", status=401))
    assert "Ask for access on" in check("secret").fix
    assert check("secret").verdict is check("login").verdict is Verdict.FAIL


@pytest.mark.parametrize("weights", ["hf-hub:acme/secret/pytorch_model.bin", "hf-hub:acme/secret/a/b.pth"])
def test_a_gated_model_with_a_file_is_asked_for_by_its_repository(hub, weights):
    found = doctor._access(replace(GATED, weights=weights))
    assert (found.verdict, found.found) == (Verdict.PASS, "access to acme/secret")


def test_a_change_needs_access_to_what_it_changes_as_well(hub):
    change = registry.get("seal-conch")
    for repo in ("MahmoodLab/SEAL", "MahmoodLab/CONCH"):
        found = doctor._access(change)
        assert found.verdict is Verdict.FAIL
        assert f"refuses access to {repo} " in found.found
        (hub.root / "models" / repo).mkdir(parents=True)
    found = doctor._access(change)
    assert (found.verdict, found.found) == (Verdict.PASS, "access to MahmoodLab/SEAL and MahmoodLab/CONCH")


def test_a_gated_model_that_is_not_on_the_hub_is_not_asked_for(hub, tmp_path):
    elsewhere = [replace(GATED, weights=weights) for weights in ("https://example.org/w.pth", "file:w.pth", "")]
    assert "secret" not in {check.name for check in examine(tmp_path / "root", SMALL, elsewhere)}
    assert hub.requested("auth-check") == []


def test_without_a_hub_nothing_more_is_asked_of_it(hub, tmp_path):
    hub.faults.append(Fault("GET", status=503))
    found = {check.name: check for check in examine(tmp_path / "root", SMALL, [GATED])}
    assert found["hub"].verdict is Verdict.FAIL
    assert not {"login", "secret"} & set(found)


def test_tiles_are_counted(hub, check, tmp_path):
    assert check("tiles").found.startswith("tiles has 0 of 6 slides, h5 has 0 of 6 slides on the disk")
    workspace = Workspace(tmp_path / "root", SMALL.name)
    plan_download(SMALL, Layout.TILES, workspace, SMALL.slides[:1]).run(1, lambda _: None)
    assert check("tiles").found.startswith("tiles has 1 of 6")
    assert check("tiles").verdict is Verdict.WARN
    plan_download(SMALL, Layout.TILES, workspace, SMALL.slides).run(1, lambda _: None)
    assert (check("tiles").verdict, check("tiles").found) == (Verdict.PASS, "tiles has 6 of 6 slides on the disk")
    (workspace.tiles("tiles", "main") / "index.json").write_text("{")
    assert check("tiles").verdict is Verdict.FAIL
