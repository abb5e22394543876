"""A process that captures keeps nothing of a large batch that it has let go of."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FREE_LARGE_BLOCKS = """
import re
from streamtrain.cli.memory import give_back_large_blocks

def held_mib():
    return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024

give_back_large_blocks()
before, kept = held_mib(), []
for _ in range(4):  # what is freed between blocks that stay cannot be given back, unless each is a mapping of its own
    blocks = [bytearray(b"x" * (16 << 20)) for _ in range(2)]
    kept.append(bytearray(b"x" * (1 << 20)))
    del blocks
print(held_mib() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps blocks of that size")
def test_large_blocks_go_back_to_the_system() -> None:
    done = subprocess.run((sys.executable, "-c", FREE_LARGE_BLOCKS), capture_output=True, text=True, check=True)
    assert float(done.stdout) < 8
