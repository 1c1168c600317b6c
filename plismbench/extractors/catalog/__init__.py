"""The built-in extractors, as data; beside each fact the page that it came from."""

from plismbench.extractors.catalog.converted import CONVERTED
from plismbench.extractors.catalog.general import FLOOR, GENERAL
from plismbench.extractors.catalog.pathology import TIMM_HUB
from plismbench.extractors.catalog.remote import REMOTE
from plismbench.extractors.spec import ExtractorSpec

CATALOG: tuple[ExtractorSpec, ...] = TIMM_HUB + CONVERTED + REMOTE + GENERAL + FLOOR

_REMOTE = "runs code of its repository, of which no commit is pinned"
_UNVERIFIED = "no source for its architecture was found that could be checked"
_PICKLE = "its checkpoint is a pickled training state, which is not loaded"
_PACKAGE = "needs its own package, which is not on PyPI"
_TWO_CLASSES = "its tower has a second class token, which no architecture of timm has"

LEFT_OUT = {
    "beph": "its checkpoint has no stable address; load a copy with a TOML file",
    "exaone-path-2.5": _UNVERIFIED,
    "gemma4-26b-vision": _UNVERIFIED,
    "gemma4-e4b-vision": _UNVERIFIED,
    "isight": _PICKLE,
    "medsiglip-448": _UNVERIFIED,
    "omiclip": _PICKLE,
    "path-foundation": "TensorFlow only",
    "patho-clip-l": _UNVERIFIED,
    "pathoduet-he": _TWO_CLASSES,
    "pathoduet-ihc": _TWO_CLASSES,
    "prost40m": "its normalisation is only on the Hub: use hf-hub:waticlems/Prost40M",
    "seal-conch": _PACKAGE,
    "seal-univ2": _PACKAGE,
    "tinypath": _REMOTE,
    "virchow2g-mini": "its weights are not on the Hub, but behind the terms of a cloud catalogue",
}
"""Public models that have no entry, and why."""
