from dataclasses import replace

import pytest
import timm
import torch
from checkpoints import SMALL, TIMM, publish, randomised

from plismbench.errors import InvalidInput, Unavailable
from plismbench.extractors.checkpoints.locations import base_of
from plismbench.extractors.checkpoints.lora import adapted_weights
from plismbench.extractors.loaders import load_module
from plismbench.extractors.spec import ExtractorSpec

LAYER = "blocks.0.fc"
ADAPTS = {"weights": "hf-hub:Org/Base", "revision": "1" * 40, "layers": [LAYER], "scale": 0.5}
SPEC = ExtractorSpec(
    name="changed", loader=TIMM, weights="hf-hub:Org/Change/change.pth", revision="2" * 40, dim=3,
    options={"architecture": "vit_tiny_patch16_224", **SMALL, "adapts": ADAPTS},
)  # fmt: skip
BASE = {f"{LAYER}.weight": torch.arange(6.0).reshape(3, 2), f"{LAYER}.bias": torch.ones(3), "norm.bias": torch.ones(2)}
A, B = torch.tensor([[1.0, -2.0]]), torch.tensor([[1.0], [0.0], [4.0]])
FACTORS = {f"base_model.model.{LAYER}.lora_A.weight": A, f"base_model.model.{LAYER}.lora_B.weight": B}


def change(tmp_path, factors=FACTORS, base=BASE, spec=SPEC):
    publish(tmp_path / "hub", "Org/Base", model__safetensors=base)
    publish(tmp_path / "hub", "Org/Change", change__pth=factors)
    return adapted_weights(spec, base_of(spec), r"(?!)")


def test_a_change_alone_is_added_to_what_it_changes(tmp_path, hub):
    found = change(tmp_path)
    expected = BASE[f"{LAYER}.weight"].clone()
    for row in range(3):
        for column in range(2):
            expected[row, column] += 0.5 * B[row, 0] * A[0, column]
    assert torch.equal(found.pop(f"{LAYER}.weight"), expected)
    assert {key: value.tolist() for key, value in found.items()} == {f"{LAYER}.bias": [1, 1, 1], "norm.bias": [1, 1]}


def test_layers_are_found_by_what_their_names_end_in(tmp_path, hub):
    other = LAYER.replace("0", "10")
    base = BASE | {f"{other}.weight": torch.ones(3, 2), "blocks.0.xfc.weight": torch.ones(3, 2)}
    factors = FACTORS | {key.replace(LAYER, other): value for key, value in FACTORS.items()}
    spec = replace(SPEC, options={**SPEC.options, "adapts": ADAPTS | {"layers": ["fc", LAYER]}})
    found = change(tmp_path, factors, base, spec)
    for key in (LAYER, other):
        assert torch.equal(found[f"{key}.weight"], base[f"{key}.weight"] + 0.5 * B @ A)  # once
    assert torch.equal(found["blocks.0.xfc.weight"], torch.ones(3, 2))


def test_what_else_was_trained_takes_the_place_of_what_was_there(tmp_path, hub):
    trained = {f"encoder.base_model.model.{LAYER}.base_layer.bias": torch.zeros(3), "decoder.0.weight": torch.ones(1)}
    found = change(tmp_path, FACTORS | trained)
    assert found[f"{LAYER}.bias"].tolist() == [0, 0, 0]
    assert set(found) == set(BASE)


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        ({key: value for key, value in FACTORS.items() if "lora_A" in key}, r"missing lora_B of blocks\.0\.fc"),
        ({}, r"missing lora_A of blocks\.0\.fc, lora_B of"),
        (FACTORS | {"base_model.model.blocks.1.fc.lora_A.weight": A}, r"unexpected lora_A of blocks\.1\.fc"),
        (FACTORS | {"base_model.model.surplus": A}, "unexpected surplus"),
        (FACTORS | {f"base_model.model.{LAYER}.lora_A.weight": torch.ones(1, 3)}, r"shape: .*\(1, 3\).*\(3, 2\)"),
        (FACTORS | {f"base_model.model.{LAYER}.lora_B.weight": torch.ones(3, 2)}, r"shape: lora_B \(3, 2\)"),
        (FACTORS | {f"base_model.model.{LAYER}.lora_A.weight": torch.ones(())}, r"lora_A \(\) of"),
        (FACTORS | {"base_model.model.norm.bias": torch.ones(3)}, r"shape: norm\.bias \(3,\) where \(2,\) is"),
    ],
)
def test_a_change_that_does_not_fit_is_named(tmp_path, hub, factors, words):
    with pytest.raises(InvalidInput, match=words) as caught:
        change(tmp_path, factors)
    assert "hf-hub:Org/Change/change.pth" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_layer_that_the_model_lacks_is_named(tmp_path, hub):
    with pytest.raises(InvalidInput, match=r"not there to be changed: blocks\.0\.fc"):
        change(tmp_path, base={"norm.bias": torch.ones(2)})


def test_a_model_that_cannot_be_had_is_named(tmp_path, hub):
    publish(tmp_path / "hub", "Org/Change", change__pth=FACTORS)
    (tmp_path / "hub/models/Org/Base").mkdir(parents=True)
    with pytest.raises(Unavailable, match="Org/Base has no model"):
        adapted_weights(SPEC, base_of(SPEC), r"(?!)")


CONFIG = {"architecture": "vit_tiny_patch16_224", "num_features": 24, "model_args": SMALL | {"img_size": 32}}


def whole_change(tmp_path, config):
    """A small tower and, in another repository, a change to one layer of it; the spec says no architecture."""
    network, layer = randomised(timm.create_model("vit_tiny_patch16_224", **CONFIG["model_args"])), "blocks.1.attn.proj"
    publish(tmp_path / "hub", "Org/Base", model__safetensors=network.state_dict(), config__json=config)
    key = f"base_model.model.{layer}.lora_"
    factors = {f"{key}A.weight": torch.ones(1, 24), f"{key}B.weight": torch.ones(24, 1)}
    publish(tmp_path / "hub", "Org/Change", change__pth=factors)
    with torch.no_grad():
        network.get_submodule(layer).weight += 0.5
    options = {"adapts": ADAPTS | {"layers": [layer]}}
    return replace(SPEC, dim=24, image_size=32, options=options), network


def test_the_configuration_is_that_of_what_is_changed(tmp_path, hub):
    spec, network = whole_change(tmp_path, CONFIG)
    image = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(load_module(spec)(image), network(image))


def test_a_contradiction_to_it_is_said_before_anything_is_downloaded(tmp_path, hub):
    spec, _ = whole_change(tmp_path, CONFIG | {"pretrained_cfg": {"mean": [0.5, 0.5, 0.5]}})
    with pytest.raises(InvalidInput, match=r"config\.json of Org/Base says mean \[0\.5.*'changed' says \(0\.485"):
        load_module(spec)
    assert not hub.requested("GET .*(safetensors|pth)")


def test_what_the_changed_model_lacks_is_said_of_it(tmp_path, hub):
    spec, network = whole_change(tmp_path, CONFIG)
    state = {key: value for key, value in network.state_dict().items() if key != "norm.bias"}
    publish(tmp_path / "hub", "Org/Base", model__safetensors=state)
    with pytest.raises(InvalidInput, match=r"Weights of hf-hub:Org/Base do not fit .* missing norm\.bias"):
        load_module(spec)


def test_another_commit_of_what_is_changed_is_another_extractor():
    other = replace(SPEC, options={**SPEC.options, "adapts": ADAPTS | {"revision": "3" * 40}})
    assert other.fingerprint() != SPEC.fingerprint()
