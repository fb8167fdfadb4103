"""One step of benchmarks.dump in a process of its own: `python -m benchmarks.dump_step STEP PATH`.

A module that imports nothing by itself: the workers that a step starts import it too, and those of hubstats have none.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Prints what the step took, as JSON."""
    import json
    import os
    from pathlib import Path

    from hubstats.cli import GIVE_BACK

    os.environ.update(GIVE_BACK)  # as the command does
    from benchmarks import dump

    print(json.dumps(dump.one(sys.argv[1], Path(sys.argv[2]))))


if __name__ == "__main__":
    main()
