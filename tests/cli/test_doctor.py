import pytest

from plismbench import doctor
from plismbench.doctor import Diagnosis, Verdict

GOOD = Diagnosis("python", Verdict.PASS, "3.11")
SLOW = Diagnosis("gpu", Verdict.WARN, "none", "buy one")
BAD = Diagnosis("hub", Verdict.FAIL, "no\x1bnet", "plug it in")


@pytest.mark.parametrize(("bad", "code"), [([], 0), ([BAD], 3)])
def test_each_check_is_a_line_with_its_fix_below(run, monkeypatch, bad, code):
    monkeypatch.setattr(doctor, "examine", lambda *_: [GOOD, SLOW, *bad])
    outcome = run("doctor")
    assert outcome.code == code
    lines = outcome.out.splitlines()
    assert lines[:3] == ["PASS  python: 3.11", "WARN  gpu: none", "      → buy one"]
    if bad:
        assert lines[3:] == ["FAIL  hub: no�net", "      → plug it in"]
        assert "1 check failed." in outcome.error


def test_gated_models_are_tried_when_asked(run, monkeypatch):
    asked = []
    monkeypatch.setattr(
        doctor, "examine", lambda _root, _data, gated: asked.append([spec.name for spec in gated]) or []
    )
    run("doctor")
    run("doctor", "--gated")
    assert asked[0] == []
    assert {"h0-mini", "h-optimus-0"} <= set(asked[1])
