from plismbench.extractors.catalog.remote import REMOTE


def test_what_runs_code_is_pinned():
    assert REMOTE
    for spec in REMOTE:
        assert spec.loader == "plismbench.extractors.remote:remote_model"
        assert len(spec.revision) == 40
        assert spec.options["output"] in ("pooler_output", "last_hidden_state")
