from dataclasses import replace

from plismbench.embeddings.efficiency import Efficiency
from plismbench.leaderboard.relative_times import known_times, relative_times

MINI = Efficiency(
    extractor="h0-mini",
    n_params=48,
    device="GPU 1",
    precision="fp16",
    batch_size=64,
    compiled=False,
    n_tiles=1000,
    forward_seconds=0.5,
    peak_memory=7,
)
SLOWER = replace(MINI, extractor="big", forward_seconds=4.0)


def test_time_is_relative_to_h0_mini_on_the_same_device():
    elsewhere = replace(SLOWER, device="another")
    assert relative_times([SLOWER, MINI, elsewhere]) == [8, 1, None]
    assert relative_times([SLOWER]) == [None]


def test_h0_mini_alone_leaves_the_published_times():
    assert known_times({"h0-mini", "big"}, [MINI, SLOWER]) == ({"h0-mini": 1, "big": 8}, "GPU 1")
    assert known_times({"h0-mini", "uni"}, [MINI, SLOWER]) == (
        {"h0-mini": 1, "uni": 2.1},
        "one T4 (H0-mini paper, Table 2)",
    )
    assert known_times({"big"}, [SLOWER]) == ({}, "")
