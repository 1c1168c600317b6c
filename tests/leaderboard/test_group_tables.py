from synthetic_results import make_result

from plismbench.leaderboard.group_tables import SPREAD_SCHEMA, group_tables, published_groups


def test_groups_are_medians_and_iqr_of_the_summary():
    results = [make_result("weak", 0.3), make_result("strong", 0.7)]
    (table,) = group_tables(results)
    assert dict(table.spreads.schema) == SPREAD_SCHEMA
    assert list(dict.fromkeys(table.spreads["name"])) == ["strong", "weak"]
    expected = results[1].summary.select("group", "metric", "median", "iqr")
    assert table.spreads.filter(name="strong").drop("name").equals(expected)
    assert group_tables([]) == ()
    assert (published_groups().published, table.published) == (True, False)
