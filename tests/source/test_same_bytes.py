"""The same frames make the same bytes, whatever lies in uninitialized memory."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

WRITING = Path(__file__).parents[1] / "helpers" / "write_twice.py"


def write_all(folder, filling):
    """Write files in a process whose fresh memory is filled with a byte; return their digests."""
    folder.mkdir()
    environment = os.environ | {"MALLOC_PERTURB_": str(filling), "MALLOC_MMAP_THRESHOLD_": str(2**30)}
    done = subprocess.run(
        [sys.executable, WRITING, folder], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc fills fresh memory when asked to")
def test_written_files_do_not_depend_on_previous_memory(tmp_path):
    assert write_all(tmp_path / "a", 85) == write_all(tmp_path / "b", 170)
