"""Where the project's files lie.

In a checkout that is its root, wherever the package stands in it; otherwise the working folder, so
that an installed package keeps its user's records where the user works.
"""

import tomllib
from pathlib import Path


def project_root(package: Path, working: Path) -> Path:
    """The folder whose `records/` are meant.

    Args:
        package: a folder of the package's code.
        working: the folder to take where the package is not in a checkout of its own.

    Returns:
        The nearest folder above `package` with a pyproject.toml of this project, else `working`.
    """
    for folder in package.resolve().parents:
        declared = folder / "pyproject.toml"
        if declared.is_file():
            project = tomllib.loads(declared.read_text(encoding="utf-8")).get("project", {})
            if project.get("name") == "localbias":
                return folder
    return working


ROOT = project_root(Path(__file__), Path.cwd())
RECORDS = ROOT / "records"
RUNS = ROOT / "runs"  # checkpoints of unfinished runs
