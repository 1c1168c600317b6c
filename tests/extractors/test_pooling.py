import pytest
import torch

from plismbench.errors import ShapeMismatch
from plismbench.extractors.pooling import pooled
from plismbench.extractors.spec import ExtractorSpec, Pooling

# One class token, one register that counts nowhere, two patches.
TOKENS = torch.tensor([[1.0, 2.0], [100.0, 100.0], [3.0, 4.0], [5.0, 8.0]]).expand(4, 4, 2)


def spec(pooling="output", dim=3):
    return ExtractorSpec(name="toy", loader="a:b", dim=dim, pooling=pooling, prefix_tokens=2)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [(Pooling.CLS, [1, 2]), (Pooling.MEAN, [4, 6]), (Pooling.CLS_MEAN, [1, 2, 4, 6])],
)
def test_pooling_by_hand(pooling, expected):
    vectors = pooled(TOKENS.half(), spec(pooling, len(expected)), 4)
    assert vectors.tolist() == [expected] * 4
    assert vectors.dtype == torch.float32
    assert pooled(TOKENS.to("meta"), spec(pooling, len(expected)), 4).shape == (4, len(expected))


def test_vectors_stay_as_they_are():
    torch.testing.assert_close(pooled(TOKENS[:, 0], spec(dim=2), 4), TOKENS[:, 0])


@pytest.mark.parametrize(
    ("output", "pooling", "words"),
    [
        (TOKENS, "cls", "declares dim 3; its vectors have 2"),
        (TOKENS, "output", r"pooling output gives \(n, dim\) for n = 4; got \(4, 4, 2\)"),
        (TOKENS[:, 0], "cls", r"\(n, tokens, width\).*got \(4, 2\)"),
        (TOKENS[:3, 0], "output", r"n = 4; got \(3, 2\)"),
        ({"cls": TOKENS}, "output", "got dict.*returns the tensor alone"),
        (TOKENS[:, :3, 0] + 1j, "output", r"got complex numbers, \(4, 3\)"),
    ],
)
def test_other_shapes_than_declared_are_refused(output, pooling, words):
    with pytest.raises(ShapeMismatch, match=words):
        pooled(output, spec(pooling), 4)
