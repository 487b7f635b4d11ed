"""Changes to the files of a fleet repository, for a person to commit.

Knows: where a cluster's files and its second key belong, and how one value of a YAML file is changed in its place.
Gives: the files written and removed, by path; nothing half done where a path is not what it should be.
Never: git, a cluster, a file outside the repository, a link followed, a comment or a quote of somebody else's touched.
Read first: deletions.py; values.py.
"""

from clusterops.edit.deletions import Edited, write_deletion
from clusterops.edit.files import replace_file
from clusterops.edit.values import Written, set_value

__all__ = ["Edited", "Written", "replace_file", "set_value", "write_deletion"]
