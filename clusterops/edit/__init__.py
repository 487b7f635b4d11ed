"""Changes to the files of a fleet repository, for a person to commit.

Knows: where a cluster's files and its second key belong.
Gives: the files written and removed, by path; nothing half done where a path is not what it should be.
Never: git, a cluster, a file outside the repository, a link followed.
Read first: deletions.py.
"""

from clusterops.edit.deletions import Edited, write_deletion

__all__ = ["Edited", "write_deletion"]
