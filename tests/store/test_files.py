"""Files: whole or not at all, one writer at a time, and folders that are checked before the work."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from localbias import store
from localbias.store import files


def test_a_file_is_replaced_whole_and_no_draft_stays(tmp_path, monkeypatch):
    path = tmp_path / "new" / "file"
    store.write_atomically(path, b"one")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        store.write_atomically(path, b"two")
    assert path.read_bytes() == b"one" and list(path.parent.iterdir()) == [path]


def test_threads_that_write_the_same_file_do_not_meet(tmp_path):
    contents = [bytes([i]) * 100_000 for i in range(8)]
    path = tmp_path / "file"
    writers = [
        threading.Thread(target=store.write_atomically, args=(path, one)) for one in contents
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert path.read_bytes() in contents and list(tmp_path.iterdir()) == [path]


def test_content_is_on_the_disk_before_its_name(tmp_path, monkeypatch):
    order = []
    real_sync, real_replace = os.fsync, os.replace
    monkeypatch.setattr("os.fsync", lambda handle: order.append("sync") or real_sync(handle))
    monkeypatch.setattr(
        "os.replace", lambda *names: order.append("replace") or real_replace(*names)
    )
    store.write_atomically(tmp_path / "file", b"content")
    assert order[:2] == ["sync", "replace"]


def test_a_folder_that_cannot_be_written_into_is_named(tmp_path, monkeypatch):
    store.require_writable(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="nothing can be written into .*file"):
        store.require_writable(tmp_path / "file")

    def full(self, _):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="nothing can be written into .*: No space left"):
        store.require_writable(tmp_path / "new")


def test_one_writer_a_stem_and_its_drafts_are_removed(tmp_path, capsys):
    left = tmp_path / f".one.json.abc{files.DRAFT}"
    other = tmp_path / f".two.json.abc{files.DRAFT}"
    for draft in (left, other):
        draft.write_text("half")
    order = []

    def second():
        with store.only_writer("one", tmp_path):
            order.append("second")

    with store.only_writer("one", tmp_path):
        assert not left.exists() and other.exists()
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(0.3)
        order.append("first")
        with store.only_writer("two", tmp_path):
            pass  # another stem does not wait
    waiting.join()
    assert order == ["first", "second"]
    assert capsys.readouterr().err == "one: another process is making it; waiting for that\n"


HOLDER = """
import sys, time
from pathlib import Path
from localbias import store
with store.only_writer("one", Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_ends_with_its_process(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout.readline() == "held\n"
        holder.kill()
    with store.only_writer("one", tmp_path):
        pass
