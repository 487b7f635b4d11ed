"""What the toolchain needs to know of the machine that it runs on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PASSED_VARIABLES = frozenset(
    {
        "PATH",
        "HOME",
        "TMPDIR",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "CGO_ENABLED",
        "CC",
        "GOROOT",
        "GOPATH",
        "GOCACHE",
        "GOMODCACHE",
        "GOPROXY",
        "GOFLAGS",
        "GOENV",
        "GOINSECURE",
        "GOMAXPROCS",
        "GONOPROXY",
        "GONOSUMDB",
        "GOPRIVATE",
        "GOSUMDB",
        "GOTMPDIR",
        "GOTOOLCHAIN",
        "NETRC",
        "GOAUTH",
    }
)
"""The variables that a build may see: where Go keeps things and how it reaches modules, nothing of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolchainSettings:
    """``cache_dir`` is the root of all our caches; ``environment`` holds at most `PASSED_VARIABLES`.

    ``kubebuilder_assets`` is the folder where envtest keeps etcd and kube-apiserver, when there is one.
    """

    cache_dir: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    kubebuilder_assets: Path | None = None

    @property
    def search_path(self) -> str:
        return self.environment.get("PATH", "")
