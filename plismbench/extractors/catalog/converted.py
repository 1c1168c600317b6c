"""Pathology models whose keys become those of a timm tower: no remote code, one environment for all.

``layout`` names the table of `plismbench.extractors.checkpoints.key_maps`. Parameters are those of the tower that
makes the vector: without mask token, text tower and projections that are not used.
"""

from plismbench.extractors.catalog.terms import (
    CLIP,
    DYNAMIC,
    HALF,
    HIBOU,
    LAYER_SCALE,
    LUNIT,
    LUNIT_FILES,
    LUNIT_PAGE,
    RAW,
    SWIGLU,
    like,
    tower,
    vit,
)
from plismbench.extractors.spec import ExtractorSpec, Pooling, Precision

_KAIKO_FILES = "https://github.com/kaiko-ai/towards_large_pathology_fms/releases/download/0.0.1/"
_KAIKO_PAGE = "https://github.com/kaiko-ai/towards_large_pathology_FMs"
_HIPT_FILES = "https://media.githubusercontent.com/media/mahmoodlab/HIPT/780fafaed2e5b112bc1ed6e78852af1fe6714342/"
_PATHODUET_FILES = "https://github.com/loic-lb/HistoSSLModels/releases/download/PathoDuet/"
_FP32 = Precision.FP32
_GIANT = "vit_giant_patch14_reg4_dinov2"


def _kaiko(name: str, title: str, file: str, architecture: str, dim: int, n_params: int) -> ExtractorSpec:
    return vit(name, title, architecture, DYNAMIC, organisation="kaiko.ai", weights=_KAIKO_FILES + file, dim=dim,
               interpolation="bilinear", precision=_FP32, n_params=n_params, **HALF,
               license="Kaiko Non-Commercial Public License v1", source=_KAIKO_PAGE)  # fmt: skip


_KAIKO_B8 = _kaiko("kaiko-vit-b8", "Kaiko ViT-B/8", "vitb8.pth", "vit_base_patch8_224", 768, 85_807_872)
_HIBOU_B = vit(
    "hibou-b", "Hibou Base", "vit_base_patch14_reg4_dinov2",
    {**LAYER_SCALE, **SWIGLU, "mlp_ratio": 5.33334, "layout": "transformers"}, organisation="HistAI",
    weights="hf-hub:histai/hibou-b", revision="7fdc8cce365ebfd9e7e60ee6ee9a8d4d59388f3c",
    dim=768, prefix_tokens=5, precision=_FP32, **HIBOU,
    n_params=85_739_520, license="Apache-2.0", gated=True,
)  # fmt: skip
_LUNIT_S16 = vit(
    "lunit-vit-s16", "Lunit ViT-S/16", "vit_small_patch16_224", DYNAMIC, organisation="Lunit",
    weights=LUNIT_FILES + "dino_vit_small_patch16_ep200.torch", dim=384, precision=_FP32, **LUNIT,
    n_params=21_665_664, license="Lunit Public License, non-commercial", source=LUNIT_PAGE,
)  # fmt: skip
_OPENMIDNIGHT = vit(
    "openmidnight", "OpenMidnight", _GIANT, {**LAYER_SCALE, "layout": "dino"}, organisation="Sophont",
    weights="hf-hub:SophontAI/OpenMidnight/teacher_checkpoint_load.pt",
    revision="87189e6674d397a14a5cd342c97b1a1615a185aa", dim=1536, prefix_tokens=5, interpolation="bilinear",
    precision=_FP32, n_params=1_134_774_272, license="Apache-2.0", gated=True,
)  # fmt: skip
# MoCo v3's tower with a pretext token in front of the class token; the mean over the patches, normed last. Pixels are
# not normalised. Its authors' weights lie in a shared drive's folder; the address is of a copy. No SHA-256 is known.
_PATHODUET = vit(
    "pathoduet-he", "PathoDuet H&E", "vit_base_patch16_224",
    {"reg_tokens": 1, "global_pool": "avg", "layout": "pathoduet"}, organisation="Shanghai AI Laboratory, SJTU",
    weights=_PATHODUET_FILES + "checkpoint_HE.pth", dim=768, pooling=Pooling.OUTPUT, prefix_tokens=0,
    **RAW, interpolation="bilinear", precision=_FP32, n_params=85_800_192,
    license="CC-BY-NC-4.0", source="https://github.com/openmedlab/PathoDuet",
)  # fmt: skip

