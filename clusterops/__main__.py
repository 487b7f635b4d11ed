"""``python -m clusterops``."""

from clusterops.cli import main

main()
