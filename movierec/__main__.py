"""`python -m movierec` is the command line too."""

from movierec.cli import main

main()
