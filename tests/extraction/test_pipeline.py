"""The streams of the pipeline; what comes out of it is tested in test_extraction.py."""

import threading

import numpy as np
import pytest
import torch
from small_tiles import TILES, RandomTiles
from stores import SLIDES, make_manifest

from plismbench.embeddings.store import EmbeddingStore
from plismbench.errors import NonFiniteValue
from plismbench.execution.executor import ItemProgress
from plismbench.extraction.pipeline import Pipeline, Task
from plismbench.extractors.baselines import SmallPixels
from plismbench.extractors.inference.extractor import Extractor
from plismbench.extractors.inference.runner import Runner
from plismbench.extractors.inference.transfer import Computed
from plismbench.extractors.spec import ExtractorSpec, Precision

SPEC = ExtractorSpec(name="toy", loader="a:b", dim=3, mean=(0, 0, 0), std=(1, 1, 1))
CPU = torch.device("cpu")


def pipeline(folder, runner, workers=2):
    store = EmbeddingStore.create(folder, make_manifest(dim=3))
    return Pipeline(RandomTiles(), {"toy": runner}, {"toy": store}, workers), store


def tasks(slides=SLIDES):
    return [Task(slide, ("toy",)) for slide in slides]


def slides_of(given):
    return (slide for slides in given if not isinstance(slides, ItemProgress) for slide in slides)


class FakeDevice:
    """Computes only when it is waited for, and counts what it has been submitted meanwhile."""

    def __init__(self):
        self.submitted = self.computed = self.most = 0

    def __call__(self, forward, pixels):
        def compute():
            self.computed += 1
            return Computed(forward(torch.from_numpy(pixels)).numpy(), 2.0)

        self.submitted += 1
        self.most = max(self.most, self.submitted - self.computed)
        return compute


def test_a_device_always_has_work_ahead_and_never_more_than_some(tmp_path):
    device = FakeDevice()
    runner = Runner(Extractor(SPEC, SmallPixels(1), CPU, Precision.FP32), 10, device)
    work, store = pipeline(tmp_path, runner)
    done = list(slides_of(work(iter(tasks()))))
    assert [one.slide for one in done] == list(SLIDES)
    assert device.submitted == device.computed == 3 * len(SLIDES)
    assert 2 <= device.most <= 3
    assert [one.efficiency.forward_seconds for one in done] == [6.0] * len(SLIDES)
    pixels = next(RandomTiles().batches(SLIDES[1], TILES)).pixels
    np.testing.assert_allclose(store.read(SLIDES[1]).vectors, pixels.mean((1, 2)) / 255, atol=1e-3)


def test_a_slide_is_finished_before_the_next_task_is_known(tmp_path):
    """As on a cluster, where the next slide is told only once one is done."""
    told = threading.Semaphore(1)

    def one_by_one():
        for task in tasks():
            assert told.acquire(timeout=30)
            yield task

    runner = Runner(Extractor(SPEC, SmallPixels(1), CPU, Precision.FP32), 10, FakeDevice())
    work, _ = pipeline(tmp_path, runner)
    found = []
    for slide in slides_of(work(one_by_one())):
        found.append(slide.slide)
        told.release()
    assert found == list(SLIDES)


def test_what_is_whole_is_kept_when_a_later_slide_fails(tmp_path):
    class Failing(SmallPixels):
        left = 5  # of 3 batches a slide

        def forward(self, pixels):
            self.left -= 1
            return super().forward(pixels) * (float("nan") if self.left == 0 else 1)

    runner = Runner(Extractor(SPEC, Failing(1), CPU, Precision.FP32), 10)
    work, store = pipeline(tmp_path, runner)
    with pytest.raises(NonFiniteValue, match=r"for GM_P, tile \(1, 3\)"):
        list(work(iter(tasks())))
    assert [slide for slide in SLIDES if store.has(slide)] == [SLIDES[0]]


def test_stopping_early_ends_its_threads(tmp_path):
    before = threading.active_count()
    runner = Runner(Extractor(SPEC, SmallPixels(1), CPU, Precision.FP32), 1)
    work, store = pipeline(tmp_path, runner, workers=4)
    outcomes = work(iter(tasks()))
    next(slides_of(outcomes))
    outcomes.close()
    assert store.has(SLIDES[0])
    for _ in range(1000):
        if threading.active_count() <= before:  # one of another test may end too
            return
        threading.Event().wait(0.01)
    raise AssertionError(threading.enumerate())


def test_how_far_a_slide_is_is_said_batch_by_batch_and_before_its_outcome(tmp_path):
    runner = Runner(Extractor(SPEC, SmallPixels(1), CPU, Precision.FP32), 20)
    work, _ = pipeline(tmp_path, runner)
    first, second = tasks(SLIDES[:2])
    given = list(work(iter([first, second])))
    said = [word for word in given if isinstance(word, ItemProgress)]
    assert said == [
        ItemProgress(first, 20),
        ItemProgress(first, 30),
        ItemProgress(second, 20),
        ItemProgress(second, 30),
    ]
    assert isinstance(given[-1], tuple)
