"""One tiny checkpoint for each way that published ones are written, as the Hub's ``Org/Tiny``.

Each function writes its files below ``tmp_path`` and gives the spec and the network that made them.
"""

from dataclasses import replace

import torch
import transformers
from checkpoints import (
    SMALL,
    SWIGLU,
    TIMM,
    Forward,
    coca_training_state,
    conch_keys,
    dino_training_state,
    dinov2_keys,
    open_clip_keys,
    publish,
    randomised,
    tower,
)
from published_networks import Gemma, GenBio, ISight, Musk, PathoDuet
from torch import nn

from plismbench.extractors.spec import ExtractorSpec, Pooling


def spec_of(architecture, dim=24, side=28, file="model.safetensors", prefix=1, **options):
    pooling = Pooling.OUTPUT if "head" in options or "pooler" in options or not prefix else Pooling.CLS
    tokens = {} if pooling is Pooling.OUTPUT and "head" in options else {"global_pool": ""}
    return ExtractorSpec(
        name="tiny", loader=TIMM, weights=f"hf-hub:Org/Tiny/{file}", revision="1" * 40, dim=dim, image_size=side,
        pooling=pooling, prefix_tokens=prefix,
        options={"architecture": architecture, "img_size": side, **SMALL, **tokens, **options},
    )  # fmt: skip


def of_transformers(spec, kind, config, tmp_path, attribute="last_hidden_state", **more):
    network = randomised(kind(config, **more))
    network.save_pretrained(tmp_path / "hub/models/Org/Tiny")  # the keys of the published files, and config.json
    return spec, Forward(network, attribute)


HF = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 28, "patch_size": 14}


def phikon(tmp_path):
    spec = spec_of("vit_base_patch16_224", side=32, layout="transformers", norm_eps=1e-12)
    config = transformers.ViTConfig(**HF | {"image_size": 32, "patch_size": 16}, intermediate_size=96)
    return of_transformers(spec, transformers.ViTModel, config, tmp_path, add_pooling_layer=False)


def phikon_v2(tmp_path):
    spec = spec_of("vit_large_patch16_224", side=32, layout="transformers", init_values=1.0)
    config = transformers.Dinov2Config(**HF | {"image_size": 32, "patch_size": 16})
    return of_transformers(spec, transformers.Dinov2Model, config, tmp_path)


def midnight(tmp_path):
    """Position embeddings of 6 × 6 patches, used at 4 × 4."""
    spec = spec_of("vit_giant_patch14_dinov2", side=56, layout="transformers", position={"antialias": False})
    config = transformers.Dinov2Config(**HF | {"image_size": 84}, use_swiglu_ffn=True)
    return of_transformers(spec, transformers.Dinov2Model, config, tmp_path)


def hibou(tmp_path):
    spec = spec_of(
        "vit_base_patch14_reg4_dinov2", prefix=5, layout="transformers", mlp_ratio=5.33334, init_values=1e-5, **SWIGLU
    )
    config = transformers.Dinov2WithRegistersConfig(**HF, use_swiglu_ffn=True)
    return of_transformers(spec, transformers.Dinov2WithRegistersModel, config, tmp_path)


def plip(tmp_path):
    spec = spec_of("vit_base_patch32_clip_quickgelu_224", dim=16, side=64, prefix=0, layout="transformers-clip",
                   head=[16])  # fmt: skip
    vision = HF | {"image_size": 64, "patch_size": 32, "intermediate_size": 96}
    text = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    whole = transformers.CLIPConfig(vision_config=vision, text_config=text, projection_dim=16)
    network = randomised(transformers.CLIPModel(whole))
    network.save_pretrained(tmp_path / "hub/models/Org/Tiny")
    return spec, Forward(network.get_image_features, "pooler_output")


def medsiglip(tmp_path):
    spec = spec_of("vit_so400m_patch14_siglip_384", prefix=0, layout="transformers-siglip", mlp_ratio=4.0,
                   act_layer="gelu_tanh", global_pool="map")  # fmt: skip
    text = {"hidden_size": 24, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    whole = transformers.SiglipConfig(vision_config=HF | {"intermediate_size": 96}, text_config=text)
    network = randomised(transformers.SiglipModel(whole))
    network.save_pretrained(tmp_path / "hub/models/Org/Tiny")
    return spec, Forward(network.get_image_features, "pooler_output")


def small_gemma(**changes):
    tower = {"num_heads": 2, "num_kv_heads": 2, "head_dim": 16, "intermediate_size": 64, "position_embedding_size": 8}
    spec = spec_of("gemma4_vit_167m_enc", side=96, prefix=0, layout="transformers-gemma", global_pool="soft",
                   **tower | changes)  # fmt: skip
    options = {key: value for key, value in spec.options.items() if key != "num_classes"}
    spec = replace(spec, pooling=Pooling.MEAN, options=options)
    config = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2,
              "head_dim": 16, "intermediate_size": 64, "use_clipped_linears": True,
              "position_embedding_size": 8}  # fmt: skip
    network = randomised(Gemma(transformers.Gemma4VisionConfig(**config | changes)))
    with torch.no_grad():  # at first they clip and scale nothing
        for name, value in network.named_buffers():
            if name.endswith(("_min", "_max")):
                value.fill_(-1.5 if name.endswith("_min") else 1.25)
            elif name.endswith(("std_bias", "std_scale")):
                value.uniform_(0.5, 1.5)
    state = {f"model.vision_tower.{key}": value for key, value in network.tower.state_dict().items()}
    vision = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 16}
    return spec, network, state, {"vision_config": vision}


