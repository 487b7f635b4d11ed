"""The fleet repository as git has it.

Knows: mirrors, fetches, trees, notes; what libgit2's errors mean.
Gives: GitRepository, an implementation of ports.Repository.
Never: a shared pygit2.Repository without its lock; a clone that a killed process could leave half done in place.
Read first: repository.py, mirror.py, notes.py.
"""

from clusterops.source.git.repository import GitRepository

__all__ = ["GitRepository"]
