"""Models that run what lies in their repository, only when allowed: code at a pinned commit, or a graph of TensorFlow.

Numbers are those of their cards, second-hand, and of google-health/path-foundation@8d41424, whose notebooks scale
pixels to [0, 1] and take `output_0`; no tower of timm is known to hold their weights.
"""

from plismbench.extractors.catalog.terms import HALF, HUB_PAGE, IMAGENET, RAW, like
from plismbench.extractors.checkpoints.locations import REMOTE_MODEL, SAVED_MODEL
from plismbench.extractors.spec import ExtractorSpec, Pooling, Precision

_WAIV = ExtractorSpec(
    name="mascaret", title="Mascaret", organisation="Waiv", loader=REMOTE_MODEL,
    weights="hf-hub:wearewaiv/mascaret", revision="e95e7ea15e039e78d74def101415e19d9a67ba80", dim=1536,
    options={"output": "pooler_output"}, interpolation="bilinear", precision=Precision.FP32, **HALF,
    n_params=1_136_480_768, license="Waiv, non-commercial", gated=True, source=HUB_PAGE + "wearewaiv/mascaret",
)  # fmt: skip
_RUDOLF = like(
    _WAIV, "rudolfv-2", "RudolfV-2", organisation="Aignostics", interpolation="bicubic",
    weights="hf-hub:Aignostics/RudolfV-2", revision="482d9519c6a10fc22fbe5bcd6a87d5daf056643c", dim=3072,
    pooling=Pooling.CLS_MEAN, prefix_tokens=9, options={"output": "last_hidden_state"}, n_params=1_133_789_200,
    mean=(0.7072, 0.5787, 0.7036), std=(0.2119, 0.2301, 0.1775), license="Aignostics, non-commercial, no replicas",
)  # fmt: skip

REMOTE = (
    _WAIV,
    like(_WAIV, "phaet", "Phaet", dim=1024, interpolation="bicubic", **IMAGENET, n_params=303_351_808,
         weights="hf-hub:wearewaiv/phaet", revision="e0ce6e0ee248470bd8604823e412ca64048a2495"),
    _RUDOLF,
    like(_RUDOLF, "rudolfv-2-b", "RudolfV-2-B", dim=1536, n_params=None,
         weights="hf-hub:Aignostics/RudolfV-2-B", revision="b2cb55c8fff8aaaf9cc16fda6d09bfb21dfc6db8"),
    like(_RUDOLF, "rudolfv-2-s", "RudolfV-2-S", dim=768, n_params=None,
         weights="hf-hub:Aignostics/RudolfV-2-S", revision="76abacd512a98c72a6db6192af9fc98313c3bd78"),
    ExtractorSpec(
        name="path-foundation", title="Path Foundation", organisation="Google", loader=SAVED_MODEL, dim=384,
        weights="hf-hub:google/path-foundation/saved_model.pb", options={"output": "output_0"}, **RAW,
        precision=Precision.FP32, license="HAI-DEF terms", gated=True, source=HUB_PAGE + "google/path-foundation"),
)  # fmt: skip