BESIDE_GEMMA = {
    "model.language_model.x": torch.ones(2),
    "model.embed_vision.x": torch.ones(2),
    "lm_head.x": torch.ones(2),
}


def gemma(tmp_path):
    """9 patches a soft token; the file holds a language model too."""
    spec, network, state, config = small_gemma()
    publish(tmp_path / "hub", "Org/Tiny", model__safetensors=state | BESIDE_GEMMA, config__json=config)
    return spec, network


def gemma_in_shards(tmp_path, prefix=""):
    """The language model has a file of its own; the soft tokens are scaled."""
    spec, network, state, config = small_gemma(use_clipped_linears=False, standardize=True)
    spec = replace(spec, options=spec.options | {"prefix": prefix}) if prefix else spec
    state = {prefix + key: value for key, value in state.items()}
    keys = list(state)
    shards = {
        "a": {key: state[key] for key in keys[::2]},
        "b": {key: state[key] for key in keys[1::2]},
        "c": {prefix + key: value for key, value in BESIDE_GEMMA.items()},
    }
    holder = {key: f"model-{name}.safetensors" for name, held in shards.items() for key in held}
    files = {f"model-{name}__safetensors": held for name, held in shards.items()}
    index = {"metadata": {}, "weight_map": holder}
    publish(tmp_path / "hub", "Org/Tiny", **files, config__json=config, model__safetensors__index__json=index)
    return replace(spec, weights="hf-hub:Org/Tiny/model.safetensors.index.json"), network


def pathoduet(tmp_path):
    spec = spec_of("vit_base_patch16_224", side=32, prefix=0, file="checkpoint_IHC.pth", reg_tokens=1,
                   global_pool="avg", layout="pathoduet")  # fmt: skip
    network = randomised(PathoDuet())
    besides = {"bridge_token": torch.ones(2), "head.0.weight": torch.ones(2)}
    publish(tmp_path / "hub", "Org/Tiny", checkpoint_IHC__pth=network.state_dict() | besides)
    return spec, network


def isight(tmp_path):
    spec = spec_of("vit_large_patch14_clip_quickgelu_336", side=28, prefix=0, file="isight.pth", layout="isight",
                   num_classes=24, global_pool="avg", pool_include_prefix=True, final_norm=False,
                   fc_norm=False)  # fmt: skip
    text = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.CLIPConfig(vision_config=HF | {"intermediate_size": 96}, text_config=text)
    network = randomised(ISight(config))
    state = {"epoch": 3, "model_state_dict": network.state_dict(), "optimizer_state_dict": {}}
    publish(tmp_path / "hub", "Org/Tiny", isight__pth=state)
    return spec, network


def with_keys(spec, keys, tmp_path, file):
    module = tower(spec)
    publish(tmp_path / "hub", "Org/Tiny", **{file.replace(".", "__"): keys(module)})
    return spec, module


def gpfm(tmp_path):
    spec = spec_of("vit_large_patch14_dinov2", file="GPFM.pth", layout="dino", init_values=1e-5)
    return with_keys(spec, dinov2_keys, tmp_path, "GPFM.pth")


def openpath(tmp_path):
    spec = spec_of("vit_giant_patch14_reg4_dinov2", file="teacher.pth", prefix=5, layout="dino", init_values=1e-5)
    return with_keys(spec, dino_training_state, tmp_path, "teacher.pth")


def quilt(tmp_path):
    spec = spec_of("vit_base_patch32_clip_224", dim=16, side=64, prefix=0, file="open.bin", layout="open-clip",
                   head=[16])  # fmt: skip
    return with_keys(spec, open_clip_keys, tmp_path, "open.bin")


def omiclip(tmp_path):
    """Of four queries only the first counts."""
    spec = spec_of("vit_large_patch14_clip_224", dim=16, prefix=0, file="coca.pt", layout="coca", global_pool="",
                   final_norm=False, pooler="attention", head=[16], normalise=True)  # fmt: skip
    return with_keys(spec, coca_training_state, tmp_path, "coca.pt")


