import dataclasses
import hashlib

import numpy as np
import pytest
import timm
import torch
from checkpoints import TIMM, publish, randomised
from loopback_hub import Fault

from plismbench.errors import AccessDenied, CorruptFile, InvalidInput, ShapeMismatch, Unavailable, UnknownName
from plismbench.extractors import registry
from plismbench.extractors.checkpoints.locations import is_pinned
from plismbench.extractors.inference.extractor import load_extractor
from plismbench.extractors.loaders import load_module
from plismbench.extractors.pinning import pinned, timm_repository
from plismbench.extractors.spec import ExtractorSpec

SPEC = ExtractorSpec(
    name="tiny", loader=TIMM, dim=64, image_size=160, weights="hf-hub:Org/Tiny",
    options={"architecture": "test_vit", "num_classes": 0},
)  # fmt: skip
CONFIG = {"architecture": "test_vit", "num_features": 64, "pretrained_cfg": {"input_size": [3, 160, 160]}}
PIXELS = np.random.default_rng(0).integers(0, 256, (2, 160, 160, 3), dtype=np.uint8)


def state(seed):
    return randomised(timm.create_model("test_vit", num_classes=0), seed).state_dict()


def at(weights, revision=None):
    return dataclasses.replace(SPEC, weights=weights, revision=revision)


@pytest.mark.parametrize("name", ["hf-hub:Org/Tiny", "hf-hub:Org/Tiny@main"])
def test_other_weights_on_the_hub_are_another_fingerprint(tmp_path, hub, name):
    specs, vectors = [], []
    for seed in (0, 1):
        publish(tmp_path / "hub", "Org/Tiny", config__json=CONFIG, model__safetensors=state(seed))
        specs.append(registry.get(name))
        vectors.append(load_extractor(specs[-1], "cpu", "fp32")(PIXELS))
    assert not np.allclose(*vectors)
    assert specs[0].fingerprint() != specs[1].fingerprint()
    # The first is still what it was.
    np.testing.assert_array_equal(load_extractor(specs[0], "cpu", "fp32")(PIXELS), vectors[0])


def test_a_registered_model_without_a_revision_gets_the_commit_of_today(tmp_path, hub):
    folder = publish(tmp_path / "hub", "Org/Tiny", model__safetensors=state(0))
    first = pinned(SPEC)
    assert first.revision == hub.commit(folder)
    assert pinned(first) is first
    load_module(first)
    publish(tmp_path / "hub", "Org/Tiny", model__safetensors=state(1), README__json={})
    second = pinned(SPEC)
    assert second.fingerprint() != first.fingerprint()
    hub.faults.append(Fault("/api/models", status=500))
    assert pinned(SPEC) == first  # the only one in the cache
    hub.faults.clear()
    load_module(second)  # now there are two, and none was fetched as a branch
    hub.faults.append(Fault("/api/models", status=500))
    with pytest.raises(Unavailable):
        pinned(SPEC)


def test_a_catalog_pin_asks_no_one(hub):
    spec = registry.get("h0-mini")
    assert pinned(spec) is spec
    assert pinned(registry.get("constant")) == registry.get("constant")
    assert hub.requests == []
    with pytest.raises(AccessDenied):
        pinned(SPEC)


def test_code_of_a_repository_is_never_pinned_for_its_author(hub):
    spec = dataclasses.replace(SPEC, loader="plismbench.extractors.remote:remote_model")
    assert pinned(spec) is spec


def test_a_file_and_an_address_are_hashed(tmp_path, hub):
    path = publish(tmp_path / "hub", "Org/Tiny", x__pth=state(0)) / "x.pth"
    specs = [at(f"file:{path}"), at(f"{hub.url}/Org/Tiny/resolve/main/x.pth")]
    for spec in specs:
        assert not is_pinned(spec)
        assert pinned(spec).revision == hashlib.sha256(path.read_bytes()).hexdigest()
    before = pinned(specs[0]).fingerprint()
    torch.save(state(1), path)
    assert pinned(specs[0]).fingerprint() != before
    pin = at(f"file:{path}", "0" * 64)
    assert pinned(pin) is pin
    path.unlink()
    with pytest.raises(InvalidInput, match="There is no file"):
        pinned(specs[0])


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({"options": {"architecture": "test_vitt", "num_classes": 0}}, UnknownName, "Did you mean 'test_vit'"),
        ({"options": {"architecture": "test_vit", "num_classes": 0, "layout": "dinno"}}, InvalidInput, "layout"),
        ({"dim": 65}, ShapeMismatch, "'tiny' declares dim 65; its vectors have 64"),
    ],
)
def test_a_mistake_is_said_before_an_address_is_asked(tmp_path, hub, fields, kind, words):
    publish(tmp_path / "hub", "Org/Tiny", x__pth=state(0))
    with pytest.raises(kind, match=words):
        pinned(dataclasses.replace(at(f"{hub.url}/Org/Tiny/resolve/main/x.pth"), **fields))
    assert hub.requests == []


def test_weights_of_timm_at_an_address_are_hashed_and_held_to_it(tmp_path, hub, monkeypatch):
    name = "legacy_seresnet18.in1k"
    network = randomised(timm.create_model(name))
    path = publish(tmp_path / "hub", "Org/Tiny", x__pth=network.state_dict()) / "x.pth"
    asked = timm.get_pretrained_cfg_value

    def told(model, field):
        return f"{hub.url}/Org/Tiny/resolve/main/x.pth" if field == "url" else asked(model, field)

    monkeypatch.setattr(timm, "get_pretrained_cfg_value", told)
    spec = dataclasses.replace(at(f"timm:{name}"), dim=512, options={"num_classes": 0})
    assert not is_pinned(spec)
    found = pinned(spec)
    assert found.revision == hashlib.sha256(path.read_bytes()).hexdigest()
    assert is_pinned(found)
    assert pinned(found) is found
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        expected = network.forward_head(network.forward_features(image), pre_logits=True)
        torch.testing.assert_close(load_module(found)(image), expected)
    assert not hub.requested("/api/models")
    with pytest.raises(CorruptFile, match="is not the file that 'tiny' pins"):
        load_module(dataclasses.replace(found, revision="0" * 64))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet81", "No timm architecture named 'resnet81'. Did you mean 'resnet18'"),
        ("resnet18.a1_in2k", r"No timm weights named 'resnet18\.a1_in2k'\. Did you mean 'resnet18\.a1_in1k'"),
    ],
)
def test_what_timm_does_not_know_is_named(name, words):
    with pytest.raises(UnknownName, match=words):
        pinned(at(f"timm:{name}"))
    with pytest.raises(UnknownName, match=words):
        registry.get(f"timm:{name}")


def test_weights_of_timm_are_read_at_their_commit(tmp_path, hub):
    repo = timm_repository(at("timm:test_vit.r160_in1k"))
    config = {"architecture": "test_vit", "num_classes": 1000, "pretrained_cfg": {"num_classes": 1000}}
    whole = randomised(timm.create_model("test_vit")).state_dict()
    folder = publish(tmp_path / "hub", repo, config__json=config, model__safetensors=whole)
    spec = dataclasses.replace(pinned(at("timm:test_vit.r160_in1k")), options={"num_classes": 0})
    assert spec.revision == hub.commit(folder)
    load_module(spec)
    assert hub.requested(f"/resolve/{spec.revision}/model.safetensors")
