import dataclasses

import pytest
from checkpoints import SMALL, TIMM, publish, tower

from plismbench.errors import InvalidInput
from plismbench.extractors import registry
from plismbench.extractors.hubconfig import check_hub_config, hub_architecture
from plismbench.extractors.loaders import load_module
from plismbench.extractors.spec import ExtractorSpec, Pooling

SPEC = ExtractorSpec(
    name="tiny", loader=TIMM, weights="hf-hub:Org/Tiny", revision="1" * 40, dim=24, pooling=Pooling.CLS,
    prefix_tokens=1, image_size=32,
    options={"architecture": "vit_small_patch16_224", "global_pool": "", "img_size": 32, "mlp_ratio": 4.0, **SMALL},
)  # fmt: skip
CLIP = dataclasses.replace(
    SPEC, dim=16, pooling=Pooling.OUTPUT, image_size=64,
    options={"architecture": "vit_base_patch32_clip_224", "layout": "open-clip", "img_size": 64, "head": [16], **SMALL},
)  # fmt: skip
TIMM_CONFIG = {
    "architecture": "vit_small_patch16_224", "num_features": 24,
    "model_args": {"mlp_ratio": 4, "init_values": 1e-5},
    "pretrained_cfg": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "input_size": [3, 32, 32]},
}  # fmt: skip
HF_CONFIG = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 16,
             "layer_norm_eps": 1e-6}  # fmt: skip
PREPROCESSOR = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "size": {"height": 32}}
OPEN_CLIP = {
    "model_cfg": {"embed_dim": 16, "vision_cfg": {"image_size": 64, "layers": 2, "width": 24}},
    "preprocess_cfg": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
}
HEADS = dataclasses.replace(SPEC, options={k: v for k, v in SPEC.options.items() if k not in SMALL} | {
    "embed_dim": 24, "depth": 2, "num_classes": 0})  # fmt: skip
HF = dataclasses.replace(SPEC, options={**SPEC.options, "layout": "transformers"})


def check(spec, hub, **files):
    publish(hub.root, "Org/Tiny", **files)
    check_hub_config(spec, tower(spec))


@pytest.mark.parametrize(
    ("spec", "files"),
    [
        (SPEC, {"config__json": TIMM_CONFIG}),
        (HF, {"config__json": HF_CONFIG, "preprocessor_config__json": PREPROCESSOR}),
        (CLIP, {"open_clip_config__json": OPEN_CLIP}),
        (SPEC, {"README__json": {}}),
        # The same layer by another name, and what only training has a use for.
        (SPEC, {"config__json": TIMM_CONFIG | {"model_args": {"act_layer": "gelu", "drop_path_rate": 0.4}}}),
        # A tile of the network's own size is not resized.
        (
            dataclasses.replace(SPEC, image_size=224, options=SPEC.options | {"img_size": 224}),
            {"config__json": TIMM_CONFIG | {"pretrained_cfg": {"interpolation": "bilinear"}}},
        ),
    ],
)
def test_what_agrees_or_says_nothing_is_fine(hub, spec, files):
    check(spec, hub, **files)


@pytest.mark.parametrize(
    ("spec", "files", "words"),
    [
        (SPEC, {"config__json": TIMM_CONFIG | {"architecture": "vit_base_patch16_224"}},
         "says architecture vit_base_patch16_224; extractor 'tiny' says vit_small_patch16_224"),
        (SPEC, {"config__json": TIMM_CONFIG | {"num_features": 25}}, "says num_features 25; extractor 'tiny' says 24"),
        (SPEC, {"config__json": TIMM_CONFIG | {"model_args": {"mlp_ratio": 2}}}, "says mlp_ratio 2; .* says 4.0"),
        (SPEC, {"config__json": TIMM_CONFIG | {"pretrained_cfg": {"mean": [0.5, 0.5, 0.5]}}},
         r"says mean \[0.5, 0.5, 0.5\]; extractor 'tiny' says \(0.485, 0.456, 0.406\)"),
        (SPEC, {"config__json": TIMM_CONFIG | {"pretrained_cfg": {"input_size": [3, 48, 48]}}},
         "says input_size 48; extractor 'tiny' says 32"),
        (SPEC, {"config__json": TIMM_CONFIG | {"model_args": {"qkv_norm": 1}}}, "says qkv_norm 1; .* cannot be built"),
        (SPEC, {"config__json": TIMM_CONFIG | {"model_args": {"patch_size": 8}}},
         r"says patch_size 8; extractor 'tiny' says \(16, 16\) \(patch_embed.patch_size\)"),
        (HEADS, {"config__json": TIMM_CONFIG | {"model_args": {"num_heads": 12}}},
         r"says num_heads 12; extractor 'tiny' says 6 \(blocks.0.attn.num_heads\)"),
        (SPEC, {"config__json": TIMM_CONFIG | {"model_args": {"act_layer": "torch.nn.SiLU"}}},
         r"says act_layer torch.nn.SiLU; extractor 'tiny' says GELU \(kind of blocks.0.mlp.act\)"),
        (SPEC, {"config__json": TIMM_CONFIG | {"model_args": {"norm_layer": "torch.nn.LayerNorm"}}},
         r"says norm_layer torch.nn.LayerNorm; extractor 'tiny' says 1e-06 \(.*norm.*eps\)"),
        (SPEC, {"config__json": TIMM_CONFIG | {"pretrained_cfg": {"interpolation": "bilinear"}}},
         "says interpolation bilinear; extractor 'tiny' says bicubic"),
        (HF, {"config__json": HF_CONFIG, "preprocessor_config__json": PREPROCESSOR | {"resample": 2}},
         "preprocessor_config.json of Org/Tiny says interpolation bilinear"),
        (HF, {"config__json": HF_CONFIG | {"hidden_act": "quick_gelu"}}, "says hidden_act quick_gelu; .* says gelu"),
        (HF, {"config__json": HF_CONFIG | {"use_swiglu_ffn": True}}, "says use_swiglu_ffn True; .* says False"),
        (CLIP, {"open_clip_config__json": {"model_cfg": {"vision_cfg": {"width": 24, "head_width": 8}}}},
         "says num_heads 3; .* says 2"),
        (CLIP, {"open_clip_config__json": OPEN_CLIP | {"preprocess_cfg": {"interpolation": "bilinear"}}},
         "says interpolation bilinear"),
        (HF, {"config__json": HF_CONFIG | {"layer_norm_eps": 1e-12}}, "says layer_norm_eps 1e-12; .* says 1e-06"),
        (HF, {"config__json": HF_CONFIG | {"num_attention_heads": 4}}, "says num_attention_heads 4; .* says 2"),
        (HF, {"config__json": HF_CONFIG, "preprocessor_config__json": PREPROCESSOR | {"image_std": [1, 1, 1]}},
         r"preprocessor_config.json of Org/Tiny says std \[1, 1, 1\]"),
        (CLIP, {"open_clip_config__json": {"model_cfg": OPEN_CLIP["model_cfg"] | {"quick_gelu": True}}},
         "says activation quick_gelu; extractor 'tiny' says gelu"),
    ],
)  # fmt: skip
def test_a_contradiction_names_both_values(hub, spec, files, words):
    with pytest.raises(InvalidInput, match=words) as caught:
        check(spec, hub, **files)
    assert "`differs`" in caught.value.hint


