from pathlib import Path

from plismbench.metrics.protocol import PROTOCOL, PROTOCOLS
from plismbench.results.result import Run

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_every_protocol_is_defined_in_the_documents():
    text = DOCUMENT.read_text()
    assert len(set(PROTOCOLS)) == 2
    for name in PROTOCOLS:
        assert f"`{name}`" in text


def test_the_usual_one_is_that_of_a_run():
    assert Run.__dataclass_fields__["protocol"].default == PROTOCOL == "plism-1"
