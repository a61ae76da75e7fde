"""Where the project's files lie.

In a checkout that is its root, wherever the package stands in it; otherwise the working folder, so
that an installed package keeps its user's records where the user works.
"""

import tomllib
from pathlib import Path


def project_root(package: Path) -> Path | None:
    """The checkout that a folder of the package's code lies in.

    Returns:
        The nearest folder above it with a pyproject.toml of this project; None where it has none.
    """
    for folder in package.resolve().parents:
        declared = folder / "pyproject.toml"
        if declared.is_file():
            project = tomllib.loads(declared.read_text(encoding="utf-8")).get("project", {})
            if project.get("name") == "localbias":
                return folder
    return None


_FOUND = project_root(Path(__file__))
CHECKOUT = _FOUND is not None
ROOT = _FOUND or Path.cwd()
RECORDS = ROOT / "records"
RUNS = ROOT / "runs"  # checkpoints of unfinished runs
SMOKE_RECORDS = RUNS / "smoke"  # of the smoke tier, which is made again in seconds
