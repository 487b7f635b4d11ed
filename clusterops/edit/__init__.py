"""Changes to the files of a fleet repository, as values first and then written whole.

Knows: where a cluster's files and its second key belong, and how one value of a YAML file is changed in its place.
Gives: `Edits` of several files, from `Draft`; `write_files`; nothing half done where a path is not what it should be.
Never: git, a cluster, a file outside the repository, a link followed, a comment or a quote of somebody else's touched.
Read first: draft.py; values.py; pools.py.
"""

from clusterops.edit.deletions import draft_deletion
from clusterops.edit.draft import Draft, Edit, Edits
from clusterops.edit.files import write_files
from clusterops.edit.values import Written, set_value

__all__ = ["Draft", "Edit", "Edits", "Written", "draft_deletion", "set_value", "write_files"]