def exaone(tmp_path):
    spec = spec_of("vit_base_patch16_224", patch_size=14, layout="dino")
    return with_keys(
        spec, lambda module: {f"backbone.{k}": v for k, v in module.state_dict().items()}, tmp_path, "model.safetensors"
    )


def conch(tmp_path):
    spec = spec_of("vit_base_patch16_224", dim=16, side=32, file="conch.bin", layout="conch", pooler="attention")
    return with_keys(spec, conch_keys, tmp_path, "conch.bin")


def seal_conch(tmp_path):
    """What mahmoodlab/SEAL trains, saved as it is, beside the CONCH that it changes."""
    from peft import LoraConfig, get_peft_model

    base, _ = conch(tmp_path)
    layers = [f"trunk.blocks.1.{layer}" for layer in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")]
    adapts = {"weights": base.weights, "revision": "1" * 40, "prefix": "visual.", "layers": layers, "scale": 0.5}
    spec = replace(base, weights="hf-hub:Org/Change/seal.pth", options={**base.options, "adapts": adapts})
    network = get_peft_model(tower(base), LoraConfig(r=4, lora_alpha=2, target_modules=layers))
    with torch.no_grad():
        for name, value in network.named_parameters():
            if "lora_" in name:
                value.uniform_(-0.5, 0.5, generator=torch.Generator().manual_seed(len(name)))
    whole = nn.ModuleDict({"encoder": network, "decoder": nn.Sequential(nn.Linear(16, 4))})
    publish(tmp_path / "hub", "Org/Change", seal__pth={f"module.{key}": v for key, v in whole.state_dict().items()})
    return spec, network.eval()


def conch_v15(tmp_path):
    spec = spec_of("vit_large_patch16_224", dim=16, side=32, file="conch.bin", init_values=1.0, pooler="projections")
    return with_keys(spec, lambda module: module.state_dict(), tmp_path, "conch.bin")


def keep(tmp_path):
    spec = spec_of("vit_large_patch16_224", dim=16, side=32, prefix=0, layout="keep", init_values=1e-5, head=[20, 16],
                   normalise=True)  # fmt: skip

    def keys(module):
        state = {"logit_scale": torch.ones(1), "text.x": torch.ones(2)}
        for key, value in module.state_dict().items():
            key = key.replace("gamma", "weight")
            state[key.replace("head.", "visual_head.") if key.startswith("head.") else f"visual.{key}"] = value
        return state

    return with_keys(spec, keys, tmp_path, "model.safetensors")


def sinai(tmp_path):
    spec = spec_of("vit_small_patch16_224", side=32, file="pytorch_model.bin", layout="encoder")
    return with_keys(
        spec, lambda module: {f"encoder.{k}": v for k, v in module.state_dict().items()}, tmp_path, "pytorch_model.bin"
    )


def ctranspath(tmp_path):
    """Swin has buffers that no checkpoint has."""
    options = {"architecture": "swin_tiny_patch4_window7_224", "num_classes": 0, "img_size": 56, "embed_dim": 16,
               "depths": [1, 2], "num_heads": [2, 2],
               "embed_layer": "plismbench.extractors.towers.ConvStem"}  # fmt: skip
    spec = ExtractorSpec(name="tiny", loader=TIMM, weights="hf-hub:Org/Tiny/model.safetensors", revision="1" * 40,
                         dim=32, image_size=56, options=options)  # fmt: skip
    return with_keys(spec, lambda module: module.state_dict(), tmp_path, "model.safetensors")


def genbio(tmp_path):
    spec = spec_of("vit_7b_patch16_dinov3", dim=72, side=32, prefix=5, file="model.pth", layout="genbio",
                   mlp_ratio=8 / 3, in_chans=1, norm_eps=1e-6, rope="bfloat16", view="channels")  # fmt: skip
    network = randomised(GenBio())
    publish(tmp_path / "hub", "Org/Tiny", model__pth=network.state_dict())
    return spec, network


def musk(tmp_path):
    spec = spec_of("beit3_large_patch16_224", dim=48, side=32, layout="beit3", view="two-scales")
    spec = replace(spec, pooling=Pooling.OUTPUT)
    network = randomised(Musk())
    publish(tmp_path / "hub", "Org/Tiny", model__safetensors=network.state_dict())
    return spec, network


FAMILIES = [phikon, phikon_v2, midnight, hibou, plip, gpfm, openpath, quilt, conch, conch_v15, keep, sinai, ctranspath,
            genbio, musk, medsiglip, isight, omiclip, exaone, gemma, pathoduet]  # fmt: skip
