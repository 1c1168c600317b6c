"""What the configuration beside the weights says, against what the spec says."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from plismbench.errors import InvalidInput
from plismbench.extractors.spec import ExtractorSpec
from plismbench.extractors.weights import HUB, hub_json, hub_place

Claim = tuple[str, Any, Any]
# The checkpoint overwrites the first; the others are about the classifier, or the size that `input_size` tells.
_NOT_TAKEN = {"checkpoint_path", "cache_dir", "features_only"}
_NOT_COMPARED = {"init_values", "num_classes", "global_pool", "img_size"}


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
    told = config.get("model_args") or {}
    if not isinstance(told, Mapping):
        raise InvalidInput(f"config.json of {hub_place(spec)[0]} has model_args that are no table.")
    return {key: value for key, value in told.items() if key not in _NOT_TAKEN and not key.startswith("pretrained")}


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
    told = config.get("pretrained_cfg", config)
    architecture = config.get("architecture")
    if architecture is None:
        return
    yield "architecture", architecture.partition(".")[0], str(spec.options["architecture"]).partition(".")[0]
    yield "num_features", config.get("num_features"), getattr(module, "num_features", None)
    yield "mean", told.get("mean"), spec.mean
    yield "std", told.get("std"), spec.std
    yield "input_size", (told.get("input_size") or [None])[-1], spec.image_size
    for key, value in _model_args(config, spec).items():
        if key in spec.options and key not in _NOT_COMPARED:
            yield key, value, spec.options[key]


def _transformers(config: Mapping[str, Any], spec: ExtractorSpec, module: Any) -> Iterator[Claim]:
    told = config.get("vision_config", config)
    yield "hidden_size", told.get("hidden_size"), module.num_features
    yield "num_hidden_layers", told.get("num_hidden_layers"), len(module.blocks)
    yield "num_attention_heads", told.get("num_attention_heads"), module.blocks[0].attn.num_heads
    yield "patch_size", told.get("patch_size"), module.patch_embed.patch_size[0]
    yield "layer_norm_eps", told.get("layer_norm_eps"), module.norm.eps
    if "head" in spec.options:
        yield "hidden_act", told.get("hidden_act"), _activation(module)
        yield "projection_dim", config.get("projection_dim", told.get("projection_dim")), spec.dim


def _preprocessor(config: Mapping[str, Any], spec: ExtractorSpec, module: nn.Module) -> Iterator[Claim]:  # noqa: ARG001
    if config.get("do_normalize", True):
        yield "mean", config.get("image_mean"), spec.mean
        yield "std", config.get("image_std"), spec.std
    size = (config.get("do_center_crop") and config.get("crop_size")) or config.get("size")
    if isinstance(size, Mapping):
        size = size.get("height", size.get("shortest_edge"))
    yield "input_size", size, spec.image_size


def _open_clip(config: Mapping[str, Any], spec: ExtractorSpec, module: Any) -> Iterator[Claim]:
    told = config.get("model_cfg")
    if told is None:
        return
    vision, pictures = told.get("vision_cfg", {}), config.get("preprocess_cfg", {})
    yield "embed_dim", told.get("embed_dim"), spec.dim
    yield "layers", vision.get("layers"), len(module.blocks)
    yield "width", vision.get("width"), module.num_features
    yield "input_size", vision.get("image_size"), spec.image_size
    if "timm_model_name" not in vision:
        yield "activation", "quick_gelu" if told.get("quick_gelu") else "gelu", _activation(module)
    yield "mean", pictures.get("mean"), spec.mean
    yield "std", pictures.get("std"), spec.std


def _activation(module: Any) -> str:
    name = type(module.blocks[0].mlp.act).__name__
    return {"QuickGELU": "quick_gelu", "GELU": "gelu"}.get(name, name)


def _same(theirs: Any, ours: Any) -> bool:
    if isinstance(theirs, (list, tuple)):
        return len(theirs) == len(ours) and all(_same(a, b) for a, b in zip(theirs, ours, strict=True))
    if isinstance(theirs, (int, float)) and isinstance(ours, (int, float)):
        return math.isclose(theirs, ours, rel_tol=1e-4)
    return bool(theirs == ours)
