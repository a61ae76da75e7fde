"""What a run measured, kept: files, records, keys, and where records come from.

Here lives what reads and writes files and knows nothing of diffusion: a record is arrays and a JSON
object to it, a key the hash of a dataclass. Nothing here imports anything else of the package.
"""

from localbias.store.files import write_atomically
from localbias.store.keys import beyond_defaults, key_of, revive
from localbias.store.origin import code_version, origin_of
from localbias.store.paths import RECORDS, ROOT, RUNS
from localbias.store.record import READS, Record, all_records, find, hash_arrays, load, save

__all__ = [
    "READS",
    "RECORDS",
    "ROOT",
    "RUNS",
    "Record",
    "all_records",
    "beyond_defaults",
    "code_version",
    "find",
    "hash_arrays",
    "key_of",
    "load",
    "origin_of",
    "revive",
    "save",
    "write_atomically",
]
