"""``python -m plismbench``."""

from plismbench.cli.app import main

main()
