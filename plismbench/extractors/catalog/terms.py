"""Words that many entries of the catalog share."""

from collections.abc import Mapping
from typing import Any

from plismbench.extractors.checkpoints.locations import TIMM_MODEL, hub_repo
from plismbench.extractors.spec import ExtractorSpec, Pooling

Fields = dict[str, Any]

HUB_PAGE = "https://huggingface.co/"
LUNIT_PAGE = "https://github.com/lunit-io/benchmark-ssl-pathology"
LUNIT_FILES = f"{LUNIT_PAGE}/releases/download/pretrained-weights/"

# Normalisation, each with where it is published. ImageNet's is the default of a spec.
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


def vit(name: str, title: str, architecture: str, options: Mapping[str, Any], **facts: Any) -> ExtractorSpec:
    """A vision transformer of timm that gives all tokens, pooled by the class token unless the facts say otherwise.

    Args:
        name: as in a spec.
        title: as in a spec.
        architecture: timm's name.
        options: timm's keyword arguments, and what `loaders.timm_model` takes besides.
        facts: other fields of the spec; the page of a Hub repository is its source.
    """
    repo, _ = hub_repo(facts.get("weights", ""))
    tokens: Fields = {"architecture": architecture, "num_classes": 0, "global_pool": "", "img_size": 224}
    given: Fields = {"pooling": Pooling.CLS, "prefix_tokens": 1, "source": HUB_PAGE + repo} | facts
    return ExtractorSpec(name=name, title=title, loader=TIMM_MODEL, options=tokens | dict(options), **given)
