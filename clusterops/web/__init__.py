"""The face for machines: /healthz, /readyz and /metrics, so that a kubelet and a Prometheus see how the daemon is.

Knows: how to serve; what is served is asked of a `Facts` each time.
Gives: `serve`, an async context manager.
Never: changes anything, shows an object or a secret.
Read first: endpoints.py.
"""

from clusterops.web.endpoints import Facts, serve

__all__ = ["Facts", "serve"]
