"""Random work on a random schema while everything is killed and frozen; afterwards the topics must equal the tables.

Each round has servers, a schema and a seed of its own. The seed of a round is printed: ``--seed`` with it plays that round
again, as far as real processes allow. A round's result is appended to ``--results`` as soon as it is known.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.chaos.plan import Outcome, Plan, RoundFailed
from tests.chaos.round import SOURCES, play

ROUND_S = 120.0


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if options.nice:
        os.nice(options.nice)
    outcomes: list[Outcome] = []
    broken: list[str] = []
    try:
        for plan in _plans(options):
            directory = options.directory / f"{plan.seed}-{plan.source}".replace("/", "-")
            _say(f"seed {plan.seed}, {plan.source}, {plan.seconds:.0f} s of faults ...")
            try:
                outcome = play(plan, _fresh(directory), _say, keep_files=options.keep)
            except RoundFailed as failure:
                broken.append(str(failure))
                _say(f"  {failure}; logs lie in {directory}")
                if options.keep_going:
                    continue
                break
            outcomes.append(outcome)
            _report(outcome, options)
            if not outcome.passed and not options.keep_going:
                break
    except KeyboardInterrupt:
        _say("stopped")
    _sum_up(outcomes, options)
    return 0 if outcomes and not broken and all(outcome.passed for outcome in outcomes) else 1


def _plans(options: argparse.Namespace) -> Iterator[Plan]:
    """Rounds until the time is up: their sources take turns."""
    sources = list(SOURCES) if options.source == "all" else [options.source]
    seed = options.seed or secrets.token_hex(4)
    ends = time.monotonic() + 60 * options.minutes
    number = 0
    while number == 0 or time.monotonic() < ends - 30:
        # A seed that was printed holds the number of its round and is played alone.
        name = seed if "." in seed else f"{seed}.{number}"
        chosen = sources[int(name.rpartition(".")[2]) % len(sources)]
        yield Plan(name, chosen, min(ROUND_S, max(20.0, ends - time.monotonic())))
        number += 1
        if "." in seed:
            return


def _fresh(directory: Path) -> Path:
    candidate, number = directory, 1
    while candidate.exists():
        number += 1
        candidate = directory.with_name(f"{directory.name}-{number}")
    return candidate


def _report(outcome: Outcome, options: argparse.Namespace) -> None:
    if options.results:
        with options.results.open("a", encoding="utf-8") as file:
            file.write(
                json.dumps({"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())} | outcome.to_json()) + "\n"
            )
    verdict = outcome.verdict
    _say(
        f"  {'passed' if outcome.passed else 'FAILED'} after {outcome.seconds:.0f} s: {verdict.rows} rows,"
        f" {verdict.transactions} transactions, {outcome.alterations} alterations of tables,"
        f" {sum(outcome.faults.values())} faults, {verdict.reread} rows read again ({outcome.version})"
    )
    for one in verdict.differences[:5]:
        _say(f"  {one}")
    if not outcome.passed:
        _say(f"  {verdict.found} differences in all; logs, topics and tables lie in {outcome.kept}")
        _say(f"  again: make chaos SEED={outcome.plan.seed} SOURCE={outcome.plan.source}")


def _sum_up(outcomes: Sequence[Outcome], options: argparse.Namespace) -> None:
    faults: Counter[str] = Counter()
    for outcome in outcomes:
        faults += outcome.faults
    total = {
        "passed": bool(outcomes) and all(outcome.passed for outcome in outcomes),
        "rounds": [outcome.to_json() for outcome in outcomes],
        "rows": sum(outcome.verdict.rows for outcome in outcomes),
        "transactions": sum(outcome.verdict.transactions for outcome in outcomes),
        "alterations": sum(outcome.alterations for outcome in outcomes),
        "faults": dict(sorted(faults.items())),
    }
    if options.json:
        print(json.dumps(total))
        return
    _say(
        f"{len(outcomes)} rounds: {total['rows']} rows, {total['transactions']} transactions,"
        f" {total['alterations']} alterations of tables, {sum(faults.values())} faults survived"
    )
    for what, count in sorted(faults.items()):
        _say(f"  {count:5d}  {what}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", help="what all decisions come from; drawn and printed if it is left out")
    parser.add_argument("--minutes", type=float, default=3.0, help="how long to go on, about (%(default)s)")
    parser.add_argument("--source", choices=[*SOURCES, "all"], default="all")
    parser.add_argument("--json", action="store_true", help="one JSON value on standard output at the end")
    parser.add_argument("--results", type=Path, help="append a line of JSON for every round as it ends")
    parser.add_argument("--keep-going", action="store_true", help="go on after a round that failed")
    parser.add_argument("--keep", action="store_true", help="keep the files of rounds that passed, too")
    parser.add_argument("--nice", type=int, default=0, help="lower the priority of all processes by this much")
    parser.add_argument("--directory", type=Path, default=Path("build/chaos"), help="for files; %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
