"""A submission that holds, and ways to break it."""

import hashlib
import io
import json
import zipfile
from dataclasses import asdict

import polars as pl
from synthetic_results import CORES, make_result

from plismbench.dataset import Slide
from plismbench.embeddings.manifest import Manifest, write_manifest
from plismbench.results.result import read_result, write_result
from plismbench.submissions.submission import pack

SLIDES = tuple(Slide(staining, scanner) for staining in ("GM", "HR") for scanner in ("AT2", "P"))


def make_submission(folder, **changes):
    """The archive of a whole result, and the result."""
    result = make_result(slides=SLIDES, n_tiles=sum(CORES.values()), **changes)
    run = result.run
    write_result(folder / "result", result)
    fields = {name: getattr(run, name) for name in ("extractor", "fingerprint", "dataset", "revision", "precision")}
    write_manifest(folder / "manifest.json", Manifest(**fields))
    pack(folder / "result", folder / "manifest.json", folder / "toy.zip")
    return folder / "toy.zip", read_result(folder / "result")


def members(archive):
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def forge(archive, changes, sealed=True):
    """The archive with other members (None: without); with ``sealed`` its checksums and signature are made to fit."""
    files = members(archive) | changes
    files = {name: data for name, data in files.items() if data is not None}
    if sealed:
        seal = json.loads(files["submission.json"])
        seal["sha256"] = {name: hashlib.sha256(files[name]).hexdigest() for name in seal["sha256"] if name in files}
        if "submission.json" not in changes:
            seal["signature"] = json.loads(files["run.json"])["signature"]
        files["submission.json"] = json.dumps(seal).encode()
    path = archive.with_name("forged.zip")
    with zipfile.ZipFile(path, "w") as opened:
        for name, data in files.items():
            opened.writestr(name, data)
    return path


def changed_table(archive, name, change):
    table = change(pl.read_parquet(io.BytesIO(members(archive)[name])))
    content = io.BytesIO()
    table.write_parquet(content)
    return {name: content.getvalue()}


def changed_json(archive, name, **fields):
    return {name: json.dumps(json.loads(members(archive)[name]) | fields).encode()}


def changed_run(archive, result, **fields):
    """Another run, with the signature that it would have."""
    run = type(result.run)(**{field: getattr(result.run, field) for field in asdict(result.run)} | fields)
    return {"run.json": json.dumps(asdict(run) | {"signature": run.signature}).encode()}
