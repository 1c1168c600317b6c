import dataclasses
import json

import pytest
from huggingface_hub import constants

from plismbench.extractors import registry
from plismbench.extractors.checkpoints.locations import cached_address, extra_of, hub_repo, is_cached, is_pinned
from plismbench.extractors.spec import ExtractorSpec

SPEC = ExtractorSpec(name="tiny", loader="a:b", dim=64)


def at(weights, revision=None):
    return dataclasses.replace(SPEC, weights=weights, revision=revision)


@pytest.mark.parametrize(
    ("weights", "revision", "there"),
    [
        ("", None, True),
        ("hf-hub:a/b", None, False),
        ("hf-hub:a/b", "main", False),
        ("hf-hub:a/b", "1" * 40, True),
        ("timm:resnet18", None, False),
        ("https://a.org/x", None, False),
        ("https://a.org/x", "1" * 64, True),
        ("plip-package", None, True),
    ],
)
def test_whether_a_fingerprint_is_known(weights, revision, there):
    assert is_pinned(at(weights, revision)) is there


def test_what_lies_on_this_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    address = "https://a.org/x.pth"
    specs = [at("hf-hub:a/b", "1" * 40), at("hf-hub:a/b/c/x.pth"), at(address), at(f"file:{tmp_path}/x.pth")]
    assert [is_cached(spec) for spec in specs] == [False] * 4
    files = (
        tmp_path / f"hf/models--a--b/snapshots/{'1' * 40}/model.safetensors",
        tmp_path / "hf/models--a--b/snapshots/2/c/x.pth",
        cached_address(address, tmp_path / "torch/hub"),
        tmp_path / "x.pth",
    )
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert [is_cached(spec) for spec in specs] == [True] * 4
    assert not is_cached(at("hf-hub:a/b", "3" * 40))
    assert is_cached(at("file:~nobodyatall/x.pth")) is False
    assert (is_cached(at("")), is_cached(at("timm:resnet18"))) == (True, None)


def test_a_checkpoint_in_several_files_is_there_when_all_are(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    specs = [at(f"hf-hub:a/b{file}", "1" * 40) for file in ("", "/model.safetensors.index.json")]
    folder = tmp_path / f"models--a--b/snapshots/{'1' * 40}"
    folder.mkdir(parents=True)
    (folder / "model-00001-of-00002.safetensors").touch()
    assert [is_cached(spec) for spec in specs] == [False, False]
    pieces = {"x": "model-00001-of-00002.safetensors", "y": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": pieces}))
    assert [is_cached(spec) for spec in specs] == [None, None]  # it may need one of them only
    (folder / "model-00002-of-00002.safetensors").touch()
    assert [is_cached(spec) for spec in specs] == [True, True]
    (folder / "model.safetensors.index.json").write_text("<html>")
    assert [is_cached(spec) for spec in specs] == [False, False]


def test_a_saved_model_is_there_when_all_its_files_are(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    spec = registry.get("path-foundation")
    folder = tmp_path / "models--google--path-foundation/snapshots/1"
    (folder / "variables").mkdir(parents=True)
    pieces = [f"variables/variables.data-0000{n}-of-00002" for n in range(2)]
    for name in ("saved_model.pb", "variables/variables.index", *pieces):
        assert is_cached(spec) is False
        (folder / name).touch()
    assert is_cached(spec) is True


def test_a_change_is_there_with_what_it_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    spec = registry.get("seal-univ2")
    places = ((spec.weights, spec.revision), (spec.options["adapts"]["weights"], spec.options["adapts"]["revision"]))
    for weights, revision in places:
        assert not is_cached(spec)
        org, repo, *file = weights.removeprefix("hf-hub:").split("/")
        path = tmp_path / f"models--{org}--{repo}/snapshots/{revision}/{(*file, 'model.safetensors')[0]}"
        path.parent.mkdir(parents=True)
        path.touch()
    assert is_cached(spec)


def test_the_extra_that_a_model_needs():
    assert (extra_of(registry.get("phaet")), extra_of(registry.get("h0-mini"))) == ("transformers", None)


def test_weights_on_the_hub_name_a_repository_and_perhaps_a_file():
    assert hub_repo("hf-hub:Org/Repo") == ("Org/Repo", "")
    assert hub_repo("hf-hub:Org/Repo/deep/w.bin") == ("Org/Repo", "deep/w.bin")
    assert hub_repo("hf-hub:Repo") == ("Repo", "")
