"""`scripts/gpu_check.py` on a CPU: what it computes is right, and what fails is told."""

import os
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch
from pretended_gpu import pretended_gpu
from torch import nn
from torch.cuda._utils import _get_device_index

from plismbench.extractors.spec import ExtractorSpec, Precision

ROOT = Path(__file__).parent.parent
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def gpu_check():
    return import_module("gpu_check")


@pytest.fixture
def tiny(gpu_check):
    """A network that is cheap on a CPU, in place of the ViTs."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 8, 16, 16), nn.GELU(), nn.Flatten(), nn.Linear(8 * 196, 24)).eval()
    return gpu_check.Extractor(ExtractorSpec(name="tiny", loader="a:b", dim=24), module, CPU, Precision.FP32)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_cuda_it_is_one_line_and_exit_code_3():
    script, paths = ROOT / "scripts/gpu_check.py", (ROOT, ROOT / "benchmarks", ROOT / "tests")
    apart = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=apart)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1
    assert "finds no CUDA device; nothing was checked." in done.stderr
    made = subprocess.run(
        ["make", "--silent", "gpu-check", f"PYTHON={sys.executable}"], capture_output=True, text=True, cwd=ROOT
    )
    assert made.stderr.splitlines()[0] == done.stderr.rstrip()


def test_modules_that_are_brought_along_are_found():
    echo = "PYTHON=sh -c 'echo $$PYTHONPATH'"
    made = [
        subprocess.run(
            ["make", "--silent", "gpu-check", echo], capture_output=True, text=True, cwd=ROOT, check=True,
            env=os.environ | {"PYTHONPATH": brought},
        ).stdout.strip()
        for brought in ("", "/brought/along")
    ]  # fmt: skip
    assert made == [".:benchmarks:tests", ".:benchmarks:tests:/brought/along"]


def test_on_the_machine_of_a_gpu_nothing_else_is_needed():
    command = ["tests/search", "tests/metrics/test_retrieval.py", "-k", "torch or device", "--collect-only", "-q"]
    code = f"""
