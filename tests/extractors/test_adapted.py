import pytest
import torch
from checkpoints import SMALL, TIMM, publish

from plismbench.errors import InvalidInput, Unavailable
from plismbench.extractors.adapted import adapted_weights
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
    return adapted_weights(spec, r"(?!)")


def test_a_change_alone_is_added_to_what_it_changes(tmp_path, hub):
    found = change(tmp_path)
    expected = BASE[f"{LAYER}.weight"].clone()
    for row in range(3):
        for column in range(2):
            expected[row, column] += 0.5 * B[row, 0] * A[0, column]
    assert torch.equal(found.pop(f"{LAYER}.weight"), expected)
    assert {key: value.tolist() for key, value in found.items()} == {f"{LAYER}.bias": [1, 1, 1], "norm.bias": [1, 1]}


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
        adapted_weights(SPEC, r"(?!)")
