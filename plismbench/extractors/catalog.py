"""The built-in extractors, as data; beside each fact the page that it came from."""

from dataclasses import replace

from plismbench.extractors.spec import ExtractorSpec, Pooling

_BASELINES = "plismbench.extractors.baselines"
_TIMM = "plismbench.extractors.loaders:timm_model"
_BIOPTIMUS_MEAN, _BIOPTIMUS_STD = (0.707223, 0.578729, 0.703617), (0.211883, 0.230117, 0.177517)

_WEIGHTLESS = ExtractorSpec(
    name="weightless",
    loader=f"{_BASELINES}:constant",
    dim=8,
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    organisation="plismbench",
    n_params=0,
    license="Apache-2.0",
)

# The published PLISM results use the class token of both models, under float16 autocast.
_PUBLISHED = (
    ExtractorSpec(
        name="h0-mini", title="H0-mini", organisation="Bioptimus, Owkin",
        loader=_TIMM, weights="hf-hub:bioptimus/H0-mini", revision="5b5cc0505d19ae558270045eb0df8c34df4d9609",
        dim=768, pooling=Pooling.CLS, prefix_tokens=5, mean=_BIOPTIMUS_MEAN, std=_BIOPTIMUS_STD,
        options={"num_classes": 0, "global_pool": "", "img_size": 224, "init_values": 1e-5, "mlp_ratio": 5.33334,
                 "mlp_layer": "timm.layers.SwiGLUPacked", "act_layer": "torch.nn.SiLU"},
        n_params=85_739_520, license="CC-BY-NC-ND-4.0", gated=True,
        source="https://huggingface.co/bioptimus/H0-mini",
    ),
    ExtractorSpec(
        name="h-optimus-0", title="H-optimus-0", organisation="Bioptimus",
        loader=_TIMM, weights="hf-hub:bioptimus/H-optimus-0", revision="b145cc1e6c6b30d3251aa8b1f844e6974188a743",
        dim=1536, mean=_BIOPTIMUS_MEAN, std=_BIOPTIMUS_STD,  # global_pool "token": the class token comes out
        options={"num_classes": 0, "global_pool": "token", "img_size": 224, "init_values": 1e-5,
                 "dynamic_img_size": False},
        n_params=1_134_774_272, license="Apache-2.0", gated=True,
        source="https://huggingface.co/bioptimus/H-optimus-0",
    ),
)  # fmt: skip

_FLOOR = (
    replace(_WEIGHTLESS, name="constant", title="One vector for all"),
    replace(_WEIGHTLESS, name="mean-color", title="Mean colour",
            loader=f"{_BASELINES}:small_pixels", dim=3, options={"side": 1}),
    replace(_WEIGHTLESS, name="small-pixels", title="Thumbnail, 16 × 16",
            loader=f"{_BASELINES}:small_pixels", dim=768, options={"side": 16}),
    replace(_WEIGHTLESS, name="color-stats", title="Colour statistics", loader=f"{_BASELINES}:color_stats", dim=57),
    replace(_WEIGHTLESS, name="hed-stats", title="Stain statistics", loader=f"{_BASELINES}:hed_stats", dim=57),
    replace(_WEIGHTLESS, name="random-vit-s", title="Random ViT-S/16",
            loader=f"{_BASELINES}:random_timm", dim=384, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5),
            options={"architecture": "vit_small_patch16_224", "seed": 0}, n_params=21_665_664),
)  # fmt: skip

CATALOG: tuple[ExtractorSpec, ...] = _PUBLISHED + _FLOOR
