from plismbench.extractors.catalog.remote import REMOTE
from plismbench.extractors.checkpoints.locations import REMOTE_MODEL, SAVED_MODEL


def test_what_runs_code_is_pinned():
    assert {spec.loader for spec in REMOTE} == {REMOTE_MODEL, SAVED_MODEL}
    for spec in REMOTE:
        if spec.loader == REMOTE_MODEL:
            assert len(spec.revision) == 40
            assert spec.options["output"] in ("pooler_output", "last_hidden_state")


def test_path_foundation_sees_pixels_from_0_to_1():
    (spec,) = (spec for spec in REMOTE if spec.loader == SAVED_MODEL)
    assert (spec.mean, spec.std, spec.options) == ((0, 0, 0), (1, 1, 1), {"output": "output_0"})
