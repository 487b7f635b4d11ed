"""SOPS files: values that are encrypted in git and decrypted in memory.

Knows: SOPS' metadata, its encrypted values, its MAC, and age identities.
Gives: AgeKeys (whose keys we hold), open_file, read_seal.
Never: writes what it decrypted anywhere; prints an identity; a key service, a program or a network.
Read first: file.py, seal.py.
"""

from clusterops.render.sops.file import Opened, open_file
from clusterops.render.sops.keys import AgeKeys
from clusterops.render.sops.seal import Seal, read_seal

__all__ = ["AgeKeys", "Opened", "Seal", "open_file", "read_seal"]
