"""Where a record comes from: the code, the machines, the libraries, the seconds it took."""

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from localbias.store.paths import CHECKOUT, ROOT

SOURCES = ("src", "pyproject.toml", "constraints.txt")  # what decides a run's numbers


def process_of(
    *,
    code: str,
    device: str,
    threads: int,
    libraries: tuple[str, ...],
    steps: tuple[int, int],
    seconds: float,
) -> dict[str, Any]:
    """One process that took part in a run: an interrupted run is made by several.

    Args:
        code: what `code_version` said before it began.
        device: "cpu", or the name of the GPU.
        threads: of PyTorch on the CPU.
        libraries: names of the distributions whose versions decide the numbers.
        steps: where it began and where it ended.
        seconds: of wall time.
    """
    return {
        "code": code,
        "device": device,
        "threads": threads,
        "machine": platform.machine(),
        "libraries": {name: metadata.version(name) for name in libraries},
        "steps": list(steps),
        "seconds": round(seconds, 1),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def code_version(root: Path = ROOT, checkout: bool = CHECKOUT) -> str:
    """The commit the code stands at; outside a checkout the version of the package.

    "-dirty" follows where what decides a run's numbers is not as committed; files that git does not
    know yet count, other documents don't. Git's own environment variables are left out of account:
    they may name another repository.

    Args:
        root: of the checkout.
        checkout: whether the package lies in one.
    """
    version = metadata.version("localbias")
    if not checkout or not (root / ".git").exists() or not shutil.which("git"):
        return version
    commit = _git(root, "rev-parse", "HEAD")
    changed = _git(root, "status", "--porcelain", "--untracked-files=all", "--", *SOURCES)
    if commit is None or changed is None:
        return version
    return f"{commit}-dirty" if changed else commit


def committed_on(folder: Path) -> dict[str, str]:
    """The day on which each file of a folder was first committed, as 2025-03-09, by its name.

    It is empty outside a repository, and where the history is cut off (a shallow clone): there
    every file would seem to be as young as its last commit.
    """
    if not folder.is_dir() or not shutil.which("git"):
        return {}
    if _git(folder, "rev-parse", "--is-shallow-repository") != "false":
        return {}
    added = ("--no-renames", "--diff-filter=A", "--name-only")
    log = _git(folder, "log", "--format=%x00%cs", *added, "--", ".")
    found: dict[str, str] = {}
    for commit in (log or "").split("\0")[1:]:
        day, *names = commit.split("\n")
        # The newest commit comes first, so the oldest one stands.
        found |= {name.rpartition("/")[2]: day for name in names if name}
    return found


def _git(root: Path, *arguments: str) -> str | None:
    """What git says of the repository at `root`; None where it fails."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    # Without its optional lock: a run that is killed while git looks must not leave one behind.
    command = ["git", "--no-optional-locks", *arguments]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None
