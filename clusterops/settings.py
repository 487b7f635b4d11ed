"""All settings as one frozen tree, read once by the CLI and passed down as the smallest sub-tree needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from clusterops.model.secret import SecretText


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """How we reach anything beyond this machine. Empty means: none, or the system's own."""

    https_proxy: str = ""
    http_proxy: str = ""
    no_proxy: tuple[str, ...] = ()
    ca_file: Path | None = None
    """PEM bundle that is trusted in addition to the system's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositorySettings:
    """The fleet repository and how to get at it."""

    url: str
    branch: str = "main"
    username: str = "git"
    """With a token over https, most forges ignore it."""
    token: SecretText = field(default_factory=lambda: SecretText(""))
    ssh_key: Path | None = None
    known_hosts: Path | None = None
    poll_s: float = 30.0
    """Between two fetches of a remote repository; a local one is watched."""
    connect_timeout_s: float = 10.0
    timeout_s: float = 60.0
    max_file_bytes: int = 8 * 1024 * 1024
    """Larger blobs are refused: no manifest is that large, and we decode them in memory."""
    push_notes: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeSettings:
    """How we speak with the forge that fleet.yaml names. A ``_file`` is read anew when it is needed, so it may rotate.

    A token may also be a key of a Secret in the daemon's namespace: ``token_secret: NAME/KEY``.
    """

    url: str = ""
    """Of the forge itself, ``https://git.example.org``; "": the public one of its kind."""
    token: SecretText = field(default_factory=lambda: SecretText(""))
    token_file: Path | None = None
    token_secret: str = ""
    app_id: str = ""
    """Of a GitHub App, instead of a token; with ``app_key_file``."""
    app_key_file: Path | None = None
    """The App's private key, PEM."""
    webhook_secret: SecretText = field(default_factory=lambda: SecretText(""))
    webhook_secret_file: Path | None = None
    """One a line; what it held before is valid for ten minutes more. Without a secret no webhook is taken."""
    poll_s: float = 60.0
    """Between two looks at the open requests, whatever webhooks say."""
    timeout_s: float = 30.0
    attempts: int = 5
    """Of one request, over 429, 5xx and cut connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """The management cluster."""

    kubeconfig: Path | None = None
    """None: in-cluster, else the loader's default."""
    context: str = ""
    max_in_flight: int = 32
    """Requests at once. 32 saturates a local API server for 0.25 ms of client CPU per apply."""
    max_per_second: float = 0.0
    """0: no cap beyond the server's own flow control."""
    timeout_s: float = 30.0
    attempts: int = 6
    """Of one request, over 429, 5xx and cut connections, with exponential backoff and full jitter."""
    watch_silence_s: float = 90.0
    """A watch without a byte for so long is taken for dead: bookmarks come once a minute. **Source:** k8s.io/apiserver
    pkg/storage/cacher, defaultBookmarkFrequency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderSettings:
    """helm and kustomize, and where renders are cached."""

    helm: Path | None = None
    kustomize: Path | None = None
    cache_dir: Path
    processes: int = 2
    """Renders at once: as many as there are cores."""
    timeout_s: float = 60.0
    output_bytes: int = 64 * 1024 * 1024
    age_key: SecretText = field(default_factory=lambda: SecretText(""))
    """Age identities that open SOPS files, one a line; those of ``age_key_file`` and ``age_key_secret`` count too."""
    age_key_file: Path | None = None
    """Read anew when it changes, so it may rotate."""
    age_key_secret: str = ""
    """``NAME/KEY`` of a Secret in the daemon's namespace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSettings:
    """The daemon itself."""

    namespace: str = "clusterops-system"
    """Where our Fleet, Lease and Events live."""
    management: str = "default"
    """Which regions are ours: those whose region.yaml names this management cluster."""
    identity: str = "clusterops"
    """Holder of the Lease; unique per process."""
    workers: int = 16
    """Targets written to at once: their waves fill the requests in flight (8 took a quarter longer, measured)."""
    lease_duration_s: float = 15.0
    """Source: client-go tools/leaderelection defaults (15 s, 10 s, 2 s)."""
    renew_deadline_s: float = 10.0
    renew_every_s: float = 2.0
    backoff_first_s: float = 1.0
    backoff_max_s: float = 300.0
    drain_s: float = 20.0
    """After SIGTERM, for writes already begun."""
    listen_host: str = "127.0.0.1"
    listen_port: int = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftSettings:
    """Drift as the daemon tells it beyond FleetTargets, Events and metrics."""

    report_file: Path | None = None
    """Written anew every so often: HTML, Markdown, JSON or text by its suffix (.html, .md, .json, .txt)."""
    report_every_s: float = 0.0
    """0: no report is written."""
    audit_log: Path | None = None
    """The API server's audit log (JSON lines), for the user name behind a field manager; None: nobody is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything."""

    repository: RepositorySettings
    cluster: ClusterSettings = field(default_factory=ClusterSettings)
    render: RenderSettings
    network: NetworkSettings = field(default_factory=NetworkSettings)
    daemon: DaemonSettings = field(default_factory=DaemonSettings)
    drift: DriftSettings = field(default_factory=DriftSettings)
    forge: ForgeSettings = field(default_factory=ForgeSettings)
    cache_dir: Path
    """Mirrors, renders, tools and sandboxes: may be deleted at any time."""
