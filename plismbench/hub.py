"""What the Hugging Face Hub answers when it does not give what was asked, as one sentence and a next step."""

import contextlib
import errno
import json
from collections.abc import Iterator

from plismbench.errors import AccessDenied, PlismbenchError, StorageFailure, Unavailable, first_line_of

_UNWRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


@contextlib.contextmanager
def hub_errors(repo: str, revision: str | None, *, kind: str) -> Iterator[None]:
    """Turns what huggingface_hub raises about a repository into our errors.

    Args:
        repo: ``ORG/NAME``.
        revision: what was asked for; ``None`` is the newest.
        kind: ``model`` or ``dataset``.

    Raises:
        AccessDenied: if the Hub wants a token, or the terms of the repository accepted.
        Unavailable: if the Hub cannot be reached, is busy for too long, or has no such thing; if something
            else answers in its place, such as the page of a network that wants a login.
        StorageFailure: if the Hub's cache on this machine cannot be written.
    """
    from huggingface_hub import constants, errors

    page = f"{constants.ENDPOINT}/{'datasets/' if kind == 'dataset' else ''}{repo}"
    try:
        yield
    except PlismbenchError:
        raise
    except json.JSONDecodeError as error:
        raise Unavailable(
            f"What answers as {constants.ENDPOINT} for {repo} is not the Hub: it sent a page that is not JSON.",
            hint="Log in to the network if it wants that in a browser; check the proxy and HF_ENDPOINT.",
        ) from error
    except (http_error(), errors.OfflineModeIsEnabled, FileNotFoundError) as error:
        status = _status(error)
        if status in (401, 403):
            meaning = {
                401: "no valid token was sent; it answers so for gated, private and misspelt repositories alike",
                403: "your account was not granted access",
            }[status]
            raise AccessDenied(
                f"The Hub refuses access to {repo} (status {status}: {meaning}).",
                hint=f"Ask for access on {page}, then run `hf auth login` or set HF_TOKEN.",
            ) from error
        # HfFileSystem hides the answer of the Hub behind a FileNotFoundError; the other kind of
        # FileNotFoundError, LocalEntryNotFoundError, says that there was no answer.
        absent = isinstance(error, FileNotFoundError) and not isinstance(error, errors.LocalEntryNotFoundError)
        if status == 404 or (status is None and absent):
            raise Unavailable(
                f"The Hub does not have what was asked of {repo} at revision '{revision or 'main'}'.",
                hint=f"Look at {page}; HF_ENDPOINT may name a mirror that lacks it.",
            ) from error
        if status is not None:
            raise Unavailable(
                f"The Hub kept answering status {status} for {repo}.",
                hint="Wait some minutes and run the same command again; finished work is kept.",
            ) from error
        raise Unavailable(
            f"Cannot reach {constants.ENDPOINT} for {repo}: {first_line_of(error)}.",
            hint="Check the network, HF_ENDPOINT and HF_HUB_OFFLINE. Without one, try `plismbench extract"
            " --dataset demo --model color-stats`.",
        ) from error
    except OSError as error:
        if error.errno not in _UNWRITTEN:
            raise
        raise StorageFailure(
            f"Cannot write what was fetched of {repo} to {constants.HF_HUB_CACHE}: {error.strerror}.",
            hint="Free some space there, or set HF_HOME to another folder, and run the same command again.",
        ) from error


def http_error() -> type[Exception]:
    """The base of all that can go wrong on the way: httpx's, or httpx2's, whichever huggingface_hub uses."""
    from huggingface_hub import errors

    return errors.HTTPError  # type: ignore[attr-defined]


def require_model(repo: str, revision: str | None) -> None:
    """Asks the Hub once for a model that is not in the local cache.

    Without a network huggingface_hub tries every file for half a minute; this fails at once.

    Raises:
        HfHubHTTPError, HTTPError: as huggingface_hub does; use it within `hub_errors`.
    """
    from huggingface_hub import HfApi, constants, errors, snapshot_download

    try:
        snapshot_download(repo, revision=revision, local_files_only=True)
    except errors.LocalEntryNotFoundError:
        HfApi().model_info(repo, revision=revision, timeout=constants.HF_HUB_ETAG_TIMEOUT)


def _status(error: BaseException | None) -> int | None:
    """Status of the answer that an error, or what caused it, came from."""
    from huggingface_hub.errors import HfHubHTTPError

    while error is not None:
        if isinstance(error, HfHubHTTPError):
            return int(error.response.status_code)
        error = error.__cause__
    return None
