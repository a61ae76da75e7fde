"""What a run measured, kept: files, records, checkpoints, keys, and where records come from.

Here lives what reads and writes files and knows nothing of diffusion: a record is arrays and a JSON
object to it, a key the hash of a dataclass. Nothing here imports anything else of the package.
"""

from localbias.store.checkpoint import load_checkpoint, save_checkpoint
from localbias.store.costs import cost, duration
from localbias.store.files import only_writer, require_writable, write_atomically
from localbias.store.keys import beyond_defaults, key_of, revive
from localbias.store.origin import code_version, committed_on, process_of
from localbias.store.paths import CHECKOUT, RECORDS, ROOT, RUNS, SMOKE_RECORDS
from localbias.store.record import (
    READS,
    SCHEMA,
    Record,
    all_records,
    find,
    hash_arrays,
    load,
    note_read,
    save,
    timed,
    write_origin,
)

__all__ = [
    "CHECKOUT",
    "READS",
    "RECORDS",
    "ROOT",
    "RUNS",
    "SCHEMA",
    "SMOKE_RECORDS",
    "Record",
    "all_records",
    "beyond_defaults",
    "code_version",
    "committed_on",
    "cost",
    "duration",
    "find",
    "hash_arrays",
    "key_of",
    "load",
    "load_checkpoint",
    "note_read",
    "only_writer",
    "process_of",
    "require_writable",
    "revive",
    "save",
    "save_checkpoint",
    "timed",
    "write_atomically",
    "write_origin",
]
