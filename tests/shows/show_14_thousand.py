"""Drift and scale, shows 1, 2, 3 and 5: a thousand clusters, beside the floors of the same run; fails on a missed aim.

usage: .venv/bin/python -m tests.shows.show_14_thousand [--clusters 1000] [--minutes 10]     (30 minutes, 4 GB)
"""

from __future__ import annotations

import sys

from tests.scale.thousand import run

if __name__ == "__main__":
    sys.exit(run())
