"""The command ``plismbench``, and ``python -m plismbench``."""

import os
import sys
import traceback


def main() -> None:
    """Runs the command line; Ctrl-C while its modules are still imported is one line too, and a bug no failed gate."""
    try:
        from plismbench.cli.output import prepare_streams

        prepare_streams()
        from plismbench.cli.app import main as run
    except KeyboardInterrupt:
        sys.stderr.write("plismbench: Interrupted.\n")
        os._exit(130)
    except Exception:  # noqa: BLE001 - Python's own exit code is 1
        traceback.print_exc()
        sys.exit(os.EX_SOFTWARE)
    run()


if __name__ == "__main__":
    main()
