from plismbench.tiles.layout import Layout


def test_each_layout_has_a_repository_and_files_of_its_own() -> None:
    assert {layout: layout.repo for layout in Layout} == {
        "tiles": "owkin/plism-dataset-tiles",
        "h5": "owkin/plism-dataset",
    }
    assert {layout: layout.pattern for layout in Layout} == {"tiles": "data/*.parquet", "h5": "*.h5"}
