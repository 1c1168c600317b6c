import csv
import io

from plismbench.reporting.printing import csv_text, markdown, printable


def test_control_characters_become_visible():
    assert printable("a\x1b[31mb\nc é") == "a�[31mb�c é"


def test_markdown_cells_cannot_leave_their_cell():
    lines = markdown(["model", "score"], [["a|b <i>\n", ".5"]]).splitlines()
    assert lines[0].split("|")[1].strip() == "model"
    assert lines[2].startswith("| a\\|b &lt;i>� |")
    assert len(lines) == 3


def test_csv_reads_back():
    rows = [{"name": 'a,"b"\n', "value": 0.1}, {"name": "c", "value": None}]
    back = list(csv.DictReader(io.StringIO(csv_text(rows))))
    assert back == [{"name": 'a,"b"\n', "value": "0.1"}, {"name": "c", "value": ""}]
    assert csv_text([]) == "\n"
