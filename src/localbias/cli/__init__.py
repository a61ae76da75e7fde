"""The command `localbias`: make records and look at them, draw figures, bring chapters up to date.

Here lives what reads the words of a command line and prints; what it does is found on the floors
below. Commands import these only when they are called, so that `localbias --help` is quick.
"""

import sys
from importlib import metadata
from typing import Annotated

import typer

from localbias.cli import book, recent, records, runs
from localbias.cli.options import DAMAGED, DIFFERS, FAILED, MISSING, app, one_line

__all__ = [
    "DAMAGED",
    "DIFFERS",
    "FAILED",
    "MISSING",
    "app",
    "book",
    "main",
    "recent",
    "records",
    "runs",
]


def _version(asked: bool) -> None:
    if asked:
        from localbias.store import code_version

        number, code = metadata.version("localbias"), code_version()
        typer.echo(f"localbias {number}" + (f", code {code}" if code != number else ""))
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_version,
            is_eager=True,
            help="The version, and the commit of the code.",
        ),
    ] = False,
) -> None:
    """Local generation bias, measured: experiments, their records, and the book made of them."""


def main() -> None:
    """The command. An error that names its cause is shown as one line, without a traceback."""
    try:
        app()
    except (ValueError, OSError, FloatingPointError, ImportError) as error:
        sys.exit(f"localbias: {one_line(error)}")
    except (MemoryError, RuntimeError) as error:  # torch's own errors of memory are RuntimeErrors
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        sys.exit(f"localbias: out of memory ({one_line(error)})")
