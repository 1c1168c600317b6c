"""Whether a result is of what is here now."""

from plismbench.dataset import RegisteredDataset, Slide
from plismbench.embeddings.store import EmbeddingStore
from plismbench.errors import CorruptFile, few_of
from plismbench.results.result import Run, selection_name
from plismbench.workspace import MANIFEST_FILE, Workspace


def why_outdated(run: Run, workspace: Workspace, dataset: RegisteredDataset) -> str:
    """Why a result is not of what is here now, or cannot be told to be; empty if nothing contradicts it.

    Vectors that were deleted contradict nothing. Manifests and digests are read, and no vectors.

    Args:
        run: of the result.
        workspace: where the vectors are.
        dataset: as it is described now.
    """
    slides = list(map(Slide.parse, run.slides))
    gone = [slide for slide in slides if slide not in dataset.slides]
    if gone:
        return f"The result of '{run.name}' compares {few_of(gone)}, which '{dataset.name}' does not have."
    revision = run.revision.partition(":")[0]  # without what tells commits apart
    if revision != dataset.revision:
        return f"The result of '{run.name}' is of revision {revision}, and '{dataset.name}' is {dataset.revision} now."
    folder = workspace.embeddings(run.name)
    if not (folder / MANIFEST_FILE).exists() and not any(folder.glob("*.parquet")):
        return ""
    try:
        store = EmbeddingStore.open(folder)
        there = store.manifest
        same = (there.fingerprint, there.revision, there.precision) == (run.fingerprint, revision, run.precision)
        same &= all(there.tiles_commit.get(repo, commit) == commit for repo, commit in run.tiles_commit.items())
        if same and store.contents(filter(store.has, slides)).items() <= run.vectors.items():
            return ""
    except CorruptFile as error:
        return f"Whether the result of '{run.name}' is of the vectors that are here cannot be told: {error.message}"
    return f"The vectors of '{run.name}' are not those of its result any more."


def is_submitted(run: Run, workspace: Workspace, dataset: RegisteredDataset) -> bool:
    """Whether a result was added as a submission: it is of vectors elsewhere, whatever is extracted here.

    Args:
        run: of the result.
        workspace: where the result is.
        dataset: as it is described now.
    """
    slides = list(map(Slide.parse, run.slides))
    selection = selection_name(dataset, slides, run.n_tiles, run.ks, run.protocol)
    return (workspace.results(run.name, selection) / MANIFEST_FILE).exists()
