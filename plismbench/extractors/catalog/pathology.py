"""Pathology models whose weights lie on the Hub in timm's own layout.

Default pooling and size are those of the published PLISM results where there are any. Sources of
the numbers: the model card named by each entry; where tools disagree, owkin/plism-benchmark@b4f32b7.
"""

from plismbench.extractors.catalog.terms import BIOPTIMUS, DYNAMIC, LAYER_SCALE, SWIGLU, like, vit
from plismbench.extractors.spec import Pooling, Precision

_NO_DERIVATIVES = "CC-BY-NC-ND-4.0"
_GIANT = "vit_giant_patch14_reg4_dinov2"

_H_OPTIMUS_0 = vit(
    "h-optimus-0", "H-Optimus-0", _GIANT, {**LAYER_SCALE, "dynamic_img_size": False}, organisation="Bioptimus",
    weights="hf-hub:bioptimus/H-optimus-0", revision="b145cc1e6c6b30d3251aa8b1f844e6974188a743",
    dim=1536, prefix_tokens=5, **BIOPTIMUS, n_params=1_134_774_272, license="Apache-2.0", gated=True,
)  # fmt: skip
_UNI = vit(
    "uni", "UNI", "vit_large_patch16_224", {**LAYER_SCALE, **DYNAMIC, "patch_size": 16}, organisation="Mahmood Lab",
    weights="hf-hub:MahmoodLab/UNI", revision="b55a5ec6cade1a39edfe6534189a9b8ca7a022f0",
    dim=1024, interpolation="bilinear", n_params=303_350_784, license=_NO_DERIVATIVES, gated=True,
)  # fmt: skip
_VIRCHOW = vit(
    "virchow", "Virchow", "vit_huge_patch14_224", {**LAYER_SCALE, **SWIGLU, "mlp_ratio": 5.3375},
    organisation="Paige, Microsoft Research",
    weights="hf-hub:paige-ai/Virchow", revision="19eebc84ae33e79f1b2d866e6ff90ae50e522f9a",
    dim=2560, pooling=Pooling.CLS_MEAN, n_params=631_229_184, license="Apache-2.0", gated=True,
)  # fmt: skip

