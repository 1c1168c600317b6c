import json
from itertools import product

import numpy as np
import pytest
from stores import make_dataset, make_store, make_vectors

from plismbench import dataset
from plismbench.dataset import Slide
from plismbench.workspace import Workspace


def test_every_extracted_model_is_evaluated_and_summed_up(run, extracted):
    outcome = run("evaluate", "--dataset", "tiny")
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0].split() == ["model", "pairs", "n", "cosine", "cosine-lift", "top-10"]
    assert [line.split()[0] for line in lines[1:-1:4]] == ["good", "noise"]
    assert max(map(len, lines)) <= 80
    assert "15/15" in outcome.err
    again = run("evaluate", "--dataset", "tiny")
    assert again.out == outcome.out
    assert again.err.splitlines() == [f"{name}: evaluated already, nothing to do." for name in ("good", "noise")]


def test_one_model_as_json(run, extracted):
    outcome = run("evaluate", "--dataset=tiny", "--model=good", "--n-tiles=20", "--ks=2,4", "--format=json")
    told = json.loads(outcome.out)
    assert {row["metric"] for row in told["rows"]} >= {"cosine", "top_2", "top_4", "cosine_lift"}
    assert {row["signature"] for row in told["rows"]} == {"tiny@1|slides:6|tiles:20|seed:42|k:2,4|fp32|plism-1"}


