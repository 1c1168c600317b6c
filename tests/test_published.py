from plismbench.published import published_names, published_rows, published_statistics, published_times


def test_the_table_of_the_readme():
    rows = published_rows()
    assert len(rows) == 15
    assert rows[0] == {
        "name": "h0-mini", "title": "H0-Mini", "cosine": 0.8, "top10_cross_scanner": 0.864,
        "top10_cross_staining": 0.318, "top10_cross_both": 0.183, "score": 0.541,
    }  # fmt: skip


def test_who_has_a_published_result():
    names = published_names()
    assert {row["name"] for row in published_rows()} | {"genbio-pathfm"} == names
    assert {row["name"] for row in published_statistics()} | set(published_times()) <= names


def test_table_3_of_the_paper():
    rows = published_statistics()
    assert len(rows) == 13 * 3 * 2
    assert {row["group"] for row in rows} == {"cross-scanner", "cross-staining", "cross-both"}
    assert {"name": "plip", "group": "cross-both", "metric": "cosine", "median": 0.87, "iqr": 0.06} in rows


def test_times_are_relative_to_h0_mini():
    times = published_times()
    assert (times["h0-mini"], times["h-optimus-0"]) == (1, 10.1)
    assert "conch" not in times


def test_what_is_read_once_cannot_be_changed_by_its_reader():
    published_rows().clear()
    assert len(published_rows()) == 15
