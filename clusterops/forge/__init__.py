"""The forge: GitHub, GitLab, Gitea and Forgejo behind one contract, `ports.Forge`.

*Knows:* each forge's paths, bodies, states, limits and signatures.
*Gives:* `open_forge`, and `read_delivery` for what a webhook brings.
*Never:* decides what is said. An adapter is pure wire: a `Call` out, a value in; `sender.py` alone moves bytes.
*Read first:* wire.py, then client.py and sender.py, then one adapter, github.py.
"""

from clusterops.forge.client import ForgeClient
from clusterops.forge.kinds import open_forge
from clusterops.forge.tokens import Tokens, WebhookSecrets
from clusterops.forge.webhooks import read_delivery
from clusterops.forge.webhooks_signatures import is_signed

__all__ = ["ForgeClient", "Tokens", "WebhookSecrets", "is_signed", "open_forge", "read_delivery"]
