"""The file as this version of hubstats writes it, kept for the tests of later versions: `make fixture`.

Writes tests/fixtures/VERSION.duckdb.gz: the fixed rows of tests/expected/rows.sql, of every crawled table some, judged
and estimated by this version. Until VERSION is released it is made anew with every change of the schema; the fixture of
a released version is never made again, since its point is to be what users have.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
from pathlib import Path

from hubstats import __version__
from hubstats.pipeline import Silent, rerun
from hubstats.store import Store

ROOT = Path(__file__).parent.parent
ROWS = ROOT / "tests" / "expected" / "rows.sql"
FIXTURES = ROOT / "tests" / "fixtures"


def main() -> int:
    """Writes the fixture of this version and says how large it is."""
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "fixture.duckdb"
        with Store.open(db, write=True) as store, store.transaction():
            store.execute(ROWS.read_text(encoding="utf-8"))
            store.execute("UPDATE salt SET value = 'the salt of a fixture, no secret'")
            # Derived rows among the fixed ones are of another registry: they are made by what follows.
            store.execute("DELETE FROM verdict; DELETE FROM detection")
        judged, made = rerun(db, Silent())
        out = FIXTURES / f"{__version__}.duckdb.gz"
        out.parent.mkdir(exist_ok=True)
        out.write_bytes(gzip.compress(db.read_bytes(), compresslevel=9, mtime=0))
    print(f"{out.relative_to(ROOT)}: {out.stat().st_size:,} bytes, {judged} subjects judged, {made} figures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
