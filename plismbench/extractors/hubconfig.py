"""What the configuration beside the weights says, against what the spec says."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from plismbench.dataset import TILE_SIZE
from plismbench.errors import InvalidInput
from plismbench.extractors.checkpoints.locations import HUB
from plismbench.extractors.checkpoints.weights import hub_json, hub_place
from plismbench.extractors.options import LOADING
from plismbench.extractors.spec import ExtractorSpec
from plismbench.extractors.towers import build_tower

Claim = tuple[str, Any, Any]
# The checkpoint overwrites the first; then what is about the classifier, or the size that `input_size` tells; the
# others do nothing when nothing is trained, or at the size that the network is built for.
_NOT_COMPARED = {
    "init_values", "num_classes", "global_pool", "img_size", "weight_init", "fix_init", "dynamic_img_size",
    "dynamic_img_pad", "drop_rate", "drop_path_rate", "pos_drop_rate", "patch_drop_rate", "proj_drop_rate",
    "attn_drop_rate",
}  # fmt: skip
# What layers that do the same need not both have: torch's GELU says how it approximates, timm's does not.
_PLAIN = {"inplace": False, "approximate": "none"}
# How Pillow, and so transformers, numbers them.
_RESAMPLING = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}


def hub_architecture(spec: ExtractorSpec) -> dict[str, Any]:
    """The timm architecture that the ``config.json`` beside the weights names, with its arguments, as options.

    Raises:
        AccessDenied, Unavailable: if the repository cannot be had.
        InvalidInput: if it does not name one.
    """
    config = hub_json(spec, "config.json")
    if not isinstance(config.get("architecture"), str):
        raise InvalidInput(
            f"{hub_place(spec)[0]} has no config.json that names an architecture of timm.",
            hint="Describe the model in a TOML file, with `architecture` and `layout` among its options.",
        )
    pooling = {"global_pool": config["global_pool"]} if "global_pool" in config else {}
    return {**pooling, **_model_args(config, spec), "architecture": config["architecture"]}


def _model_args(config: Mapping[str, Any], spec: ExtractorSpec) -> dict[str, Any]:
    """What a repository says of its architecture, without what would have timm read files or give something else."""
    arguments = config.get("model_args") or {}
    if not isinstance(arguments, Mapping):
        raise InvalidInput(f"config.json of {hub_place(spec)[0]} has model_args that are no table.")
    return {key: value for key, value in arguments.items() if key not in LOADING}


def check_hub_config(spec: ExtractorSpec, module: nn.Module) -> None:
    """Compares a network and its spec with the configuration that lies on the Hub, where there is one.

    Raises:
        InvalidInput: if they contradict each other in a field that the spec's ``differs`` does not
            name; the message has both values.
    """
    if not spec.weights.startswith(HUB):
        return
    layout = str(spec.options.get("layout", "timm"))
    if layout.startswith("transformers"):
        files = {"config.json": _transformers, "preprocessor_config.json": _preprocessor}
    elif layout == "open-clip":
        files = {"open_clip_config.json": _open_clip}
    else:
        files = {"config.json": _timm}
    for file, claims in files.items():
        for field, theirs, ours in claims(hub_json(spec, file), spec, module):
            if theirs is not None and field not in spec.differs and not _same(theirs, ours):
                raise InvalidInput(
                    f"{file} of {hub_place(spec)[0]} says {field} {theirs}; extractor '{spec.name}' says {ours}.",
                    hint="If the spec is right, name the field in its `differs`.",
                )


def _timm(config: Mapping[str, Any], spec: ExtractorSpec, module: nn.Module) -> Iterator[Claim]:
    pretrained = config.get("pretrained_cfg", config)
    architecture = config.get("architecture")
    if architecture is None:
        return
    yield "architecture", architecture.partition(".")[0], str(spec.options["architecture"]).partition(".")[0]
    yield "num_features", config.get("num_features"), getattr(module, "num_features", None)
    yield "mean", pretrained.get("mean"), spec.mean
    yield "std", pretrained.get("std"), spec.std
    yield "input_size", (pretrained.get("input_size") or [None])[-1], spec.image_size
    for key, value in _model_args(config, spec).items():
        if key in _NOT_COMPARED or (key in spec.options and _same(value, spec.options[key])):
            continue
        ours = _other_than(spec, module, key, value)
        if ours is not None:
            yield key, value, spec.options.get(key, ours)
    yield from _interpolation(pretrained.get("interpolation"), spec)


def _interpolation(theirs: Any, spec: ExtractorSpec) -> Iterator[Claim]:
    """Said only where tiles are resized: at their own size they are taken as they are."""
    if (spec.resize or spec.image_size) != TILE_SIZE:
        yield "interpolation", theirs, spec.interpolation


def _other_than(spec: ExtractorSpec, module: nn.Module, key: str, value: Any) -> Any:
    """What the network has that it would not have with this argument; None if it is the same network.

    The network of the spec is built once more, with the repository's word for one argument.
    """
    ours = {name: told for name, told in spec.options.items() if name != "norm_eps" or key != "norm_layer"}
    try:
        with torch.device("meta"):
            other = _parts(build_tower(replace(spec, options={**ours, key: value})))
    except InvalidInput:
        return "something that cannot be built so"
    own = _parts(module)
    unlike = [name for name in (*own, *other) if own.get(name) != other.get(name)]
    # The number of the argument's own name says most, then another kind of layer, then what follows from either.
    unlike.sort(key=lambda name: (not name.endswith(f".{key}"), not name.startswith("kind of ")))
    return f"{own.get(unlike[0], 'nothing')} ({unlike[0]})" if unlike else None


def _parts(module: nn.Module) -> dict[str, Any]:
    """Everything by which two networks without weights can differ: kinds of layers, their numbers, their shapes."""
    found: dict[str, Any] = {}
    for name, layer in module.eval().named_modules():
        at = f"{name}." if name else ""
        numbers = {
            word: value
            for word, value in vars(layer).items()
            if isinstance(value, (bool, int, float, str, tuple)) and word[0] != "_" and value != _PLAIN.get(word)
        }
        shapes = {word: tuple(value.shape) for word, value in layer.named_parameters(recurse=False)}
        found |= {f"{at}{word}": value for word, value in (numbers | shapes).items()}
        found[f"kind of {name or 'network'}"] = type(layer).__name__
    return found


def _transformers(config: Mapping[str, Any], spec: ExtractorSpec, module: Any) -> Iterator[Claim]:
    vision = config.get("vision_config", config)
    yield "hidden_size", vision.get("hidden_size"), module.num_features
    yield "num_hidden_layers", vision.get("num_hidden_layers"), len(module.blocks)
    yield "num_attention_heads", vision.get("num_attention_heads"), module.blocks[0].attn.num_heads
    yield "patch_size", vision.get("patch_size"), module.patch_embed.patch_size[0]
    if "layer_norm_eps" in vision:
        yield "layer_norm_eps", vision["layer_norm_eps"], module.norm.eps
    from timm.layers.mlp import GluMlp, SwiGLU

    gated = isinstance(module.blocks[0].mlp, (GluMlp, SwiGLU))
    yield "use_swiglu_ffn", vision.get("use_swiglu_ffn"), gated
    if not gated:  # a gated one has no use for what the configuration says
        yield "hidden_act", vision.get("hidden_act"), _activation(module)
    if "head" in spec.options:
        yield "projection_dim", config.get("projection_dim", vision.get("projection_dim")), spec.dim


def _preprocessor(config: Mapping[str, Any], spec: ExtractorSpec, _: nn.Module) -> Iterator[Claim]:
    if config.get("do_normalize", True):
        yield "mean", config.get("image_mean"), spec.mean
        yield "std", config.get("image_std"), spec.std
    size = (config.get("do_center_crop") and config.get("crop_size")) or config.get("size")
    if isinstance(size, Mapping):
        size = size.get("height", size.get("shortest_edge"))
    yield "input_size", size, spec.image_size
    yield from _interpolation(_RESAMPLING.get(config.get("resample", -1)), spec)


def _open_clip(config: Mapping[str, Any], spec: ExtractorSpec, module: Any) -> Iterator[Claim]:
    model = config.get("model_cfg")
    if model is None:
        return
    vision, pictures = model.get("vision_cfg", {}), config.get("preprocess_cfg", {})
    yield "embed_dim", model.get("embed_dim"), spec.dim
    yield "layers", vision.get("layers"), len(module.blocks)
    yield "width", vision.get("width"), module.num_features
    if "head_width" in vision and "width" in vision:
        yield "num_heads", vision["width"] // vision["head_width"], module.blocks[0].attn.num_heads
    yield "patch_size", vision.get("patch_size"), module.patch_embed.patch_size[0]
    yield "input_size", vision.get("image_size"), spec.image_size
    yield from _interpolation(pictures.get("interpolation"), spec)
    if "timm_model_name" not in vision:
        yield "activation", "quick_gelu" if model.get("quick_gelu") else "gelu", _activation(module)
    yield "mean", pictures.get("mean"), spec.mean
    yield "std", pictures.get("std"), spec.std


def _activation(module: Any) -> str:
    name = type(module.blocks[0].mlp.act).__name__
    return {"QuickGELU": "quick_gelu", "GELU": "gelu", "GELUTanh": "gelu_pytorch_tanh"}.get(name, name)


def _same(theirs: Any, ours: Any) -> bool:
    if isinstance(theirs, (list, tuple)):
        return len(theirs) == len(ours) and all(_same(a, b) for a, b in zip(theirs, ours, strict=True))
    if isinstance(theirs, (int, float)) and isinstance(ours, (int, float)):
        return math.isclose(theirs, ours, rel_tol=1e-4)
    return bool(theirs == ours)
