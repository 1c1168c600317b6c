"""Files and folders that are named where a file of weights is due, and what to do instead."""

import hashlib
import os
import zipfile
from pathlib import Path

from plismbench.errors import InvalidInput, words_of

# By what comes last in their names.
_NOT_WEIGHTS = {
    ".onnx": "an ONNX graph",
    ".pt2": "an exported program",
    ".npz": "an archive of NumPy",
    ".npy": "an array of NumPy",
    ".h5": "an HDF5 file",
    ".keras": "a model of Keras",
    ".index.json": "the table of a checkpoint in several files",
}
_ONE_FILE = "Save what the files hold as one, with safetensors.torch.save_file."
_OWN_CODE = "Save its network's state_dict() with torch.save, or load it in a function of your own, my.py:load."


def readable(path: str | Path, where: str = "") -> Path:
    """The path, ``~`` expanded, of what can be read or is not there.

    Args:
        path: of a file or folder, as someone wrote it.
        where: what a message begins with.

    Raises:
        InvalidInput: if it cannot be looked up, such as in the home of nobody or in a locked folder, or not be read.
    """
    try:
        expanded = Path(path).expanduser()
        expanded.stat()  # Path.exists() raises or says no, by the version of Python
    except (FileNotFoundError, NotADirectoryError):
        return expanded
    except (OSError, RuntimeError, ValueError) as error:
        why = (isinstance(error, OSError) and error.strerror) or words_of(error)
    else:
        if os.access(expanded, os.R_OK):
            return expanded
        why = "Permission denied"
    raise InvalidInput(f"{where}{path} cannot be read: {why}.", hint="Correct the name, or its permissions.")


def refuse_other_kind(path: Path, name: str) -> None:
    """Refuses what holds no weights, by its name, or by what a zip file has in it; it need not be there.

    Args:
        path: of the file.
        name: what the message calls it.

    Raises:
        InvalidInput: naming what it is.
    """
    kind = next((words for end, words in _NOT_WEIGHTS.items() if path.name.endswith(end)), None)
    if kind is None and path.is_file() and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(member.endswith("/constants.pkl") for member in archive.namelist()):
                kind = "a TorchScript program"
    if kind:
        hint = _ONE_FILE if path.name.endswith(".index.json") else _OWN_CODE
        raise InvalidInput(f"{name} is {kind}, not weights.", hint=hint)


def folder_hint(folder: Path) -> str:
    """What to name in place of a folder."""
    if all(readable(folder / name).is_file() for name in ("config.json", "model.safetensors")):
        return (
            f"Of a model of transformers name {folder / 'model.safetensors'} as `weights` of a .toml file, with a"
            ' `layout` such as "transformers" among its options.'
        )
    return "Name a file in it."


def existing_file(path: str | Path, where: str = "") -> Path:
    """The file of that name.

    Args:
        path: of the file.
        where: what a message begins with.

    Raises:
        InvalidInput: if it is not there, is a folder, or cannot be read.
    """
    file = readable(path, where)
    if file.is_dir():
        raise InvalidInput(f"{where}{path} is a folder; a file is expected.", hint=folder_hint(file))
    if not file.is_file():
        raise InvalidInput(f"{where}There is no file {path}.", hint="Correct the name, or make the file first.")
    return file


def file_sha256(path: Path) -> str:
    """The hash of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
