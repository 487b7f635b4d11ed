"""The API server of a management cluster.

*Knows:* paths, verbs and bodies of the Kubernetes API, what its refusals mean, when a request may be sent again.
*Gives:* `KubeCluster`, which implements ports.Cluster on the wire, and `CachedCluster`, ports.LiveCache over it.
*Never:* generated models (they drop fields), a decision about what should be written, a forced apply unasked.
*Read first:* cluster.py, then exchange.py (one request with its retries) and answers.py (what a refusal means);
live/cached.py for what is answered without asking.
"""

from clusterops.kube.cluster import KubeCluster
from clusterops.kube.live.cached import CachedCluster

__all__ = ["CachedCluster", "KubeCluster"]