import sys
sys.modules |= dict.fromkeys(["datasets", "faiss", "jinja2", "plotly", "polars"])  # so that importing them fails
sys.path[:0] = ["benchmarks", "tests", "scripts"]
import gpu_check, pytest
sys.exit(pytest.main({[*command, "-p", "no:cacheprovider"]}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_torch_matmul.py" in done.stdout


def test_precisions_are_compared(gpu_check, tiny):
    findings = gpu_check.check_precision(tiny)
    assert all(finding.held for finding in findings), findings
    assert len(findings) == 2 * (1 + 3) + 1


def test_a_precision_that_is_off_fails(gpu_check, tiny):
    class Coarse(nn.Module):
        def forward(self, image):
            vectors = tiny.module(image)
            return vectors if vectors.dtype == torch.float32 else vectors.abs()

    findings = gpu_check.check_precision(replace(tiny, module=Coarse()))
    held = {finding.check: finding.held for finding in findings}
    assert not held["tiny: least cosine of bf16 with fp32"]
    assert held["tiny: fp32 on streams the same bits as waited for"]


def test_speed_is_that_of_every_tile(gpu_check, tiny, monkeypatch):
    monkeypatch.setattr(gpu_check, "bare_speed", lambda *_: (1e-3, 0.0))
    encoded = gpu_check.encode_tissue(8)
    shape = gpu_check.Shape("tiny", "", 4, 16, 0.95)
    *others, share = gpu_check.check_speed(tiny, shape, encoded)
    assert share.held
    assert [finding.check.strip() for finding in others] == [
        "tiny: bare forward pass, batches of 32",
        "a batch is started in",
        "extraction of decoded tiles / bare",
        "extraction from PNG",
    ]
    monkeypatch.setattr(gpu_check, "bare_speed", lambda *_: (1e9, 0.0))
    *_, share = gpu_check.check_speed(tiny, shape, encoded)
    assert not share.held
    assert share.check == "tiny: extraction / bare"


def test_decoding_is_timed(gpu_check):
    one, every = gpu_check.check_decode(gpu_check.encode_tissue(4))
    assert float(one.found.removesuffix(" tiles/s").replace(",", "")) > 0
    assert every.found.endswith(" times as many")


def test_the_table_has_every_finding(gpu_check, capsys):
    gpu_check.show("Some GPU", [gpu_check.at_least("a", 0.5, 0.9), gpu_check.at_least("b", 1, 0.9)])
    told = capsys.readouterr().out.split()
    assert told.count("FAILS") == told.count("ok") == 1
    assert gpu_check.at_least("c", 0.1, 0).asked == ""


def test_the_shapes_are_those_of_timm(gpu_check):
    import timm

    with torch.device("meta"):
        widths = [timm.create_model(shape.architecture, num_classes=0).num_features for shape in gpu_check.SHAPES]
    assert widths == [384, 768, 1024, 1536]
    made = gpu_check.build(gpu_check.Shape("small", "test_vit", 1, 1), CPU)
    assert made(gpu_check.noise_tiles(2)).shape == (2, 64)


def test_the_device_has_a_number_that_torch_takes(gpu_check):
    assert _get_device_index(gpu_check.DEVICE) == 0


def test_it_runs_to_the_table_and_what_breaks_takes_nothing_with_it(gpu_check, tiny, monkeypatch, capsys):
    def broken(_):
        raise RuntimeError("a kernel is missing")

    def half_done(_):
        yield gpu_check.at_least("pairs before", 1, 0)
        raise RuntimeError("no such function in cupy")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu_check, "DEVICE", CPU)
    monkeypatch.setattr(gpu_check, "SHAPES", (gpu_check.Shape("tiny", "", 4, 16),))
    monkeypatch.setattr(gpu_check, "build", lambda *_: tiny)
    monkeypatch.setattr(gpu_check, "check_precision", lambda _: [])
    encode = gpu_check.encode_tissue
    monkeypatch.setattr(gpu_check, "encode_tissue", lambda _: encode(8))
    monkeypatch.setattr(gpu_check, "check_memory", broken)
    monkeypatch.setattr(gpu_check, "check_search", lambda search: [gpu_check.at_least(search.device, 1, 0)])
    monkeypatch.setattr(gpu_check, "check_kernels", lambda _: [])
    monkeypatch.setattr(gpu_check, "check_pairs", half_done)
    monkeypatch.setattr(gpu_check, "check_engines", list)
    assert gpu_check.main() == 1
    told = capsys.readouterr()
    assert told.out.count("FAILS") == 2
    assert "RuntimeError: a kernel is missing" in told.err
    assert "broken" in told.out
    assert "pairs before" in told.out
    assert "all of this" in told.out
    assert "ranks of a collapsed pair as the oracle's" in told.out
    assert "tiny: extraction / bare" in told.out
    monkeypatch.setattr(gpu_check, "check_memory", lambda _: [])
    monkeypatch.setattr(gpu_check, "check_pairs", lambda _: [])
    monkeypatch.setattr(gpu_check, "SHAPES", ())
    assert gpu_check.main() == 0


def test_a_gpu_that_has_failed_keeps_nothing_from_the_table(gpu_check, monkeypatch):
    def lost(*_):
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(torch.cuda, "empty_cache", lost)
    (finding,) = gpu_check.attempt(gpu_check.partial(lost))
    assert (finding.found, finding.held) == ("AcceleratorError", False)


def test_on_a_gpu_everything_is_where_it_is_needed(gpu_check, monkeypatch, capsys):
    encode, pairs, search = gpu_check.encode_tissue, gpu_check.check_pairs, gpu_check.check_search
    engines = import_module("gpu_evaluation").compare_engines
    monkeypatch.setattr(gpu_check, "SHAPES", (gpu_check.Shape("tiny", "test_vit", 4, 4),))
    monkeypatch.setattr(gpu_check, "make_runner", lambda extractor, _: gpu_check.Runner(extractor, 4))
    monkeypatch.setattr(gpu_check, "encode_tissue", lambda _: encode(4))
    monkeypatch.setattr(gpu_check, "check_memory", lambda _: [])  # only a real one has too little
    monkeypatch.setattr(gpu_check, "check_kernels", lambda _: [])  # or has kernels
    monkeypatch.setattr(gpu_check, "check_pairs", lambda engine: pairs(engine, 3, 400, 32))
    monkeypatch.setattr(gpu_check, "check_search", lambda engine: search(engine, 600, 32))
    monkeypatch.setattr(  # in this process, for another has no pretended GPU
        gpu_check, "check_engines", lambda: engines([("torch", "cuda"), ("faiss", "cpu")], 3, 200, 16)[:-1]
    )
    with pretended_gpu():
        code = gpu_check.main()
    told = capsys.readouterr()
    assert (code, told.out.count("FAILS")) == (0, 0), told
    assert "Pretended GPU" in told.out
    assert "tiny: fp32 on streams the same bits as waited for" in told.out
    assert "torch on cuda" in told.out
