import csv
import dataclasses
import io
import json

from huggingface_hub import constants
from rendering import render

from plismbench.extraction.model_check import Finding
from plismbench.extractors.catalog import CATALOG
from plismbench.extractors.registry import Registration
from plismbench.extractors.spec import ExtractorSpec
from plismbench.reporting.models import findings_parts, models_parts, models_table, spec_parts
from plismbench.reporting.printing import TableFormat

SPEC = ExtractorSpec(name="toy", loader="a:b", dim=1_536, n_params=85_700_000, license="MIT", gated=True)
REGISTERED = (
    Registration("bad", "some-plugin", problem="ImportError: no [module]\x1b"),
    Registration("toy", "plismbench", SPEC),
)


def test_what_is_broken_says_why():
    lines = render(models_table(REGISTERED), width=100).splitlines()
    assert lines[1].split() == ["toy", "plismbench", "1,536", "86M", "0", "MIT", "yes"]
    assert lines[2] == "bad, some-plugin: broken, ImportError: no [module]�"


def test_a_line_a_model_in_80_columns(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    lines = render(models_table([Registration(spec.name, "plismbench", spec) for spec in CATALOG])).splitlines()
    assert len(lines) == len(CATALOG) + 1
    by_name = {line.split()[0]: line.split() for line in lines}
    assert by_name["uni2-h"] == ["uni2-h", "Mahmood", "L…", "1,536", "681M", "9", "CC-BY-NC-ND", "gated"]
    assert by_name["biomedclip"][-1] == "no"  # open to all, and not here
    assert by_name["lunit-resnet50-mocov2"][-2] == "non-comm."
    assert by_name["rudolfv-2-b"] == [
        "rudolfv-2-b", "Aignostics", "1,536", "–", "9", "non-comm.", "gated", "transformers",
    ]  # fmt: skip


def test_in_a_narrow_terminal_columns_go_and_no_number_is_cut():
    lines = render(
        models_table([Registration(spec.name, "plismbench", spec) for spec in CATALOG]), width=40
    ).splitlines()
    assert lines[0].split() == ["model", "dim", "params", "here"]
    assert next(line for line in lines if line.startswith("uni2-h ")).split()[1:3] == ["1,536", "681M"]


def test_a_name_that_stands_twice_says_so():
    text = " ".join(
        render(models_table([Registration("toy", owner, SPEC, "claimed by a and b") for owner in ("a", "b")])).split()
    )
    assert "toy, a: claimed by a and b" in text
    assert "toy, b: claimed by a and b" in text


def test_as_data():
    told = json.loads(models_parts(REGISTERED, TableFormat.JSON)[0])
    assert told["schema"] == "plismbench.models/1"
    assert [row["name"] for row in told["models"]] == ["bad", "toy"]
    assert told["models"][0]["problem"].startswith("ImportError")
    assert told["models"][1]["n_params"] == 85_700_000
    assert (told["models"][1]["extra"], told["models"][1]["cached"]) == (None, True)
    lines = list(csv.DictReader(io.StringIO(models_parts(REGISTERED, TableFormat.CSV)[0])))
    assert lines[1]["license"] == "MIT"
    assert "| toy" in models_parts(REGISTERED, TableFormat.MARKDOWN)[0]


def test_findings_are_told_in_words():
    findings = (
        Finding("parameters", 85_700_000, 85_700_000, passed=True),
        Finding("batch of 1 against 32", 2e-3, 1e-5, passed=False),
        Finding("tiles per second", 12.345),
    )
    assert findings_parts(findings, TableFormat.CSV)[0].splitlines() == [
        "what,found,expected,verdict",
        'parameters,"85,700,000","85,700,000",fine',
        "batch of 1 against 32,0.002,≤ 1e-05,WRONG",
        "tiles per second,12.3,,",
    ]
    told = json.loads(findings_parts(findings, TableFormat.JSON)[0])
    assert told["findings"][1] == {
        "name": "batch of 1 against 32", "value": 2e-3, "expected": 1e-5, "passed": False,
    }  # fmt: skip


def test_a_spec_is_told_field_by_field():
    text = spec_parts(SPEC, TableFormat.CSV)[0]
    assert 'dim,"1,536"' in text
    assert "gated,yes" in text
    assert "gated,no" in spec_parts(dataclasses.replace(SPEC, gated=False), TableFormat.CSV)[0]
    assert f"fingerprint,{SPEC.fingerprint()}" in text
    unknown = dataclasses.replace(SPEC, weights="hf-hub:a/b")  # what it will be is not known
    assert "fingerprint,\n" in spec_parts(unknown, TableFormat.CSV)[0].replace("\r", "")


def test_a_published_result_is_that_of_a_name():
    base = next(spec for spec in CATALOG if spec.name == "h0-mini")
    for spec, published in ((base, True), (base.variant(image_size=448), False), (SPEC, False)):
        assert json.loads(spec_parts(spec, TableFormat.JSON)[0])["models"][0]["published"] is published
