import dataclasses

import pytest
from huggingface_hub import constants

from plismbench.extractors import registry
from plismbench.extractors.places import cached_address, extra_of, is_cached, is_pinned
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
    assert (is_cached(at("")), is_cached(at("timm:resnet18"))) == (True, None)
    assert is_cached(at("hf-hub:a/b/model.safetensors.index.json", "3" * 40)) is None


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
