from plismbench.reporting.formats import TableFormat


def test_the_words_on_the_command_line():
    assert [str(word) for word in TableFormat] == ["table", "markdown", "csv", "json", "html", "latex"]
