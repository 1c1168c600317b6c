"""The built-in extractors, as data; beside each fact the page that it came from."""

from plismbench.extractors.catalog.converted import CONVERTED
from plismbench.extractors.catalog.general import FLOOR, GENERAL
from plismbench.extractors.catalog.language import LANGUAGE
from plismbench.extractors.catalog.lora import ADAPTED
from plismbench.extractors.catalog.pathology import TIMM_HUB
from plismbench.extractors.catalog.remote import REMOTE
from plismbench.extractors.spec import ExtractorSpec

CATALOG: tuple[ExtractorSpec, ...] = TIMM_HUB + CONVERTED + ADAPTED + LANGUAGE + REMOTE + GENERAL + FLOOR

LEFT_OUT = {
    "beph": "its authors' extraction (Zhcyoung/BEPH@40e0ec4) leaves the position bias of its checkpoint unread, ends in"
    " a norm that the checkpoint lacks and normalises otherwise than its training: which vector is meant is not said",
    "tinypath": "its page names 33 blocks of width 640 and SwiGLU, but neither the hidden width of these nor the"
    " normalisation, and its repository holds code: try hf-hub:originbio/TinyPath",
    "virchow2g-mini": "proprietary: its makers published Virchow2 alone (discussion 5 of paige-ai/Virchow2)",
}
"""Public models that have no entry, and why."""
