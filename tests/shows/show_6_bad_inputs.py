"""Shows what a person sees for each of many wrong inputs: files, charts, settings, usage, repository, cluster, rights.

usage: python -m tests.shows.show_6_bad_inputs [--write]      (half a minute; from the project's root)

Every entry stands in tests/golden/bad_inputs.txt, and a difference is a failure; ``--write`` writes that file anew.
"""

from __future__ import annotations

import difflib
import sys
from collections import Counter

from tests.shows.bad_clusters import CLUSTER_ROWS
from tests.shows.bad_files import FILE_ROWS
from tests.shows.bad_inputs import Seen, golden_entries, write_golden
from tests.shows.bench import bench
from tests.shows.place import place


def main(*, write: bool) -> bool:
    with place("crds") as (home, sandbox, tools), bench(home, sandbox, tools) as trying:
        seen = trying.try_all((*FILE_ROWS, *CLUSTER_ROWS))
    if write:
        write_golden(seen)
    golden, whole = golden_entries(), True
    for each in seen:
        print(f"\n{each.entry}")
        for wrong in (*each.wrong(), *_difference(golden.get(each.row.title, ""), each)):
            whole = False
            print(f"WRONG {wrong}")
    exits = ", ".join(f"{count} with exit {code}" for code, count in sorted(Counter(s.exit for s in seen).items()))
    print(f"\n{len(seen)} inputs: {exits}; {'all as agreed' if whole else 'NOT all as agreed'}")
    return whole


def _difference(agreed: str, seen: Seen) -> list[str]:
    return [] if agreed == seen.entry else list(difflib.unified_diff(agreed.splitlines(), seen.entry.splitlines(), n=0))


if __name__ == "__main__":
    sys.exit(0 if main(write="--write" in sys.argv) else 1)
