"""Changes to vendored sources before a build: exact text or no build at all."""

from dataclasses import dataclass
from pathlib import Path

from clusterops.errors import TerminalError


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """In the file ``path`` below ``vendor/``, ``before`` stands exactly ``count`` times and becomes ``after``."""

    path: str
    before: str
    after: str
    count: int = 1


_MUX = "sigs.k8s.io/cluster-api/test/infrastructure/inmemory/pkg/server/mux.go"
_WEBHOOK_SERVER = "sigs.k8s.io/controller-runtime/pkg/webhook/server.go"

# The managers bind their webhooks, and the dev provider its in-memory API servers, to every interface, without a
# flag against it. A sandbox on a laptop must not be reachable from its network, and two sandboxes must not fight
# for ports 19000 and 20000: so the webhooks bind loopback, and the in-memory servers the host given as POD_IP.
# Source: the two files named above, of cluster-api/test v1.14.0 and the controller-runtime that it requires.
LOOPBACK_ONLY = (
    Patch(
        path=_MUX,
        before='net.Listen("tcp", fmt.Sprintf(":%d", options.DebugPort))',
        after='net.Listen("tcp", fmt.Sprintf("%s:%d", host, options.DebugPort))',
    ),
    Patch(
        path=_MUX,
        before='net.Listen("tcp", fmt.Sprintf(":%d", wcl.Port()))',
        after='net.Listen("tcp", fmt.Sprintf("%s:%d", m.host, wcl.Port()))',
        count=2,
    ),
    Patch(
        path=_WEBHOOK_SERVER,
        before='tls.Listen("tcp", net.JoinHostPort(s.Options.Host, strconv.Itoa(s.Options.Port)), cfg)',
        after='tls.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Options.Port)), cfg)',
    ),
)


def apply_patches(vendor: Path, patches: tuple[Patch, ...]) -> None:
    """Patch the files below ``vendor``; TerminalError ``tool-patch-failed`` when one is not as expected."""
    for patch in patches:
        file = vendor / patch.path
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        found = text.count(patch.before)
        if found != patch.count:
            raise TerminalError(
                "tool-patch-failed",
                patch.path,
                f"expected {patch.count} times, found {found} times: {patch.before}",
                hint="the pinned sources changed; read them again and correct the patch, do not build without it",
            )
        # A vendored file is a copy, but keeps the read-only mode of the module cache.
        file.chmod(0o644)
        file.write_text(text.replace(patch.before, patch.after), encoding="utf-8")
