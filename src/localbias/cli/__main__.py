"""`python -m localbias.cli` is the command."""

from localbias.cli import main

main()
