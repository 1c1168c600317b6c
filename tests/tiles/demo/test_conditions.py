from hashlib import sha256
from itertools import combinations

import numpy as np
import pytest

from plismbench.dataset import DEMO
from plismbench.tiles.demo.conditions import SCANNERS, STAININGS

HAMAMATSU = ("S210", "S360", "S60", "SQ")


def test_every_slide_of_the_demo_has_its_numbers() -> None:
    assert set(STAININGS) == set(DEMO.stainings)
    assert set(SCANNERS) == set(DEMO.scanners)


def test_other_numbers_are_another_revision() -> None:
    numbers = sha256(repr((sorted(STAININGS.items()), sorted(SCANNERS.items()))).encode()).hexdigest()
    assert (DEMO.revision, numbers[:16]) == ("1", "3ca4331da5d32636")


@pytest.mark.parametrize("long", [name for name in STAININGS if name + "H" in STAININGS])
def test_short_protocol_has_the_same_haematoxylin_but_less_of_it(long: str) -> None:
    short = STAININGS[long + "H"]
    assert short.haematoxylin == STAININGS[long].haematoxylin
    assert short.nuclei < STAININGS[long].nuclei
    assert short.leak < STAININGS[long].leak


def test_machines_of_one_vendor_resemble_each_other_more() -> None:
    def distance(a: str, b: str) -> float:
        return float(
            np.abs(np.subtract(SCANNERS[a].white + SCANNERS[a].gamma, SCANNERS[b].white + SCANNERS[b].gamma)).mean()
        )

    same = [distance(a, b) for a, b in combinations(HAMAMATSU, 2)]
    other = [distance(a, b) for a in HAMAMATSU for b in SCANNERS if b not in HAMAMATSU]
    assert np.mean(same) < 0.5 * np.mean(other)


def test_only_philips_saturates() -> None:
    assert [name for name, scanner in SCANNERS.items() if min(scanner.white) > 1] == ["P"]
