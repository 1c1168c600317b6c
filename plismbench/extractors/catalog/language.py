"""Image towers of models that were trained with texts or gene expression; their keys become those of a timm tower.

Parameters are those of the tower that makes the vector, as in `converted`.
"""

from dataclasses import replace
from typing import Any

from plismbench.extractors.catalog.terms import CLIP, DYNAMIC, HALF, LAYER_SCALE
from plismbench.extractors.checkpoints.locations import TIMM_MODEL
from plismbench.extractors.spec import ExtractorSpec, Pooling, Precision

# transformers' CLIP has QuickGELU unless its configuration says otherwise; open_clip has GELU. Both are compared with
# the configuration on the Hub.
_PLIP = ExtractorSpec(
    name="plip", title="PLIP", organisation="Stanford, Zou lab", loader=TIMM_MODEL,
    weights="hf-hub:vinid/plip/pytorch_model.bin", revision="67ade53ddd32195868f422585f72698ef5d15094", dim=512,
    options={"architecture": "vit_base_patch32_clip_quickgelu_224", "layout": "transformers-clip", "num_classes": 0,
             "img_size": 224, "head": [512]},
    precision=Precision.FP32, **CLIP, n_params=87_849_216, license="MIT",
    source="https://huggingface.co/vinid/plip",
)  # fmt: skip
_QUILT = replace(
    _PLIP, name="quiltnet-b32", title="QuiltNet-B-32", organisation="University of Washington",
    weights="hf-hub:wisdomik/QuiltNet-B-32/open_clip_pytorch_model.bin",
    revision="8ce77289ce35a90b2f1db1137dfa4bc2df175e33", source="https://huggingface.co/wisdomik/QuiltNet-B-32",
    options={**_PLIP.options, "architecture": "vit_base_patch32_clip_224", "layout": "open-clip"},
)  # fmt: skip
_QUILT_16: dict[str, Any] = {
    "n_params": 86_192_640,
    "options": {**_QUILT.options, "architecture": "vit_base_patch16_clip_224"},
}

# A tile at the size that its processor gives a square; its soft tokens, of 3 x 3 patches each, are averaged as
# mahmoodlab/TRIDENT@a91fa84 does. The file, of 16 GB, holds the language model too. No commit is known.
_GEMMA = ExtractorSpec(
    name="gemma4-e4b-vision", title="Gemma 4 E4B, vision tower", organisation="Google", loader=TIMM_MODEL, dim=768,
    weights="hf-hub:google/gemma-4-E4B/model.safetensors", pooling=Pooling.MEAN, image_size=768,
    mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), precision=Precision.BF16,
    options={"architecture": "gemma4_vit_167m_enc", "layout": "transformers-gemma"},
    n_params=167_364_608, license="Gemma terms", gated=True, source="https://huggingface.co/google/gemma-4-E4B",
)  # fmt: skip

