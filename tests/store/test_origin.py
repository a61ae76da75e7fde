"""Provenance: which code made a record."""

import os
import subprocess
from datetime import UTC, datetime, timedelta
from importlib import metadata

import pytest

from localbias import store

VERSION = metadata.version("localbias")


def git(folder, *arguments):
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    """A checkout with one commit; its path and the commit."""
    for name, content in {
        "src/code.py": "1",
        "pyproject.toml": "",
        "constraints.txt": "",
        "README.md": "Read",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "all")
    return tmp_path, git(tmp_path, "rev-parse", "HEAD")


def test_a_clean_checkout_is_its_commit(checkout):
    root, commit = checkout
    assert store.code_version(root) == commit


@pytest.mark.parametrize("name", ["README.md", "notes.txt", "records/one.json"])
def test_what_decides_no_number_does_not_count(name, checkout):
    root, commit = checkout
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text("changed")
    assert store.code_version(root) == commit


@pytest.mark.parametrize(
    "name", ["src/code.py", "src/new.py", "src/part/new.py", "pyproject.toml", "constraints.txt"]
)
def test_changed_and_unknown_sources_count(name, checkout):
    root, commit = checkout
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text("changed")
    assert store.code_version(root) == f"{commit}-dirty"


def test_another_repository_in_the_environment_is_left_out(checkout, tmp_path_factory, monkeypatch):
    root, commit = checkout
    other = tmp_path_factory.mktemp("other")
    git(other, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert store.code_version(root) == commit


def test_outside_a_checkout_and_without_git_it_is_the_version(checkout, tmp_path, monkeypatch):
    root, _ = checkout
    assert store.code_version(root, checkout=False) == VERSION  # someone else's repository
    assert store.code_version(tmp_path / "nowhere") == VERSION
    monkeypatch.setenv("PATH", "")
    assert store.code_version(root) == VERSION


def test_looking_writes_nothing_into_the_repository(checkout):
    """Git would refresh its index, and leave a lock behind where it is killed meanwhile."""
    root, commit = checkout
    for path in root.rglob("*.py"):
        os.utime(path, (1, 1))  # the index no longer knows when it was changed
    before = (root / ".git" / "index").read_bytes()
    assert store.code_version(root) == commit
    assert (root / ".git" / "index").read_bytes() == before


def test_files_have_the_day_of_their_first_commit(tmp_path, monkeypatch):
    git(tmp_path, "init", "-q")
    folder = tmp_path / "records"
    folder.mkdir()
    for day, name in (("2025-03-01", "a.json"), ("2025-03-09", "b.json")):
        (folder / name).write_text(name)
        git(tmp_path, "add", ".")
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"{day}T12:00:00+0000")
        git(tmp_path, "commit", "-qm", name)
    # The day on which a file was changed later, or got its name, is not that of its record.
    (folder / "a.json").write_text("brought to another schema")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2025-04-01T12:00:00+0000")
    git(tmp_path, "commit", "-qam", "later")
    assert store.committed_on(folder) == {"a.json": "2025-03-01", "b.json": "2025-03-09"}
    clone = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", tmp_path.as_uri(), str(clone))
    assert store.committed_on(clone / "records") == {}


def test_outside_a_repository_nothing_says_when(tmp_path):
    assert store.committed_on(tmp_path) == {} == store.committed_on(tmp_path / "none")


def test_a_process_says_when_it_ended():
    made = store.process_of(
        code="abc", device="cpu", threads=1, libraries=(), steps=(0, 20), seconds=1.5
    )
    age = datetime.now(UTC) - datetime.fromisoformat(made["ended"])
    assert timedelta(0) <= age < timedelta(minutes=1)
