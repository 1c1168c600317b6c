import pytest
import torch

from plismbench.errors import InvalidInput
from plismbench.extractors.checkpoints.key_maps import KEY_MAPS, KeyMap, rearranged


def test_parts_are_joined_in_their_order():
    parts = {f"encoder.layer.0.attention.attention.{name}.bias": torch.full((2,), value)
             for name, value in (("value", 3.0), ("query", 1.0), ("key", 2.0))}  # fmt: skip
    found, origins = rearranged(parts, KEY_MAPS["transformers"], ())
    assert found["blocks.0.attn.qkv.bias"].tolist() == [1, 1, 2, 2, 3, 3]
    assert origins["blocks.0.attn.qkv.bias"] == "encoder.layer.0.attention.attention.query.bias"


def test_gate_and_value_of_a_newer_swiglu_are_one_layer():
    state = {"encoder.layer.0.mlp.up_proj.bias": torch.tensor([2.0]),
             "encoder.layer.0.mlp.gate_proj.bias": torch.tensor([1.0]),
             "encoder.layer.0.mlp.down_proj.bias": torch.tensor([3.0])}  # fmt: skip
    found, _ = rearranged(state, KEY_MAPS["transformers"], ())
    assert {key: value.tolist() for key, value in found.items()} == {
        "blocks.0.mlp.fc1.bias": [1, 2], "blocks.0.mlp.fc2.bias": [3],
    }  # fmt: skip


def test_a_part_without_the_others_keeps_its_name():
    found, origins = rearranged({"vision_model.encoder.layers.3.self_attn.q_proj.bias": torch.ones(1)},
                                KEY_MAPS["transformers-clip"], ())  # fmt: skip
    assert origins == {"blocks.3.attn.query.bias": "vision_model.encoder.layers.3.self_attn.q_proj.bias"}
    assert list(found) == list(origins)


def test_other_parts_are_dropped_and_nothing_else():
    state = {"text.x": torch.ones(1), "visual.ln_caption.bias": torch.ones(1), "visual.other": torch.ones(1)}
    assert list(rearranged(state, KEY_MAPS["conch"], ())[0]) == ["other"]


def test_blocks_in_chunks_are_taken_out_of_them_and_stages_of_blocks_are_not():
    chunked = {"blocks.0.0.x": torch.ones(1), "blocks.1.1.x": torch.zeros(1)}
    assert list(rearranged(chunked, KEY_MAPS["dino"], {"blocks.0.x", "blocks.1.x"})[0]) == ["blocks.0.x", "blocks.1.x"]
    staged = {"module.blocks.0.0.x": torch.ones(1), "module.blocks.1.0.x": torch.zeros(1)}
    found = rearranged(staged, KEY_MAPS["dino"], {"blocks.0.0.x", "blocks.1.0.x"})[0]
    assert list(found) == ["blocks.0.0.x", "blocks.1.0.x"]


@pytest.mark.parametrize(
    ("layout", "key"),
    [
        ("transformers", "pooler.dense.weight"),
        ("transformers-clip", "vision_model.embeddings.position_ids"),  # a buffer of older versions
        ("encoder", "head.weight"),
        ("encoder", "fc.weight"),
        ("timm", "fc.weight"),
        ("timm", "classifier.weight"),
        ("timm", "layers.0.blocks.1.attn_mask"),
        ("timm", "layers.0.blocks.1.attn.relative_position_index"),
    ],
)
def test_what_published_files_hold_besides_is_left_out(layout, key):
    assert rearranged({key: torch.ones(1)}, KEY_MAPS[layout], ()) == ({}, {})


def test_a_tower_of_timm_in_open_clip_keeps_its_names():
    state = {"visual.trunk.blocks.0.norm1.bias": torch.ones(1), "visual.head.proj.weight": torch.ones(1)}  # BiomedCLIP
    assert list(rearranged(state, KEY_MAPS["open-clip"], ())[0]) == ["blocks.0.norm1.bias", "head.0.weight"]


def test_a_classifier_that_the_tower_has_is_kept():
    state = {"head.weight": torch.ones(1)}
    assert list(rearranged(state, KEY_MAPS["timm"], ())[0]) == []
    assert list(rearranged(state, KEY_MAPS["timm"], ("head.weight",))[0]) == ["head.weight"]


def test_one_name_for_two_keys_is_an_error():
    with pytest.raises(InvalidInput, match=r"Keys x\.a and a of the checkpoint both become a"):
        rearranged({"x.a": torch.ones(1), "a": torch.ones(1)}, KeyMap(rename=((r"^x\.", ""),)), ())


@pytest.mark.parametrize(
    ("layout", "key", "becomes", "values"),
    [
        ("open-clip", "module.visual.proj", "head.0.weight", [[0, 2, 4], [1, 3, 5]]),
        ("open-clip", "visual.head.proj.weight", "head.0.weight", [[0, 1], [2, 3], [4, 5]]),
        ("coca", "visual.proj", "head.0.weight", [[0, 2, 4], [1, 3, 5]]),
        ("coca", "visual.attn_pool.query", "attn_pool_contrast.query", [[0, 1]]),
        ("beit3", "beit3.encoder.embed_positions.A.weight", "pos_embed", [[[4, 5]]]),  # the first two are of fairseq
    ],
)
def test_a_tensor_that_lies_otherwise_is_changed(layout, key, becomes, values):
    found, _ = rearranged({key: torch.arange(6).reshape(3, 2)}, KEY_MAPS[layout], ())
    assert {name: value.tolist() for name, value in found.items()} == {becomes: values}


def test_pixels_of_three_channels_become_three_planes():
    key = "model.vision_tower.patch_embedder.input_proj.weight"
    found, _ = rearranged({key: torch.arange(6).reshape(1, 6)}, KEY_MAPS["transformers-gemma"], ())
    assert found["patch_embed.input_proj.weight"].tolist() == [[0, 3, 1, 4, 2, 5]]
