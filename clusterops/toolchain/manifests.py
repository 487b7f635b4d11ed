"""The manifests that a provider ships, rendered once and kept as JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from clusterops.errors import TerminalError
from clusterops.process import Limits, run
from clusterops.toolchain.settings import ToolchainSettings
from clusterops.toolchain.table import Tool

_KEPT_KINDS = frozenset(
    {"Namespace", "CustomResourceDefinition", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}
)
_LIMITS = Limits(timeout_s=120, output_bytes=64 * 1024 * 1024)


async def render_manifests(
    tool: Tool, folders: Mapping[str, Path], result: Path, *, kustomize: Path, settings: ToolchainSettings
) -> None:
    """Write ``<name>.json``, a list of objects, into ``result`` for each kustomization of ``tool``.

    ``folders`` maps module paths to their sources. Only Namespaces, CRDs and webhook configurations are kept: the
    managers run as processes here, so their Deployments, roles and certificates are of no use.
    """
    for rendered in tool.rendered:
        source = folders[rendered.module] / rendered.folder
        # Off, because each config/default reaches into the folders beside it.
        argv = [str(kustomize), "build", "--load-restrictor", "LoadRestrictionsNone", str(source)]
        done = await run(argv, env=settings.environment, limits=_LIMITS)
        if done.exit_code != 0:
            raise TerminalError(
                "tool-build-failed", f"{tool.name} {rendered.name}", done.stderr.decode(errors="replace").strip()
            )
        kept = kept_objects(done.stdout)
        if not any(item["kind"] == "CustomResourceDefinition" for item in kept):
            raise TerminalError("tool-build-failed", f"{tool.name} {rendered.name}", "rendered no CRD")
        (result / f"{rendered.name}.json").write_text(json.dumps(kept), encoding="utf-8")


def kept_objects(rendered: bytes) -> list[dict[str, Any]]:
    """The objects of a YAML stream that a sandbox installs, in their order."""
    documents = yaml.load_all(rendered, Loader=yaml.CSafeLoader)
    return [item for item in documents if item and item["kind"] in _KEPT_KINDS]
