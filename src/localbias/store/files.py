"""Files that are written whole or not at all, by one process at a time."""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

LOCKS = ".locks"  # folder of the locks, beside what they guard
DRAFT = ".draft"  # how the name of a file ends that is not whole yet


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file by `content`, so that a reader meets the old or the new, never a part.

    The content is on the disk before its name is, so a machine that loses power keeps one of both.

    Raises:
        OSError: where it cannot be written; the old file stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}{DRAFT}")
    try:
        with draft.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
        _sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def require_writable(folder: Path) -> None:
    """Make a folder, and find out before hours of work whether files can be written into it.

    Raises:
        OSError: where they cannot, naming the folder.
    """
    probe = folder / f".probe{DRAFT}"  # one name, so that a killed process leaves no more than one
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(bytes(2**12))
    except OSError as error:
        raise type(error)(
            error.errno, f"nothing can be written into {folder}: {error.strerror}"
        ) from None
    finally:
        if folder.is_dir():
            probe.unlink(missing_ok=True)


@contextmanager
def only_writer(stem: str, folder: Path, *others: Path) -> Iterator[None]:
    """Be the only process that makes what lies under that stem; another one waits, and says so.

    The system lets go of the lock when its process ends, however it ends. Drafts that a killed
    process left of the same stem are removed.

    Args:
        stem: the name of the files.
        folder: where they are going to lie, and the lock.
        others: where further files of that stem are written, such as checkpoints.

    Raises:
        OSError: where nothing can be written, naming the folder.
    """
    for needed in (folder / LOCKS, folder, *others):
        require_writable(needed)
    lock = FileLock(folder / LOCKS / f"{stem}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"{stem}: another process is making it; waiting for that", file=sys.stderr)
        lock.acquire()
    try:
        for written in (folder, *others):
            for draft in written.glob(f".{stem}*{DRAFT}"):
                draft.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


def _sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk; Windows has no such call, and needs none."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
