"""Damages recorded logs, answers to SELECT and documents of MongoDB, and has them read in Python and in C.

Runs in a process whose memory is bounded: a length field that asks for gigabytes ends in an error. With ``--sanitize`` the
parts in C are built with the address and undefined-behaviour sanitizers, and the process starts again on top of them.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

MEMORY = 2 << 30
"""Bytes of address space beyond what the process has when it begins."""
SANITIZERS = "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"
BUILT = "STREAMTRAIN_FUZZ_BUILT"
MODULES = (
    "connectors.mongo._raw_bson",
    "connectors.mongo._change_event",
    "connectors.mongo._delta",
    "connectors.mongo._extended_json",
    "connectors.mysql._cells",
    "connectors.mysql.binlog._plain",
    "connectors.mysql.binlog._rows",
)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    seed = options.seed or secrets.token_hex(4)
    if options.sanitize and BUILT not in os.environ:
        return _again_sanitized(seed, options)
    built = os.environ.get(BUILT)
    if built:
        for name in MODULES:
            sys.modules[name] = _loaded(name, Path(built))
    from connectors.mysql.binlog import native_rows, rows
    from tests.fuzz import documents
    from tests.fuzz.engine import Compile, Finding, Fuzzer

    decoders: dict[str, Compile] = {"in Python": rows.generate_rows_decoder}
    if native_rows.BUILT:
        decoders["in C"] = native_rows.rows_decoder
    fuzzer = Fuzzer(decoders)
    if not options.sanitize:
        _bound_memory()
    findings = []
    ends = time.monotonic() + 60 * options.minutes
    number = options.first
    while number < options.first + options.turns if options.turns else time.monotonic() < ends:
        try:
            fuzzer.play(f"{seed}.{number}")
        except Finding as finding:
            findings.append(str(finding))
            print(finding, file=sys.stderr, flush=True)
        number += 1
    used = {"decoders": sorted(decoders), "readers": sorted(documents.readers())}
    print(json.dumps({"seed": seed, **used, **fuzzer.counts, "findings": findings}))
    return 1 if findings else 0


def _bound_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) if sys.platform == "linux" else 0
    if pages:
        limit = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _again_sanitized(seed: str, options: argparse.Namespace) -> int:
    from tests.native import build

    with tempfile.TemporaryDirectory(prefix="streamtrain-fuzz-") as folder:
        build(Path(folder), CFLAGS=SANITIZERS, LDFLAGS="-fsanitize=address,undefined")
        libraries = [_library(name) for name in ("libasan.so", "libubsan.so")]
        environment = {
            **os.environ,
            BUILT: folder,
            "LD_PRELOAD": " ".join(libraries),
            # Python leaves memory to the end of the process; one allocation must not be larger than any real event.
            "ASAN_OPTIONS": "detect_leaks=0:max_allocation_size_mb=2048:allocator_may_return_null=1",
            "UBSAN_OPTIONS": "print_stacktrace=1",
            "PYTHONMALLOC": "malloc",
        }
        words = [sys.executable, "-m", "tests.fuzz", "--sanitize", "--seed", seed, "--minutes", str(options.minutes)]
        return subprocess.run([*words, "--turns", str(options.turns)], env=environment, check=False).returncode


def _library(name: str) -> str:
    done = subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _loaded(name: str, folder: Path) -> ModuleType:
    path = next(folder.rglob(f"{name.rpartition('.')[2]}.*so"))
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no extension module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", help="what all damage comes from; drawn and printed if it is left out")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long to go on (%(default)s)")
    parser.add_argument("--turns", type=int, default=0, help="end after so many turns instead")
    parser.add_argument("--first", type=int, default=0, help="the number of the first turn")
    parser.add_argument("--sanitize", action="store_true", help="build the parts in C with sanitizers")
    return parser


if __name__ == "__main__":
    sys.exit(main())
