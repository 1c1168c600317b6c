"""The command ``plismbench``, and ``python -m plismbench``."""

import os
import sys


def main() -> None:
    """Runs the command line; Ctrl-C while its modules are still imported is one line too."""
    try:
        from plismbench.cli.app import main as run
    except KeyboardInterrupt:
        sys.stderr.write("plismbench: Interrupted.\n")
        os._exit(130)
    run()


if __name__ == "__main__":
    main()
