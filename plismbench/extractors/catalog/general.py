"""Models of natural images, and extractors without weights: what pathology models are measured against."""

from plismbench.extractors.catalog.terms import DYNAMIC, HALF, LUNIT, LUNIT_FILES, LUNIT_PAGE, RAW, like, tower, vit
from plismbench.extractors.spec import ExtractorSpec, Pooling, Precision

_BASELINES = "plismbench.extractors.baselines"

_DINOV2 = vit(
    "dinov2-vit-g14-reg", "DINOv2 ViT-g/14", "vit_giant_patch14_reg4_dinov2",
    {**DYNAMIC, "img_size": 518, "layout": "dino"}, organisation="Meta",
    weights="hf-hub:timm/vit_giant_patch14_reg4_dinov2.lvd142m", dim=1536, prefix_tokens=5,
    n_params=1_136_483_840, license="Apache-2.0", differs=("input_size",),  # trained at 518 px
)  # fmt: skip
_DINOV3 = vit(
    "dinov3-vit-b16", "DINOv3 ViT-B/16", "vit_base_patch16_dinov3", {"img_size": 256}, organisation="Meta",
    weights="hf-hub:timm/vit_base_patch16_dinov3.lvd1689m", dim=768, pooling=Pooling.MEAN, prefix_tokens=5,
    image_size=256, precision=Precision.BF16, n_params=85_641_216, license="DINOv3 License",
)  # fmt: skip
_RESNET = tower(
    "resnet50", "ResNet-50", "resnet50", {}, organisation="torchvision", weights="hf-hub:timm/resnet50.tv2_in1k",
    dim=2048, interpolation="bilinear", precision=Precision.FP32, n_params=23_508_032, license="BSD-3-Clause",
    differs=("input_size",),  # trained at 176 px, tested at 224
)  # fmt: skip
# The addresses are pinned by the SHA-256 of the files.
_LUNIT_RESNET = like(
    _RESNET, "lunit-resnet50-bt", "Lunit ResNet-50, Barlow Twins", organisation="Lunit",
    weights=LUNIT_FILES + "bt_rn50_ep200.torch", interpolation="bicubic", differs=(), **LUNIT,
    revision="1ecf2f0888b598708e912cab689e797db099ec48df07d3b0b1fac04bc767f899",
    license="Lunit Public License, non-commercial", source=LUNIT_PAGE,
)  # fmt: skip

GENERAL = (
    _DINOV2,
    like(_DINOV2, "dinov2-vit-l14", "DINOv2 ViT-L/14", dim=1024, prefix_tokens=1, image_size=518,
         weights="hf-hub:timm/vit_large_patch14_dinov2.lvd142m", n_params=304_367_616,
         revision="4741e1cafbf45415e77074bb0cb42dba76c8684a", differs=(),
         options={"architecture": "vit_large_patch14_dinov2"}),
    like(_DINOV2, "dinov2-vit-b14", "DINOv2 ViT-B/14", dim=768, prefix_tokens=1, image_size=518,
         weights="hf-hub:timm/vit_base_patch14_dinov2.lvd142m", n_params=86_579_712, differs=(),
         options={"architecture": "vit_base_patch14_dinov2"}),
    _DINOV3,
    like(_DINOV3, "dinov3-vit-l16", "DINOv3 ViT-L/16", dim=1024, n_params=303_079_424,
         weights="hf-hub:timm/vit_large_patch16_dinov3.lvd1689m", options={"architecture": "vit_large_patch16_dinov3"}),
    vit("vit-b16-imagenet", "ImageNet ViT-B/16", "vit_base_patch16_224", {}, organisation="Google",
        weights="hf-hub:timm/vit_base_patch16_224.augreg2_in21k_ft_in1k", dim=768, **HALF,
        n_params=85_798_656, license="Apache-2.0"),
    _RESNET,
    _LUNIT_RESNET,
    like(_LUNIT_RESNET, "lunit-resnet50-mocov2", "Lunit ResNet-50, MoCo v2",
         weights=LUNIT_FILES + "mocov2_rn50_ep200.torch",
         revision="caddcff7980577722e9227fb90e61364556f15978483b19a1729831e770733b6"),
    like(_LUNIT_RESNET, "lunit-resnet50-swav", "Lunit ResNet-50, SwAV",
         weights=LUNIT_FILES + "swav_rn50_ep200.torch",
         revision="bf99442e9ce3367e3895e80b4d24e7f21d74b3c791347970b91eb82bcefa366f"),
    like(_RESNET, "retccl", "RetCCL", organisation="Xiyue Wang et al.", image_size=256, differs=(),
         weights="hf-hub:jamesdolezal/RetCCL/retccl.pth", revision="076c6d18dd11f9ca951c6e294c31a021b42df494",
         license="GPL-3.0"),
)  # fmt: skip

_CONSTANT = ExtractorSpec(
    name="constant", title="One vector for all", organisation="plismbench", loader=f"{_BASELINES}:constant", dim=8,
    **RAW, n_params=0, license="Apache-2.0",
)  # fmt: skip

FLOOR = (
    _CONSTANT,
    like(_CONSTANT, "mean-color", "Mean colour", loader=f"{_BASELINES}:small_pixels", dim=3, options={"side": 1}),
    like(_CONSTANT, "small-pixels", "Thumbnail, 16 × 16",
         loader=f"{_BASELINES}:small_pixels", dim=768, options={"side": 16}),
    like(_CONSTANT, "color-stats", "Colour statistics", loader=f"{_BASELINES}:color_stats", dim=57),
    like(_CONSTANT, "hed-stats", "Stain statistics", loader=f"{_BASELINES}:hed_stats", dim=57),
    like(_CONSTANT, "random-vit-s", "Random ViT-S/16",
         loader=f"{_BASELINES}:random_timm", dim=384, **HALF, n_params=21_665_664,
         options={"architecture": "vit_small_patch16_224", "seed": 0}),
)  # fmt: skip
