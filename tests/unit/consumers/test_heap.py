"""Memory that was freed serves what comes next, instead of going back to the system."""

import ctypes
import subprocess
import sys

import pytest

ROUNDS, BLOCKS, BLOCK_BYTES = 10, 25, 900_000  # As fetched batches, decompressed.
PAGE_BYTES = 4096
FAULTS = f"""
import resource
from consumers.heap import keep_freed
def take_and_free():
    blocks = [b"x" * {BLOCK_BYTES} for _ in range({BLOCKS})]
keep_freed()
take_and_free()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({ROUNDS}):
    take_and_free()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="this libc is not glibc")
def test_memory_that_was_freed_is_taken_again_without_page_faults() -> None:
    command = [sys.executable, "-c", FAULTS]  # Of its own: the heap cannot be set back.
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert int(said) < ROUNDS * BLOCKS * BLOCK_BYTES // PAGE_BYTES // 20