def test_a_tower_among_a_language_model_is_compared_with_its_part_of_the_configuration(hub):
    tower_of = {"num_heads": 2, "num_kv_heads": 2, "head_dim": 16, "position_embedding_size": 8}
    options = {"architecture": "gemma4_vit_167m_enc", "embed_dim": 24, "depth": 2, **tower_of}
    spec = dataclasses.replace(SPEC, image_size=96, options=options | {"layout": "transformers-gemma"})
    vision = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 16}
    check(spec, hub, config__json={"hidden_size": 2560, "vision_config": vision})
    with pytest.raises(InvalidInput, match=r"says num_hidden_layers 27; .* says 2"):
        check(
            dataclasses.replace(spec, revision="2" * 40),
            hub,
            config__json={"vision_config": vision | {"num_hidden_layers": 27}},
        )


def test_a_normalisation_that_only_training_code_tells_is_held_against_the_configuration(tmp_path, hub):
    """Prost40M: nothing is downloaded, and no vector is made, with another one."""
    spec = dataclasses.replace(registry.get("prost40m"), revision="1" * 40)
    told = {"architecture": "vit_small_patch16_224", "num_features": 384,
            "model_args": {"patch_size": 14, "img_size": 224, "num_classes": 0}}  # fmt: skip
    repo, pictures = "waticlems/Prost40M", TIMM_CONFIG["pretrained_cfg"] | {"input_size": [3, 224, 224]}
    publish(tmp_path / "hub", repo, config__json=told | {"pretrained_cfg": pictures | {"mean": [0.7, 0.6, 0.7]}})
    with pytest.raises(InvalidInput, match=r"says mean \[0.7, 0.6, 0.7\]; extractor 'prost40m' says \(0.485"):
        load_module(spec)
    assert not hub.requested("model.safetensors")
    files = {"config__json": told | {"pretrained_cfg": pictures}, "model__safetensors": tower(spec).state_dict()}
    folder = publish(tmp_path / "hub", repo, **files)
    assert load_module(dataclasses.replace(spec, revision=hub.commit(folder))).num_features == 384


def test_what_is_known_to_differ_is_let_pass(hub):
    spec = dataclasses.replace(SPEC, differs=("mean",))
    check(spec, hub, config__json=TIMM_CONFIG | {"pretrained_cfg": {"mean": [0.5, 0.5, 0.5]}})


def test_arguments_that_have_timm_read_files_are_not_taken(tmp_path, hub):
    besides = {"checkpoint_path": "/x", "pretrained": True, "pretrained_cfg": {}, "cache_dir": "/x",
               "features_only": True}  # fmt: skip
    publish(tmp_path / "hub", "Org/Tiny", config__json=TIMM_CONFIG | {"model_args": {"depth": 2, **besides}})
    assert hub_architecture(SPEC) == {"architecture": "vit_small_patch16_224", "depth": 2}


def test_an_architecture_is_read_with_its_arguments(tmp_path, hub):
    publish(tmp_path / "hub", "Org/Tiny", config__json=TIMM_CONFIG | {"global_pool": "avg"})
    publish(tmp_path / "hub", "Org/Other", config__json={"model_type": "vit"})
    assert hub_architecture(SPEC) == {
        "architecture": "vit_small_patch16_224", "global_pool": "avg", "mlp_ratio": 4, "init_values": 1e-5,
    }  # fmt: skip
    with pytest.raises(InvalidInput, match=r"Org/Other has no config\.json that names an architecture of timm"):
        hub_architecture(dataclasses.replace(SPEC, weights="hf-hub:Org/Other"))
