"""The API server of a management cluster.

*Knows:* paths, verbs and bodies of the Kubernetes API, what its refusals mean, when a request may be sent again.
*Gives:* `KubeCluster`, which implements ports.Cluster on the wire.
*Never:* generated models (they drop fields), a decision about what should be written, a forced apply unasked.
*Read first:* cluster.py, then exchange.py (one request with its retries) and answers.py (what a refusal means).
"""

from clusterops.kube.cluster import KubeCluster

__all__ = ["KubeCluster"]
