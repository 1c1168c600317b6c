"""Models that are a low-rank change to another one, which is fetched as well.

The change is that of mahmoodlab/SEAL@2137d8d: `conf/config.yaml` has rank 8 and alpha 8, so a scale of 1, on the
linear layers of the last block; `seal/models/load_model.py` takes CONCH without its projection, at 224 px.
"""

from plismbench.extractors.catalog.converted import CONVERTED
from plismbench.extractors.catalog.pathology import TIMM_HUB
from plismbench.extractors.catalog.terms import like
from plismbench.extractors.spec import ExtractorSpec

_BY_NAME = {spec.name: spec for spec in CONVERTED + TIMM_HUB}


def _seal(name: str, title: str, file: str, base: ExtractorSpec, block: str, prefix: str = "") -> ExtractorSpec:
    layers = [f"{block}.{layer}" for layer in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")]
    adapts = {"weights": base.weights, "revision": base.revision, "prefix": prefix, "layers": layers, "scale": 1.0}
    return like(
        base, name, title, options={"adapts": adapts}, license="CC-BY-NC-ND-4.0",
        weights=f"hf-hub:MahmoodLab/SEAL/{file}", revision="c20762e7a04551e21e62c083a9c443bdbc48cb89",
    )  # fmt: skip


ADAPTED = (
    _seal("seal-conch", "SEAL, of CONCH", "seal_conch_vision.pth", _BY_NAME["conch"], "trunk.blocks.11", "visual."),
    _seal("seal-univ2", "SEAL, of UNI2-h", "seal_univ2_vision.pth", _BY_NAME["uni2-h"], "blocks.23"),
)
