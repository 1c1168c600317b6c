import errno
import sys

import pytest
from huggingface_hub import errors

from plismbench.errors import AccessDenied, CorruptFile, StorageFailure, Unavailable
from plismbench.hub import hub_errors, require_model

# httpx or httpx2, whichever huggingface_hub uses.
httpx = sys.modules[errors.HTTPError.__module__.partition(".")[0]]


def answer(status):
    request = httpx.Request("GET", "http://hub/Org/Name")
    return errors.HfHubHTTPError("said so", response=httpx.Response(status, request=request))


def raised(error, kind="model", revision=None):
    with pytest.raises((AccessDenied, Unavailable)) as caught, hub_errors("Org/Name", revision, kind=kind):
        raise error
    return caught.value


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (401, AccessDenied, "no valid token was sent"),
        (403, AccessDenied, "your account was not granted access"),
        (404, Unavailable, "does not have what was asked of Org/Name at revision 'main'"),
        (429, Unavailable, "kept answering status 429"),
        (503, Unavailable, "kept answering status 503"),
    ],
)
def test_every_status_has_its_meaning(status, error, words):
    found = raised(answer(status))
    assert type(found) is error
    assert words in found.message
    assert found.exit_code == 3


def test_the_page_is_that_of_the_repository():
    assert raised(answer(403)).hint.startswith("Ask for access on https://huggingface.co/Org/Name,")
    assert "/datasets/Org/Name" in raised(answer(403), kind="dataset").hint
    assert "revision 'abc'" in raised(answer(404), revision="abc").message


def test_an_answer_hidden_behind_a_missing_file_is_found():
    hidden = FileNotFoundError("no such shard")
    hidden.__cause__ = answer(401)
    assert type(raised(hidden)) is AccessDenied
    assert "does not have" in raised(FileNotFoundError("no such shard")).message


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("[Errno -2] Name or service not known"),
        errors.OfflineModeIsEnabled("offline"),
        errors.LocalEntryNotFoundError("not in the cache"),
    ],
)
def test_no_answer_is_told_from_no(error):
    assert "Cannot reach https://huggingface.co" in raised(error).message
    assert "Without one, try `plismbench extract --dataset demo" in raised(error).hint  # of every command


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "No space left on device"), (errno.EROFS, "Read-only file system")]
)
def test_a_cache_that_cannot_be_written_is_no_answer_of_the_hub(number, words, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", "/cache/hub")
    with pytest.raises(StorageFailure) as caught, hub_errors("Org/Name", None, kind="model"):
        raise OSError(number, words)
    assert caught.value.message == f"Cannot write what was fetched of Org/Name to /cache/hub: {words}."
    assert "HF_HOME" in caught.value.hint


def test_our_own_errors_pass_and_so_do_bugs():
    for error in (CorruptFile("a shard"), ZeroDivisionError(), OSError(errno.EIO, "Input/output error")):
        with pytest.raises(type(error)), hub_errors("Org/Name", None, kind="dataset"):
            raise error


def test_a_model_in_the_cache_needs_no_question(monkeypatch):
    asked = []
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda repo, **options: asked.append((repo, options)))
    require_model("Org/Name", "abc")
    assert asked == [("Org/Name", {"revision": "abc", "local_files_only": True})]
