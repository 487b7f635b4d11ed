"""From a git commit to the fleet that it describes.

Knows: git (the only importer of pygit2 and watchfiles), the layout and schema of the fleet repository.
Gives: GitRepository, Snapshots of commits and working trees, the Fleet with every problem and its place; for a
person's clone, commits (clone.py) and pushes (transfer.py).
Never: renders, talks to a cluster, follows a symlink, or reads a file outside the repository.
Read first: git/repository.py, fleet/reader.py, fleet/tables.py.
"""
