from collections import Counter

import pytest

from plismbench.dataset import PLISM, Slide
from plismbench.errors import InvalidInput
from plismbench.pairs import PairGroup, SlidePair, slide_pairs


def test_plism_has_4095_pairs_in_the_published_groups():
    pairs = slide_pairs(PLISM.slides)
    assert len(pairs) == len(set(pairs)) == 4_095
    assert Counter(pair.group for pair in pairs) == {
        PairGroup.CROSS_SCANNER: 273,
        PairGroup.CROSS_STAINING: 546,
        PairGroup.CROSS_BOTH: 3_276,
    }


def test_pairs_are_sorted_whatever_the_order_of_the_slides():
    assert slide_pairs(reversed(PLISM.slides)) == slide_pairs(PLISM.slides)
    assert list(slide_pairs(PLISM.slides)) == sorted(slide_pairs(PLISM.slides))


def test_a_slide_is_no_pair_with_itself_nor_backwards():
    a, b = Slide("GM", "P"), Slide("GM", "S60")
    assert SlidePair(a, b).group is PairGroup.CROSS_SCANNER
    for wrong in ((a, a), (b, a)):
        with pytest.raises(InvalidInput, match="in order"):
            SlidePair(*wrong)
