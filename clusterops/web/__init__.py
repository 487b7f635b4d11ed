"""The face for machines: /healthz, /readyz and /metrics for a kubelet and a Prometheus, /webhooks/KIND for a forge.

Knows: how to serve; what is served is asked of a `Facts` each time, what was called goes to a `Listener`.
Gives: `serve`, an async context manager, and `Webhooks` for it.
Never: changes anything, shows an object or a secret, logs a byte that was sent.
Read first: endpoints.py, then webhooks.py.
"""

from clusterops.web.deliveries import Deliveries
from clusterops.web.endpoints import Facts, serve
from clusterops.web.webhooks import Listener, Webhooks

__all__ = ["Deliveries", "Facts", "Listener", "Webhooks", "serve"]