def test_slides_that_may_not_be_what_they_are_called_are_told(run, tmp_path, monkeypatch):
    slides = tuple(Slide(*codes) for codes in product(("GM", "HR", "MY"), ("AT2", "P", "S60")))
    monkeypatch.setitem(dataset.DATASETS, "tiny", make_dataset(tiles=60, slides=slides))
    random = np.random.default_rng(0)
    sections = {staining: random.standard_normal((60, 8)) for staining in ("GM", "HR", "MY")}

    def scan(slide, staining):
        return (sections[staining] + 0.1 * random.standard_normal((60, 8))).astype(np.float16)

    vectors = {slide: scan(slide, slide.staining) for slide in slides}
    vectors[Slide("MY", "P")] = vectors[Slide("MY", "AT2")]
    vectors |= {Slide("GM", "S60"): vectors[Slide("HR", "S60")], Slide("HR", "S60"): vectors[Slide("GM", "S60")]}
    make_store(Workspace(tmp_path / "root", "tiny").embeddings("good"), vectors, name="good")
    outcome = run("evaluate", "--dataset=tiny", "--ks=1,3", "--format=csv")
    told = [line for line in outcome.err.splitlines() if line.endswith("?")]
    assert told == [
        "MY_AT2, MY_P have the same vectors: are they copies?",
        "GM_S60 is more like the slides of HR than those of GM on every other scanner: is its name right?",
        "HR_S60 is more like the slides of GM than those of HR on every other scanner: is its name right?",
    ]
    assert outcome.code == 0
    assert "?" not in outcome.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "god"], "No extracted model named 'god'. Did you mean 'good'?"),
        (["--n-tiles", "31"], "Cannot evaluate 31 tiles: a slide has 30"),
        (["--ks", "1,99"], "k = 99 is more than the 58 candidates"),
        (["--ks", "1,x"], "Cut-offs are whole numbers with commas, such as 1,3,5,10; got '1,x'."),
        (["--ks", "\u0661"], "Cut-offs are whole numbers with commas, such as 1,3,5,10; got '\u0661'."),
        (["--memory", "inf"], "Invalid value for '--memory': "),
        (["--memory", "nan"], "Invalid value for '--memory': "),
        (["--slides", "GM_P"], "A pair needs two slides"),
        (["--slides", "GM_Q"], "named 'GM_Q'"),
        (["--engine", "fais"], "No search engine named 'fais'. Did you mean 'faiss'?"),
        (["--device", "cdua"], "No search device named 'cdua'. Did you mean 'cuda'?"),
        (["--protocol", "owkin"], "No protocol named 'owkin'"),
    ],
)
def test_bad_input_is_one_line(run, extracted, arguments, words):
    outcome = run("evaluate", "--dataset", "tiny", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.error
    assert not (extracted.home / "results").exists()


def test_nothing_extracted(run, tiny):
    outcome = run("evaluate", "--dataset", "tiny")
    assert outcome.code == 2
    assert "No embeddings of 'tiny' under" in outcome.error
    assert "plismbench extract --model NAME --dataset tiny" in outcome.error


def test_a_missing_slide_is_named_and_what_is_there_can_be_evaluated(run, extracted):
    (extracted.embeddings("good") / "HR_P.parquet").unlink()
    outcome = run("evaluate", "--dataset", "tiny")
    assert outcome.code == 2
    assert "'good' lacks 1 of 6 slides: HR_P." in outcome.error
    assert run("evaluate", "--dataset", "tiny", "--stainings", "GM,MY").code == 0


def test_an_unfinished_model_does_not_hold_up_the_others(run, extracted):
    make_store(extracted.embeddings("also"), make_vectors(), name="also")
    for name in ("also", "good"):
        (extracted.embeddings(name) / "HR_P.parquet").unlink()
    outcome = run("evaluate", "--dataset", "tiny", "--format", "csv")
    assert outcome.code == 2
    assert {line.split(",")[1] for line in outcome.out.splitlines()[1:]} == {"noise"}
    assert (extracted.results("noise", "30-tiles") / "run.json").exists()
    assert "\n'also' lacks 1 of 6 slides: HR_P." in outcome.err
    assert outcome.error.startswith("plismbench: 'good' lacks 1 of 6 slides: HR_P.")
    assert run("evaluate", "--dataset", "tiny", "--model", "good,noise", "--existing", "error").out == ""


def test_a_model_is_named_by_the_file_that_extract_took(run, extracted, tmp_path):
    (tmp_path / "good.toml").write_text('loader = "a:b"\ndim = 8\n')
    (tmp_path / "v2.toml").write_text('name = "noise"\nloader = "a:b"\ndim = 8\n')
    arguments = ("--dataset=tiny", "--format=json")
    named = run("evaluate", *arguments, "--model=good,noise")
    assert named.code == 0
    assert run("evaluate", *arguments, f"--model={tmp_path}/good.toml,{tmp_path}/v2.toml").out == named.out
    outcome = run("evaluate", *arguments, f"--model={tmp_path}/bad.toml")
    assert "No extracted model named" in outcome.error


def test_a_truncated_parquet_is_named(run, extracted):
    path = extracted.embeddings("good") / "HR_P.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    outcome = run("evaluate", "--dataset", "tiny", "--model", "good")
    assert outcome.code == 2
    assert "HR_P.parquet is damaged" in outcome.error
    assert "--slides HR_P --existing replace" in outcome.error
    assert not (extracted.results("good", "30-tiles") / "run.json").exists()


@pytest.mark.parametrize("engine", ["torch", "faiss", "auto"])
def test_cuda_that_is_not_there_is_one_line(run, extracted, engine, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    outcome = run("evaluate", "--dataset=tiny", "--device=cuda", "--engine", engine)
    assert (outcome.code, outcome.out) == (3, "")
    assert f"No CUDA device is available to {'FAISS' if engine == 'faiss' else 'torch'}" in outcome.error
    assert not (extracted.home / "results").exists()


def test_every_two_scanners_can_be_printed(run, extracted):
    outcome = run("evaluate", "--dataset=tiny", "--model=good", "--by=scanner")
    assert outcome.out.splitlines()[1].split()[:4] == ["good", "scanner", "AT2-P", "3"]
    told = json.loads(run("evaluate", "--dataset=tiny", "--model=good", "--by=staining", "--format=json").out)
    assert {row["group"] for row in told["rows"]} == {"staining GM-HR", "staining GM-MY", "staining HR-MY"}
    assert run("evaluate", "--dataset=tiny", "--by=tissue").code == 2


def test_why_a_table_by_scanner_is_empty_is_said(run, extracted):
    words = "--by scanner has nothing to show: no two of these slides differ in their scanner alone."
    empty = run("evaluate", "--dataset=tiny", "--by=scanner", "--scanners=P")
    assert (empty.code, empty.err.splitlines()[-1]) == (0, words)
    assert words not in run("evaluate", "--dataset=tiny", "--by=staining", "--scanners=P").err
