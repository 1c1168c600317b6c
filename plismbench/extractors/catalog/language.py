"""Image towers of models that were trained with texts or gene expression; their keys become those of a timm tower.

Parameters are those of the tower that makes the vector, as in `converted`.
"""

from plismbench.extractors.catalog.terms import CLIP, DYNAMIC, HALF, IMAGENET, LAYER_SCALE, RAW, like, tower
from plismbench.extractors.checkpoints.locations import TIMM_MODEL
from plismbench.extractors.spec import ExtractorSpec, Pooling, Precision

# transformers' CLIP has QuickGELU unless its configuration says otherwise; open_clip has GELU. Both are compared with
# the configuration on the Hub.
_PLIP = tower(
    "plip", "PLIP", "vit_base_patch32_clip_quickgelu_224",
    {"layout": "transformers-clip", "img_size": 224, "head": [512]}, organisation="Stanford, Zou lab",
    weights="hf-hub:vinid/plip/pytorch_model.bin", revision="67ade53ddd32195868f422585f72698ef5d15094", dim=512,
    precision=Precision.FP32, **CLIP, n_params=87_849_216, license="MIT",
)  # fmt: skip
_QUILT = like(
    _PLIP, "quiltnet-b32", "QuiltNet-B-32", organisation="University of Washington",
    weights="hf-hub:wisdomik/QuiltNet-B-32/open_clip_pytorch_model.bin",
    revision="8ce77289ce35a90b2f1db1137dfa4bc2df175e33",
    options={"architecture": "vit_base_patch32_clip_224", "layout": "open-clip"},
)  # fmt: skip
_QUILT_16 = like(
    _QUILT, "quiltnet-b16", "QuiltNet-B-16", options={"architecture": "vit_base_patch16_clip_224"}, revision=None,
    weights="hf-hub:wisdomik/QuiltNet-B-16/open_clip_pytorch_model.bin", n_params=86_192_640,
)  # fmt: skip

# A tile at the size that its processor gives a square; its soft tokens, of 3 x 3 patches each, are averaged as
# mahmoodlab/TRIDENT@a91fa84 does. The file, of 16 GB, holds the language model too. No commit is known.
_GEMMA = ExtractorSpec(
    name="gemma4-e4b-vision", title="Gemma 4 E4B, vision tower", organisation="Google", loader=TIMM_MODEL, dim=768,
    weights="hf-hub:google/gemma-4-E4B/model.safetensors", pooling=Pooling.MEAN, image_size=768,
    options={"architecture": "gemma4_vit_167m_enc", "layout": "transformers-gemma"}, **RAW,
    precision=Precision.BF16, n_params=167_364_608, license="Gemma terms", gated=True,
    source="https://huggingface.co/google/gemma-4-E4B",
)  # fmt: skip

LANGUAGE = (
    _PLIP,
    _QUILT,
    _QUILT_16,
    like(_QUILT_16, "quiltnet-b16-pmb", "QuiltNet-B-16-PMB",
         weights="hf-hub:wisdomik/QuiltNet-B-16-PMB/open_clip_pytorch_model.bin"),
    like(_PLIP, "biomedclip", "BiomedCLIP", organisation="Microsoft",
         weights="hf-hub:microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224/open_clip_pytorch_model.bin",
         revision="9f341de24bfb00180f1b847274256e9b65a3a32e", n_params=86_191_872,
         options={"architecture": "vit_base_patch16_224", "layout": "open-clip"}),
    like(_PLIP, "keep", "KEEP", organisation="SJTU, MAGIC-AI4Med", dim=768, **IMAGENET, n_params=304_728_576,
         weights="hf-hub:Astaxanthin/KEEP", revision="28a25d95cc6ba27a7e6fab3f144e13dbafd8b21e",
         options={"architecture": "vit_large_patch16_224", "layout": "keep", **LAYER_SCALE, **DYNAMIC,
                  "head": [768, 768], "normalise": True}),
    # Its authors open it as open_clip's ViT-L-14, of 224 px. No commit is known.
    like(_QUILT, "patho-clip-l", "Patho-CLIP-L", organisation="Sichuan University", dim=768,
         weights="hf-hub:WenchuanZhang/Patho-CLIP-L/Patho-CLIP-L.pt", revision=None, gated=True,
         options={"architecture": "vit_large_patch14_clip_224", "head": [768]},
         n_params=303_966_208, license="see card", source="https://github.com/Wenchuan-Zhang/Patho-R1"),
    # open_clip's CoCa; of its 256 queries the first makes the vector, of unit length. No commit is known.
    like(_QUILT, "omiclip", "OmiCLIP", organisation="Houston Methodist, Wang lab", dim=768,
         weights="hf-hub:WangGuangyuLab/Loki/checkpoint.pt", revision=None, license="BSD-3-Clause",
         options={"architecture": "vit_large_patch14_clip_224", "layout": "coca", "global_pool": "",
                  "final_norm": False, "pooler": "attention", "head": [768], "normalise": True},
         n_params=306_529_024, source="https://github.com/GuangyuWangLab2021/Loki"),
    # The mean over all tokens, that of the class too, which have had no last norm, and a linear layer; linear layer and
    # mean can change places. No commit is known.
    tower("isight", "iSight", "vit_large_patch14_clip_quickgelu_336",
          {"layout": "isight", "num_classes": 1024, "img_size": 336, "global_pool": "avg", "pool_include_prefix": True,
           "final_norm": False, "fc_norm": False},
          organisation="Stanford, Nirschl lab", dim=1024, image_size=336,
          weights="hf-hub:nirschl-lab/iSight/checkpoints/iSight_model_checkpoint.pth", **CLIP, n_params=304_555_008,
          license="see card", source="https://github.com/zhihuanglab/iSight"),
    # SigLIP's pooler, not of unit length. Its card enlarges tiles bilinearly, or as the processor does. No commit is
    # known.
    tower("medsiglip-448", "MedSigLIP", "vit_so400m_patch14_siglip_384",
          {"layout": "transformers-siglip", "img_size": 448, "act_layer": "gelu_tanh"}, organisation="Google",
          weights="hf-hub:google/medsiglip-448", dim=1152, image_size=448, interpolation="bilinear",
          precision=Precision.FP32, **HALF, n_params=428_565_440, license="HAI-DEF terms", gated=True,
          differs=("interpolation",)),
    _GEMMA,
    # The tower lies in one of several files, of about 50 GB; its soft tokens are scaled after they are pooled.
    like(_GEMMA, "gemma4-26b-vision", "Gemma 4 26B-A4B, vision tower", dim=1152,
         weights="hf-hub:google/gemma-4-26B-A4B/model.safetensors.index.json",
         options={"architecture": "gemma4_vit_570m_enc"}, n_params=569_548_080),
)  # fmt: skip