CONVERTED = (
    # Built at the 518 px of the checkpoint; the position embeddings are fitted at each forward pass, as kaiko does.
    like(_KAIKO_B8, "kaiko-vit-l14", "Kaiko ViT-L/14", weights=_KAIKO_FILES + "vitl14.pth", dim=1024, prefix_tokens=5,
         options={"architecture": "vit_large_patch14_reg4_dinov2", "img_size": 518, "layout": "dino"},
         n_params=304_370_688),
    _KAIKO_B8,
    _kaiko("kaiko-vit-b16", "Kaiko ViT-B/16", "vitb16.pth", "vit_base_patch16_224", 768, 85_798_656),
    _kaiko("kaiko-vit-s8", "Kaiko ViT-S/8", "vits8.pth", "vit_small_patch8_224", 384, 21_670_272),
    _kaiko("kaiko-vit-s16", "Kaiko ViT-S/16", "vits16.pth", "vit_small_patch16_224", 384, 21_665_664),
    # transformers fits the position embeddings of 518 px without antialiasing, and so does the published result.
    vit("midnight-12k", "Midnight-12k", "vit_giant_patch14_dinov2",
        {"layout": "transformers", "position": {"antialias": False}}, organisation="kaiko.ai",
        weights="hf-hub:kaiko-ai/midnight", revision="adc6b15679c981cce6f9b018bbad09d16eeeda9f",
        dim=3072, pooling=Pooling.CLS_MEAN, interpolation="bilinear", precision=_FP32, **HALF,
        n_params=1_134_769_664, license="MIT"),
    # The configuration says layer_norm_eps 1e-12; timm's own is 1e-6.
    vit("phikon", "Phikon", "vit_base_patch16_224", {"layout": "transformers", "norm_eps": 1e-12}, organisation="Owkin",
        weights="hf-hub:owkin/phikon", revision="057cc0295895c2df3dd7681a89680da6015cbefe",
        dim=768, interpolation="bilinear", precision=_FP32,
        n_params=85_798_656, license="Owkin non-commercial licence"),
    vit("phikon-v2", "Phikon v2", "vit_large_patch16_224", {"init_values": 1.0, "layout": "transformers"},
        organisation="Owkin", weights="hf-hub:owkin/phikon-v2", revision="2ae989a9c40cffaa27f0a6cb29cc94d1d6f9a5fd",
        dim=1024, precision=_FP32, n_params=303_350_784, license="Owkin non-commercial licence"),
    _HIBOU_B,
    like(_HIBOU_B, "hibou-l", "Hibou Large", dim=1024, n_params=303_657_216,
         weights="hf-hub:histai/hibou-L", revision="31a3b9fee16554c8552cb643d311733bce8faf7c",
         options={"architecture": "vit_large_patch14_reg4_dinov2", "mlp_ratio": 5.34375}),
    vit("gpfm", "GPFM", "vit_large_patch14_dinov2", {**LAYER_SCALE, **DYNAMIC, "layout": "dino"},
        organisation="HKUST SmartLab",
        weights="hf-hub:majiabo/GPFM/GPFM.pth", revision="c2e0c6c7cea4d7ae67151c3375d780712f82254e",
        dim=1024, precision=_FP32, n_params=303_227_904,
        license="MIT on the Hub, CC-BY-NC-ND-4.0 on GitHub"),
    _LUNIT_S16,
    like(_LUNIT_S16, "lunit-vit-s8", "Lunit ViT-S/8", n_params=21_670_272,
         weights=LUNIT_FILES + "dino_vit_small_patch8_ep200.torch", options={"architecture": "vit_small_patch8_224"}),
    _OPENMIDNIGHT,
    like(_OPENMIDNIGHT, "openpath", "OpenPath", organisation="Tae Joon Jun", gated=False,
         weights="hf-hub:taejoon89/openpath/teacher_checkpoint.pth",
         revision="22b339237195931eb56ea6c86653362edd2dd155"),
    _PATHODUET,
    like(_PATHODUET, "pathoduet-ihc", "PathoDuet IHC", weights=_PATHODUET_FILES + "checkpoint_IHC.pth"),
    # The published results fed both CONCHs 224 px; their authors use 448: `conch@448`, `conch-v1.5@448`.
    vit("conch", "CONCH", "vit_base_patch16_224",
        {"layout": "conch", "pooler": "attention", "position": {"interpolation": "bilinear", "antialias": False}},
        organisation="Mahmood Lab", pooling=Pooling.OUTPUT, prefix_tokens=0,
        weights="hf-hub:MahmoodLab/CONCH/pytorch_model.bin", revision="f9ca9f877171a28ade80228fb195ac5d79003357",
        dim=512, precision=_FP32, **CLIP,
        n_params=87_115_520, license="CC-BY-NC-ND-4.0", gated=True),
    vit("conch-v1.5", "CONCH v1.5", "vit_large_patch16_224",
        {"init_values": 1.0, "pooler": "projections", "position": {"antialias": False, "offset": 0.1}},
        organisation="Mahmood Lab", pooling=Pooling.OUTPUT, prefix_tokens=0,
        weights="hf-hub:MahmoodLab/conchv1_5/conch_v1_5_pytorch_model.bin",
        revision="dac6773d9961cfc75503440676ff157a2c6e8d2e", dim=768, interpolation="bilinear",
        n_params=306_109_184, license="CC-BY-NC-ND-4.0", gated=True),
    tower("ctranspath", "CTransPath", "swin_tiny_patch4_window7_224",
          {"img_size": 224, "embed_layer": "plismbench.extractors.towers.ConvStem"},
          organisation="Xiyue Wang et al., Tencent", weights="hf-hub:1aurent/swin_tiny_patch4_window7_224.CTransPath",
          revision="59c740e4ed91dda4ebe094b64e4cd2e015c31810", dim=768, interpolation="bilinear", precision=_FP32,
          n_params=27_520_038, license="GPL-3.0"),
    # The file and its keys are of the patch encoder; tiles are enlarged and their centre is cut out.
    vit("exaone-path-2.5", "EXAONE Path 2.5", "vit_base_patch16_224",
        {"patch_size": 14, "layout": "dino", "position": {"antialias": False, "offset": 0.1}},
        organisation="LG AI Research", weights="hf-hub:LGAI-EXAONE/EXAONE-Path-2.5/patch-encoder/model.safetensors",
        dim=768, resize=256, interpolation="bilinear", precision=Precision.BF16, n_params=85_706_496,
        license="EXAONEPath 1.0, non-commercial", gated=True,
        source="https://github.com/LG-AI-EXAONE/EXAONE-Path-2.5"),
    # Of 256 px, to which its authors' DINO fits the position embeddings of 224; the address holds a commit.
    vit("hipt", "HIPT ViT-256", "vit_small_patch16_224",
        {"img_size": 256, "layout": "dino", "position": {"antialias": False, "offset": 0.1}},
        organisation="Mahmood Lab", weights=_HIPT_FILES + "HIPT_4K/Checkpoints/vit256_small_dino.pth",
        revision="6960cd5a8657dc8bb214671aa0c6dbd3f5b698e84386884955836487ddc89e24",
        dim=384, image_size=256, precision=_FP32, **HALF, n_params=21_688_704,
        license="Apache-2.0 + Commons Clause", source="https://github.com/mahmoodlab/HIPT"),
    # One embedding of each colour channel. No commit is known.
    vit("genbio-pathfm", "GenBio-PathFM", "vit_7b_patch16_dinov3",
        {**DYNAMIC, "embed_dim": 1536, "depth": 40, "num_heads": 24, "mlp_ratio": 8 / 3, "in_chans": 1,
         "norm_eps": 1e-6, "rope": "bfloat16", "view": "channels", "layout": "genbio"},
        organisation="GenBio AI", weights="hf-hub:genbio-ai/genbio-pathfm/model.pth", dim=4608, prefix_tokens=5,
        mean=(0.697, 0.575, 0.728), std=(0.188, 0.24, 0.187), interpolation="bilinear", precision=_FP32,
        n_params=1_133_686_784, license="GenBio AI Community License",
        source="https://github.com/genbio-ai/genbio-pathfm"),
    # The recipe of its page for linear probes: multi-scale, without head and normalisation.
    vit("musk", "MUSK", "beit3_large_patch16_224",
        {"img_size": 384, "view": "two-scales", "layout": "beit3", "position": {"antialias": False}},
        organisation="Stanford, Li lab", pooling=Pooling.OUTPUT, prefix_tokens=0,
        weights="hf-hub:xiangjx/musk", revision="de1ffed28608c197d2903f6fa42b491a3fbf0fb8",
        dim=2048, image_size=384, **HALF, n_params=303_936_512, license="CC-BY-NC-ND-4.0", gated=True,
        source="https://github.com/lilab-stanford/MUSK"),
)  # fmt: skip
