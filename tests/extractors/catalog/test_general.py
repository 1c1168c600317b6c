"""The whole catalog against a file of facts that was gathered apart from it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch

from plismbench.extractors.catalog import CATALOG, LEFT_OUT
from plismbench.extractors.catalog.general import FLOOR
from plismbench.extractors.catalog.remote import REMOTE
from plismbench.extractors.spec import Pooling, Precision
from plismbench.extractors.towers import build_tower
from plismbench.published import published_names

FACTS = json.loads((Path(__file__).parent / "facts.json").read_text())
BY_NAME = {spec.name: spec for spec in CATALOG}
UNCOUNTED = {"rudolfv-2-b", "rudolfv-2-s", "path-foundation"}  # no count is published
WITH_WEIGHTS = [spec for spec in CATALOG if spec not in FLOOR]
TOWERS = [spec for spec in WITH_WEIGHTS if spec not in REMOTE]
CHECKED = [spec for spec in WITH_WEIGHTS if spec.name in FACTS]

# What a published count has and the tower has not.
_MASK, _POSITIONS = 1, 1370 - 257
PARAMETERS_LESS = {
    "midnight-12k": 1536 * (_MASK + _POSITIONS),  # position embeddings are fitted to 224 px when loading
    "phikon-v2": 1024 * _MASK,
    "hibou-b": 768 * (_MASK + 1),  # position embedding of the class token, added to it when loading
    "hibou-l": 1024 * (_MASK + 1),
    # The count is of 448 px and of all of the image tower; the vector needs neither the projection nor the captions.
    "conch": 768 * (785 - 197) + 512 * 512 + (90_392_832 - 86_250_240 - 1_316_864 - 512 * 512),
    # The file of facts counts 2,048 less at 448 px than at 224 px plus the position embeddings (the final norm).
    "conch-v1.5": 1024 * (785 - 197) - 2 * 1024,
    "musk": 1024 * (_MASK + 2) + 1024 * 1024,  # two positions that nothing stands at; the head for texts
    "hipt": -384 * (257 - 197),  # position embeddings are fitted to 256 px when loading
    "biomedclip": -768 * 512,  # facts count the trunk without its projection
    "omiclip": 255 * 768,  # queries that make captions
    "isight": 2 * 1024 - (1024 + 1) * 1024,  # facts count the trunk, with its last norm, without its projection
}
# The same licence in fewer words than the facts have.
LICENSES = {
    "Apache-2.0 (card adds research-only terms)": "Apache-2.0, research only",
    "CONFLICT: MIT (HF metadata) vs CC-BY-NC-ND-4.0 (GitHub LICENSE)": "MIT on the Hub, CC-BY-NC-ND-4.0 on GitHub",
    "Lunit Public License (non-commercial)": "Lunit Public License, non-commercial",
    "MIT (setup.py)": "MIT",
    "GPL-3.0 (weights, copyleft)": "GPL-3.0",
    "EXAONE NC": "EXAONEPath 1.0, non-commercial",
    "Waiv custom non-commercial": "Waiv, non-commercial",
    "Aignostics restrictive non-commercial (forbids training replicas)": "Aignostics, non-commercial, no replicas",
}
# Their pages say more than the facts' "see card" and "see repo".
LICENSES_ON_PAGES = {"prost40m": "Apache-2.0", "pathoduet-he": "CC-BY-NC-4.0", "pathoduet-ihc": "CC-BY-NC-4.0"}
# Published PLISM results fed 224 px; the facts say what the authors feed.
SIZE_224_AS_PUBLISHED = {"conch", "conch-v1.5"}
# The facts, "unverified", say 336; the authors' page opens it as open_clip's ViT-L-14, which has 224.
SIZE_224_AS_OPENED = {"patho-clip-l"}
# The facts have what another package does; its authors' code leaves out which, and torchvision's default is this.
BILINEAR_BY_DEFAULT = {"seal-univ2"}
# The facts, "not verified", count a class token for every transformer.
WITHOUT_CLASS_TOKEN = {"gemma4-e4b-vision", "gemma4-26b-vision"}


def test_every_model_is_in_the_catalog_or_says_why_not():
    assert len(BY_NAME) == len(CATALOG)
    assert set(FACTS) == {spec.name for spec in CHECKED} | set(LEFT_OUT)
    assert not set(BY_NAME) & set(LEFT_OUT)
    assert {spec.name for spec in WITH_WEIGHTS} - set(FACTS) == {"vit-b16-imagenet"}


def test_every_model_with_a_published_result_is_in_the_catalog():
    assert published_names() <= set(BY_NAME)


def test_every_entry_is_complete():
    for spec in CATALOG:
        assert spec.title
        assert spec.organisation
        assert spec.license
        assert (spec.n_params is None) == (spec.name in UNCOUNTED)
        assert not spec.trained_on_plism
        json.dumps(spec.as_dict())
    for spec in WITH_WEIGHTS:
        assert spec.source.startswith("https://")
        assert "architecture" in spec.options or spec in REMOTE


@pytest.mark.parametrize("spec", TOWERS, ids=lambda spec: spec.name)
def test_the_architecture_has_the_stated_parameters_and_dim(spec):
    with torch.device("meta"):
        module = build_tower(spec).eval()
        n_params = sum(parameter.numel() for parameter in module.parameters())
        del getattr(getattr(module, "trunk", module), "blocks", [])[1:]  # a block gives the shape that it takes
        output = module(torch.empty(2, 3, spec.image_size, spec.image_size))
    assert n_params == spec.n_params
    if "n_params" in FACTS.get(spec.name, {}):
        assert n_params == FACTS[spec.name]["n_params"] - PARAMETERS_LESS.get(spec.name, 0)
    if spec.pooling is Pooling.OUTPUT:
        assert output.shape == (2, spec.dim)
    else:
        assert output.shape[2] * (2 if spec.pooling is Pooling.CLS_MEAN else 1) == spec.dim
        side = spec.image_size // module.patch_embed.patch_size[0] // getattr(module, "pooling_kernel_size", 1)
        assert output.shape[1] == spec.prefix_tokens + side**2
        assert spec.prefix_tokens == module.num_prefix_tokens


@pytest.mark.parametrize("spec", CHECKED, ids=lambda spec: spec.name)
def test_facts_are_those_of_the_file(spec):
    fact = FACTS[spec.name]
    assert spec.dim == fact.get("dim", spec.dim)
    if "mean" in fact:
        assert spec.mean == tuple(fact["mean"])
        assert spec.std == tuple(fact["std"])
    if (
        "interpolation" in fact and spec.name not in BILINEAR_BY_DEFAULT
    ):  # its author's comes first, then what others use
        assert spec.interpolation == fact["interpolation"].split()[0]
    told = LICENSES.get(fact["license"], fact["license"])
    assert spec.license == LICENSES_ON_PAGES.get(spec.name, told)
    size = 224 if spec.name in SIZE_224_AS_PUBLISHED | SIZE_224_AS_OPENED else fact.get("image_size", spec.image_size)
    assert spec.image_size == size
    assert spec.gated == fact.get("gated", spec.gated)
    if spec.pooling is not Pooling.OUTPUT and spec.name not in WITHOUT_CLASS_TOKEN:
        assert spec.prefix_tokens == fact["prefix_tokens"]
    if "precision" in fact:
        assert spec.precision is Precision(fact["precision"].removesuffix("-autocast"))
    if spec.weights.startswith("hf-hub:") and len(fact.get("revision", "")) == 40:
        assert spec.revision == fact["revision"]
    if spec.weights.startswith("https:") and spec.revision:
        assert spec.revision == fact["sha256"]


def test_an_image_net_control_is_what_timm_says():
    spec = BY_NAME["vit-b16-imagenet"]
    told = timm.get_pretrained_cfg(spec.weights.partition("/")[2])
    assert (spec.mean, spec.std, told.input_size) == (told.mean, told.std, (3, 224, 224))
    assert spec.interpolation == told.interpolation


def test_listing_imports_neither_torch_nor_timm():
    code = "import sys; from plismbench.extractors import registry; registry.names(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
