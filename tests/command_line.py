"""The command line as a shell would see it, without the cost of a new process."""

import sys
from dataclasses import dataclass

from plismbench.cli.app import main


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def error(self):
        """The one line that an error is."""
        lines = [line for line in self.err.splitlines() if line.startswith("plismbench: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[0]


def run_command(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["plismbench", *map(str, arguments)])
    monkeypatch.setattr("plismbench.cli.app._leave", sys.exit)  # the process is that of the tests
    capsys.readouterr()
    try:
        main()
        code = 0
    except SystemExit as stop:
        code = stop.code or 0
    captured = capsys.readouterr()
    return Outcome(code, captured.out, captured.err)
