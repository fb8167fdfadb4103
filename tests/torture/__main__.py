"""The command line of `make torture`. Exit code 0: every promise held; 1: the lines on stderr say which did not."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from .outcome import PLANS, SHOWN, Outcome, Scale, load_plan, table


def main() -> int:
    """Runs the plans asked for and prints their table."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=main.__doc__)
    parser.add_argument("plans", nargs="*", metavar="PLAN", help=f"of {', '.join(PLANS)}; all when none is named")
    parser.add_argument("--short", action="store_true", help="as much as the tests do")
    parser.add_argument("--only", default="", metavar="TEXT", help="only cases with this in their name")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="also write the outcomes here")
    asked = parser.parse_args()
    if unknown := set(asked.plans) - set(PLANS):
        parser.error(f"no such plan: {', '.join(sorted(unknown))}; there are: {', '.join(PLANS)}")
    scale = Scale(long=not asked.short, seed=asked.seed, only=asked.only)
    outcomes: list[Outcome] = []
    for name in asked.plans or PLANS:
        with tempfile.TemporaryDirectory(prefix=f"torture-{name}-", ignore_cleanup_errors=True) as folder:
            for outcome in load_plan(name)(scale, Path(folder)):
                outcomes.append(outcome)
                if asked.json:  # after each case: half an hour may be cut short
                    said = json.dumps([asdict(outcome) for outcome in outcomes], indent=1)
                    asked.json.write_text(said, encoding="utf-8")
                print(f"{outcome.plan}: {outcome.case}: {outcome.seconds:.0f} s", file=sys.stderr)
                for problem in outcome.problems[:SHOWN]:
                    print(f"  {problem}", file=sys.stderr)
    print(table(outcomes))
    return 0 if outcomes and all(outcome.clean for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
