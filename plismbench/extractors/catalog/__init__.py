"""The built-in extractors, as data; beside each fact the page that it came from."""

from plismbench.extractors.catalog.converted import CONVERTED
from plismbench.extractors.catalog.general import FLOOR, GENERAL
from plismbench.extractors.catalog.language import LANGUAGE
from plismbench.extractors.catalog.pathology import TIMM_HUB
from plismbench.extractors.catalog.remote import REMOTE
from plismbench.extractors.spec import ExtractorSpec

CATALOG: tuple[ExtractorSpec, ...] = TIMM_HUB + CONVERTED + LANGUAGE + REMOTE + GENERAL + FLOOR

_GEMMA = (
    "its tower is described only by a configuration behind terms, and lies among the weights of a language model; "
    "neither could be read"
)
_SEAL = "a low-rank change to another gated model's weights: two checkpoints, of which a spec names one"
_DRIVE = "its weights lie in a shared drive's folder and have no address of their own"

LEFT_OUT = {
    "beph": "the links to its weights on its page are empty; its keys are those of mmselfsup",
    "gemma4-26b-vision": _GEMMA,
    "gemma4-e4b-vision": _GEMMA,
    "path-foundation": "TensorFlow only",
    "pathoduet-he": _DRIVE,
    "pathoduet-ihc": _DRIVE,
    "prost40m": "its normalisation is only in the configuration on the Hub: use hf-hub:waticlems/Prost40M",
    "seal-conch": _SEAL,
    "seal-univ2": _SEAL,
    "tinypath": "runs code of its repository, of which no commit, key or normalisation was found in public",
    "virchow2g-mini": "its weights are not on the Hub, but behind the terms of a cloud catalogue",
}
"""Public models that have no entry, and why."""
