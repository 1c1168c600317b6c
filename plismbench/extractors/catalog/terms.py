"""Words that many entries of the catalog share."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from plismbench.extractors.checkpoints.locations import HUB, TIMM_MODEL, hub_repo
from plismbench.extractors.spec import ExtractorSpec, Pooling

Fields = dict[str, Any]

HUB_PAGE = "https://huggingface.co/"
LUNIT_PAGE = "https://github.com/lunit-io/benchmark-ssl-pathology"
LUNIT_FILES = f"{LUNIT_PAGE}/releases/download/pretrained-weights/"

# Normalisation, each with where it is published.
RAW: Fields = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}  # none
IMAGENET: Fields = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}  # the default of a spec
HALF: Fields = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}  # kaiko's code and card
BIOPTIMUS: Fields = {"mean": (0.707223, 0.578729, 0.703617), "std": (0.211883, 0.230117, 0.177517)}  # the cards
HIBOU: Fields = {"mean": (0.7068, 0.5755, 0.722), "std": (0.195, 0.2316, 0.1816)}  # preprocessor_config.json
# OpenAI's code.
CLIP: Fields = {"mean": (0.48145466, 0.4578275, 0.40821073), "std": (0.26862954, 0.26130258, 0.27577711)}
# Lunit's release page; its maintainers confirm them in issue 3 of lunit-io/benchmark-ssl-pathology.
LUNIT: Fields = {"mean": (0.70322989, 0.53606487, 0.66096631), "std": (0.21716536, 0.26081574, 0.20723464)}

# SwiGLU is written as one fused layer, so timm's mlp_ratio is twice what the papers say.
SWIGLU: Fields = {"mlp_layer": "timm.layers.SwiGLUPacked", "act_layer": "torch.nn.SiLU"}
DYNAMIC: Fields = {"dynamic_img_size": True}
LAYER_SCALE: Fields = {"init_values": 1e-5}


def tower(name: str, title: str, architecture: str, options: Mapping[str, Any], **facts: Any) -> ExtractorSpec:
    """A network of timm, without its classifier; the page of a Hub repository is its source.

    Args:
        name: as in a spec.
        title: as in a spec.
        architecture: timm's name.
        options: timm's keyword arguments, and what `loaders.timm_model` takes besides.
        facts: other fields of the spec.
    """
    every: Fields = {"architecture": architecture, "num_classes": 0, **options}
    return ExtractorSpec(name=name, title=title, loader=TIMM_MODEL, options=every, **(_page(facts) | facts))


def vit(name: str, title: str, architecture: str, options: Mapping[str, Any], **facts: Any) -> ExtractorSpec:
    """A `tower` that gives all tokens, pooled by the class token unless the facts say otherwise."""
    tokens: Fields = {"global_pool": "", "img_size": 224, **options}
    return tower(name, title, architecture, tokens, **({"pooling": Pooling.CLS, "prefix_tokens": 1} | facts))


def like(base: ExtractorSpec, name: str, title: str, **facts: Any) -> ExtractorSpec:
    """Another entry with the same facts but for these; its options are beside, or in place of, those of the first."""
    options = {**base.options, **facts.pop("options", {})}
    return replace(base, name=name, title=title, options=options, **(_page(facts) | facts))


def _page(facts: Fields) -> Fields:
    """The source of weights on the Hub."""
    weights = facts.get("weights", "")
    return {"source": HUB_PAGE + hub_repo(weights)[0]} if weights.startswith(HUB) else {}
