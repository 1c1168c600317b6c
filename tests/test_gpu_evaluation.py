"""`scripts/gpu_evaluation.py` on a CPU: what it computes is right, and what fails is told."""

from contextlib import nullcontext
from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

from plismbench.search.torch_matmul import TorchEngine


@pytest.fixture(scope="module")
def gpu_evaluation():
    return import_module("gpu_evaluation")


def held(findings):
    return {finding.check: finding.held for finding in findings}


def test_the_engine_holds_and_one_that_is_off_fails(gpu_evaluation, monkeypatch):
    search = TorchEngine("cpu")
    sound = gpu_evaluation.check_ranks(search) + gpu_evaluation.check_search(search, 300, 64)
    assert all(finding.held for finding in sound), sound
    assert len(sound) == len(gpu_evaluation.PAIRS) + 4
    scores = TorchEngine._scores
    monkeypatch.setattr(TorchEngine, "_scores", lambda *arguments: scores(*arguments) + 1e-3)
    off = held(gpu_evaluation.check_ranks(search) + gpu_evaluation.check_search(search, 300, 64))
    assert not off["ranks of a random pair as the oracle's"]
    assert not off["search: largest error of a score, of what is allowed for"]
    assert not off["search: all ranks of 300 tiles as NumPy's"]
    assert off["search: largest error of a cosine"]
    products = TorchEngine.paired
    monkeypatch.setattr(
        TorchEngine, "paired", lambda *pair: replace(products(*pair), matched=products(*pair).matched + 1e-9)
    )
    assert not held(gpu_evaluation.check_search(search, 300, 64))["search: largest error of a cosine"]


def test_all_pairs_are_timed_beside_the_reference(gpu_evaluation, monkeypatch):
    monkeypatch.setattr(gpu_evaluation, "SECONDS", 1e3)
    seen = []
    ours = gpu_evaluation.ours
    monkeypatch.setattr(gpu_evaluation, "ours", lambda pair, search: seen.append(pair) or ours(pair, search))
    findings = list(gpu_evaluation.check_pairs(TorchEngine("cpu"), 4, 200, 64))
    assert len(seen) == 2 * (1 + 6)  # of two models one to warm up, then all
    assert findings[2].check == "6 pairs × 200 × 64, like H0-mini, cross-staining"
    assert (findings[0].held, findings[0].asked) == (True, "≤ 1e+03 s")
    monkeypatch.setattr(gpu_evaluation, "SECONDS", 1e-9)
    assert not next(gpu_evaluation.check_pairs(TorchEngine("cpu"), 3, 100, 32)).held


def test_the_kernels_that_take_longest_come_first(gpu_evaluation, monkeypatch):
    kernels = [SimpleNamespace(key=f"kernel {n}", self_device_time_total=1000 * n, count=n) for n in range(1, 11)]
    profiled = nullcontext(SimpleNamespace(key_averages=lambda: kernels))
    monkeypatch.setattr(gpu_evaluation, "profile", lambda activities: profiled)
    whole, *found = gpu_evaluation.check_kernels(TorchEngine("cpu"), 100, 32)
    assert whole.found.endswith(" ms, of which 55 ms on the GPU")
    assert [(one.check, one.found) for one in found[:2]] == [
        ("  kernel 10", "10 ms, 10 times"),
        ("  kernel 9", "9 ms, 9 times"),
    ]
    assert len(found) == 8


def test_the_reference_agrees_and_its_absence_is_told(gpu_evaluation):
    search = TorchEngine("cpu")
    slides = gpu_evaluation.make_slides(2, 200, 64, 1.0, 1.0)
    expected = gpu_evaluation.ours(gpu_evaluation.searched_slides(slides, None, search), search)
    findings = gpu_evaluation.check_reference(slides, expected, 1.0, "numpy")
    assert [finding.check for finding in findings] == [
        "the reference's formulas with numpy in float16",
        "the reference's formulas with numpy in float32",
        "  its cosine and accuracy, off ours by",
    ]
    assert all(finding.held for finding in findings)
    wrong = gpu_evaluation.check_reference(slides, (expected[0], expected[1] + 0.01), 1.0, "numpy")
    assert not wrong[-1].held
    (absent,) = gpu_evaluation.check_reference(slides, expected, 1.0, "no_such_library")
    assert (absent.found, absent.held) == ("no_such_library is not installed", True)
    assert np.isfinite(expected).all()


def test_engines_are_compared_in_a_process_of_their_own(gpu_evaluation, monkeypatch):
    everywhere = [("torch", "cpu"), ("faiss", "cpu")]
    *timed, agreed, auto = gpu_evaluation.check_engines(everywhere, 3, 200, 32)
    assert [one.check for one in timed] == ["torch on cpu", "faiss on cpu"]
    assert agreed.held
    assert auto.found.endswith(f"auto takes {gpu_evaluation.engine_for('auto')}")
    monkeypatch.setattr(gpu_evaluation, "find_spec", lambda _: None)
    assert gpu_evaluation.check_engines(everywhere)[0].found == "FAISS is not installed"


def test_engines_that_differ_fail(gpu_evaluation, monkeypatch):
    ours = gpu_evaluation.ours
    monkeypatch.setattr(gpu_evaluation, "ours", lambda pair, search: (ours(pair, search)[0] + (search.room is None), 0))
    monkeypatch.setattr(TorchEngine, "room", 10**9)
    *_, agreed, _ = gpu_evaluation.compare_engines([("torch", "cpu"), ("exact", "cpu")], 3, 100, 16)
    assert not agreed.held
