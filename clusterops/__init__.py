"""ClusterOps: the GitOps repository controller for fleets of Cluster API clusters."""

__version__ = "0.1.0"