LANGUAGE = (
    _PLIP,
    _QUILT,
    replace(_QUILT, name="quiltnet-b16", title="QuiltNet-B-16", **_QUILT_16, revision=None,
            weights="hf-hub:wisdomik/QuiltNet-B-16/open_clip_pytorch_model.bin",
            source="https://huggingface.co/wisdomik/QuiltNet-B-16"),
    replace(_QUILT, name="quiltnet-b16-pmb", title="QuiltNet-B-16-PMB", **_QUILT_16, revision=None,
            weights="hf-hub:wisdomik/QuiltNet-B-16-PMB/open_clip_pytorch_model.bin",
            source="https://huggingface.co/wisdomik/QuiltNet-B-16-PMB"),
    replace(_PLIP, name="biomedclip", title="BiomedCLIP", organisation="Microsoft",
            weights="hf-hub:microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224/open_clip_pytorch_model.bin",
            revision="9f341de24bfb00180f1b847274256e9b65a3a32e", n_params=86_191_872,
            options={**_PLIP.options, "architecture": "vit_base_patch16_224", "layout": "open-clip"},
            source="https://huggingface.co/microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224"),
    replace(_PLIP, name="keep", title="KEEP", organisation="SJTU, MAGIC-AI4Med", dim=768,
            mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), n_params=304_728_576,
            weights="hf-hub:Astaxanthin/KEEP", revision="28a25d95cc6ba27a7e6fab3f144e13dbafd8b21e",
            options={"architecture": "vit_large_patch16_224", "layout": "keep", "num_classes": 0, "img_size": 224,
                     **LAYER_SCALE, **DYNAMIC, "head": [768, 768], "normalise": True},
            source="https://huggingface.co/Astaxanthin/KEEP"),
    # Its authors open it as open_clip's ViT-L-14, of 224 px. No commit is known.
    replace(_QUILT, name="patho-clip-l", title="Patho-CLIP-L", organisation="Sichuan University", dim=768,
            weights="hf-hub:WenchuanZhang/Patho-CLIP-L/Patho-CLIP-L.pt", revision=None, gated=True,
            options={**_QUILT.options, "architecture": "vit_large_patch14_clip_224", "head": [768]},
            n_params=303_966_208, license="see card", source="https://github.com/Wenchuan-Zhang/Patho-R1"),
    # open_clip's CoCa; of its 256 queries the first makes the vector, of unit length. No commit is known.
    replace(_QUILT, name="omiclip", title="OmiCLIP", organisation="Houston Methodist, Wang lab", dim=768,
            weights="hf-hub:WangGuangyuLab/Loki/checkpoint.pt", revision=None, license="BSD-3-Clause",
            options={"architecture": "vit_large_patch14_clip_224", "layout": "coca", "num_classes": 0, "img_size": 224,
                     "global_pool": "", "final_norm": False, "pooler": "attention", "head": [768], "normalise": True},
            n_params=306_529_024, source="https://github.com/GuangyuWangLab2021/Loki"),
    # The mean over all tokens, that of the class too, which have had no last norm, and a linear layer; linear layer and
    # mean can change places. No commit is known.
    replace(_PLIP, name="isight", title="iSight", organisation="Stanford, Nirschl lab", dim=1024, image_size=336,
            weights="hf-hub:nirschl-lab/iSight/checkpoints/iSight_model_checkpoint.pth", revision=None,
            options={"architecture": "vit_large_patch14_clip_quickgelu_336", "layout": "isight", "num_classes": 1024,
                     "img_size": 336, "global_pool": "avg", "pool_include_prefix": True, "final_norm": False,
                     "fc_norm": False},
            precision=Precision.FP16, n_params=304_555_008, license="see card",
            source="https://github.com/zhihuanglab/iSight"),
    # SigLIP's pooler, not of unit length. Its card enlarges tiles bilinearly, or as the processor does. No commit is
    # known.
    ExtractorSpec(
        name="medsiglip-448", title="MedSigLIP", organisation="Google", loader=TIMM_MODEL, dim=1152, image_size=448,
        weights="hf-hub:google/medsiglip-448", interpolation="bilinear", precision=Precision.FP32, **HALF,
        options={"architecture": "vit_so400m_patch14_siglip_384", "layout": "transformers-siglip", "num_classes": 0,
                 "img_size": 448, "act_layer": "gelu_tanh"},
        n_params=428_565_440, license="HAI-DEF terms", gated=True, differs=("interpolation",),
        source="https://huggingface.co/google/medsiglip-448"),
    _GEMMA,
    # The tower lies in one of several files, of about 50 GB; its soft tokens are scaled after they are pooled.
    replace(_GEMMA, name="gemma4-26b-vision", title="Gemma 4 26B-A4B, vision tower", dim=1152,
            weights="hf-hub:google/gemma-4-26B-A4B/model.safetensors.index.json",
            options={"architecture": "gemma4_vit_570m_enc", "layout": "transformers-gemma"},
            n_params=569_548_080, source="https://huggingface.co/google/gemma-4-26B-A4B"),
)  # fmt: skip
