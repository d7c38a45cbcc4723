"""`python -m movierec` is the command line too."""

from movierec.cli.main import main

main()