TIMM_HUB = (
    vit("h0-mini", "H0-Mini", "vit_base_patch14_reg4_dinov2", {**LAYER_SCALE, **SWIGLU, "mlp_ratio": 5.33334},
        organisation="Bioptimus, Owkin",
        weights="hf-hub:bioptimus/H0-mini", revision="5b5cc0505d19ae558270045eb0df8c34df4d9609",
        dim=768, prefix_tokens=5, **BIOPTIMUS,
        n_params=85_739_520, license=_NO_DERIVATIVES, gated=True),
    _H_OPTIMUS_0,
    # Same tower as H-Optimus-0; without published PLISM results, as access was not granted.
    like(_H_OPTIMUS_0, "h-optimus-1", "H-Optimus-1", license=_NO_DERIVATIVES,
         weights="hf-hub:bioptimus/H-optimus-1", revision="3592cb220dec7a150c5d7813fb56e68bd57473b9"),
    _VIRCHOW,
    # Its registers have position embeddings (261 rows), unlike those of the other models with registers.
    like(_VIRCHOW, "virchow2", "Virchow2", prefix_tokens=5, options={"reg_tokens": 4},
         weights="hf-hub:paige-ai/Virchow2", revision="3158645804b69e3f3bc4439d4116edddf0840a72",
         n_params=631_239_424, license=_NO_DERIVATIVES),
    _UNI,
    vit("uni2-h", "UNI2-h", "vit_giant_patch14_224",
        {**LAYER_SCALE, **DYNAMIC, **SWIGLU, "patch_size": 14, "depth": 24, "num_heads": 24, "embed_dim": 1536,
         "mlp_ratio": 5.33334, "no_embed_class": True, "reg_tokens": 8},
        organisation="Mahmood Lab",
        weights="hf-hub:MahmoodLab/UNI2-h", revision="d517a8dd47902dd7c308b3c36f63bce47e7b9a43",
        dim=1536, prefix_tokens=9, interpolation="bilinear", precision=Precision.BF16,
        n_params=681_394_176, license=_NO_DERIVATIVES, gated=True),
    # timm's name says patch 14; the model has patches of 16. Its recipe enlarges tiles and cuts out the centre.
    vit("prov-gigapath", "Prov-GigaPath", "vit_giant_patch14_dinov2",
        {**LAYER_SCALE, "patch_size": 16, "embed_dim": 1536, "depth": 40, "num_heads": 24, "mlp_ratio": 5.33334},
        organisation="Microsoft Research, Providence",
        weights="hf-hub:prov-gigapath/prov-gigapath", revision="eba85dd46097c3eedfcc2a3a9a930baecb6bcc19",
        dim=1536, resize=256, n_params=1_134_953_984, license="Apache-2.0, research only", gated=True),
    # Its own package registers the architecture that its configuration names.
    vit("gigapath-flash", "GigaPath-Flash", "vit_small_patch16_224",
        {**LAYER_SCALE, **SWIGLU, "mlp_ratio": 5.333333333333333}, organisation="Microsoft Research, Providence",
        weights="hf-hub:prov-gigapath/prov-gigapath-flash/pytorch_model.bin",
        revision="f5c3a709ad81d3a5605bb2eb38cd5c2e53da0375",
        dim=384, resize=256, n_params=21_681_024, license="Apache-2.0", gated=True, differs=("architecture",)),
    # The configuration of mSTAR has the mean and std of timm's architecture; its card normalises as ImageNet.
    like(_UNI, "mstar", "mSTAR", organisation="HKUST SmartLab",
         weights="hf-hub:Wangyh/mSTAR", revision="162ae5da9897d4ff8b9a4c2daea175ae45012ef7",
         precision=Precision.FP32, differs=("mean", "std")),
    like(_UNI, "pathorchestra", "PathOrchestra", organisation="AI4Pathology", precision=Precision.FP32,
         weights="hf-hub:AI4Pathology/PathOrchestra", revision="8280b11a63919f25e4610f3315c2646b5f38bbb5"),
    # Its authors' code names the tower and the normalisation; no commit is known.
    like(_UNI, "digepath", "Digepath", organisation="Tsinghua University",
         weights="hf-hub:xtxx/Digepath", revision=None, options={"layout": "dino"},
         precision=Precision.FP32, license="CC-BY-NC-4.0", source="https://github.com/lingxitong/Digepath"),
    vit("sp22m", "SP22M", "vit_small_patch16_224", {"layout": "encoder"}, organisation="Mount Sinai",
        weights="hf-hub:MountSinaiCompPath/SP22M/pytorch_model.bin",
        revision="8f636e50446c6b45008fa8cecf30f7bc92633a11",
        dim=384, precision=Precision.FP32, n_params=21_665_664, license="CC-BY-NC-SA-4.0"),
    vit("sp85m", "SP85M", "vit_base_patch16_224", {"layout": "encoder"}, organisation="Mount Sinai",
        weights="hf-hub:MountSinaiCompPath/SP85M/pytorch_model.bin",
        dim=768, precision=Precision.FP32, n_params=85_798_656, license="CC-BY-NC-SA-4.0"),
    # Normalised as its author trains, clemsgrs/dino@bbfccac; the configuration beside the weights is held against that.
    # No commit is known.
    vit("prost40m", "Prost40M", "vit_small_patch16_224", {"patch_size": 14}, organisation="Radboudumc, Grisi et al.",
        weights="hf-hub:waticlems/Prost40M",
        dim=384, precision=Precision.FP32, n_params=21_619_584, license="Apache-2.0"),
)  # fmt: skip
