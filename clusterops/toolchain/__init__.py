"""Finds the programs that ClusterOps drives, or builds them with Go from pinned sources.

*Knows:* which version of each program is ours, where a fitting one may already be, how it is built when it is not.
*Gives:* `TOOLS`, `locate` for one of them, `ensure` for paths that can be run.
*Never:* downloads a binary, reads the process environment, uses a build that did not finish, replaces a file in use.
*Read first:* table.py, then install.py.
"""

from clusterops.toolchain.install import ensure
from clusterops.toolchain.locate import Located, Source, locate
from clusterops.toolchain.progress import Progress, Silent
from clusterops.toolchain.settings import PASSED_VARIABLES, ToolchainSettings
from clusterops.toolchain.table import TOOLS, Tool, tool_named

__all__ = [
    "PASSED_VARIABLES",
    "TOOLS",
    "Located",
    "Progress",
    "Silent",
    "Source",
    "Tool",
    "ToolchainSettings",
    "ensure",
    "locate",
    "tool_named",
]
