from pathlib import Path

from plismbench.metrics.protocol import PROTOCOLS

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_every_protocol_is_defined_in_the_documents():
    text = DOCUMENT.read_text()
    assert len(set(PROTOCOLS)) == 2
    for name in PROTOCOLS:
        assert f"`{name}`" in text
