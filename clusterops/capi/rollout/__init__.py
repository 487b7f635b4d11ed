"""Which Machines go when a control plane, a pool or a topology changes, by Cluster API's own comparators.

Knows: what MachineDeployments and KubeadmControlPlanes compare, what a topology generates from its ClusterClass.
Gives: per Machine the differences that make it go; none means that it stays.
Never: I/O or clocks; calls a Machine safe when its fate cannot be computed (``Incomputable`` instead).
Read first: pools.py, control_planes.py, topology.py.
"""
