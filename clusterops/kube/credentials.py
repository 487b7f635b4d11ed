"""Finds and refreshes credentials with the official ``kubernetes`` package. Blocking: call it in a thread.

Its synchronous loader is used because its asyncio one never refreshes an exec plugin's token.
"""

from __future__ import annotations

import base64
import ssl
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from clusterops.errors import TerminalError, TransientError
from clusterops.http import client_tls
from clusterops.model.canonical import digest_of
from clusterops.model.secret import SecretText
from clusterops.settings import ClusterSettings, NetworkSettings

_LOADING = threading.Lock()
"""The loader remembers its temporary files in a module-level table without a lock of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """``authorization`` is the whole header, empty with a client certificate, which ``tls`` presents.

    ``identity`` is equal as long as server, proxy and certificates are, so a new token alone needs no new connection.
    """

    server: str
    authorization: SecretText
    tls: ssl.SSLContext = field(repr=False, compare=False)
    tls_server_name: str = ""
    proxy: str = ""
    identity: str


def load_credentials(settings: ClusterSettings, network: NetworkSettings) -> Credentials:
    """Runs an exec plugin when the kubeconfig names one, and reads every file anew.

    Raises TerminalError ``kubeconfig-invalid`` or ``tls-file``, TransientError ``credentials-unavailable``.
    """
    with _LOADING, tempfile.TemporaryDirectory(prefix="clusterops-kube-") as folder:
        found = _load(settings, folder)
        return _credentials(found, network)


def _load(settings: ClusterSettings, folder: str) -> Any:
    """A kubernetes.client.Configuration. The loader writes inline keys to ``folder``, which is removed after use."""
    from kubernetes import config  # slow to import (0.4 s), so not before it is needed
    from kubernetes.client import Configuration

    found = Configuration()
    found.proxy = None
    where = str(settings.kubeconfig or "the default kubeconfig")
    try:
        if settings.kubeconfig is None and not settings.context and _load_in_cluster(config, found):
            return found
        config.kube_config._cleanup_temp_files()  # type: ignore[no-untyped-call]  # of folders that are gone
        config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=str(settings.kubeconfig) if settings.kubeconfig else None,
            context=settings.context or None,
            client_configuration=found,
            persist_config=False,
            temp_file_path=folder,
        )
    except config.ConfigException as error:
        nothing = _NO_FILE if settings.kubeconfig else _NOWHERE
        raise _unusable(where, str(error).replace(_LOADER_FOUND_NOTHING, nothing)) from error
    except OSError as error:
        raise TransientError("credentials-unavailable", where, f"cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise _unusable(where, f"is not a kubeconfig: {type(error).__name__}") from error
    return found


_LOADER_FOUND_NOTHING: Final = "Invalid kube-config file. No configuration found."
_NO_FILE: Final = "there is no such file, or nothing in it"
_NOWHERE: Final = "neither $KUBECONFIG nor ~/.kube/config names a cluster, and this is no pod"


def _load_in_cluster(config: Any, found: Any) -> bool:
    try:
        config.load_incluster_config(client_configuration=found)
    except config.ConfigException:
        return False
    return True


def _unusable(where: str, words: str) -> TerminalError:
    return TerminalError(
        "kubeconfig-invalid",
        where,
        words.rstrip("."),
        hint="name a kubeconfig file and a context in it (--kubeconfig, --context), or run in the cluster",
    )


def _credentials(found: Any, network: NetworkSettings) -> Credentials:
    files = {name: _path(getattr(found, attribute)) for name, attribute in _FILES}
    tls = client_tls(extra_ca=network.ca_file, verify=bool(found.verify_ssl), **files)
    server, proxy = str(found.host).rstrip("/"), str(found.proxy or "")
    tls_server_name = str(getattr(found, "tls_server_name", None) or "")
    content = [path.read_bytes().hex() if path else "" for path in files.values()]
    return Credentials(
        server=server,
        authorization=SecretText(_authorization(found)),
        tls=tls,
        tls_server_name=tls_server_name,
        proxy=proxy,
        identity=digest_of([server, proxy, tls_server_name, bool(found.verify_ssl), content]),
    )


_FILES = (("ca_file", "ssl_ca_cert"), ("cert_file", "cert_file"), ("key_file", "key_file"))


def _path(value: Any) -> Path | None:
    return Path(value) if value else None


def _authorization(found: Any) -> str:
    """From a token, or a user name and password. Older loaders keep the token under another name."""
    token = found.api_key.get("BearerToken") or found.api_key.get("authorization") or ""
    if token:
        scheme, _, value = str(token).strip().rpartition(" ")
        return f"{scheme or 'Bearer'} {value}".replace("bearer ", "Bearer ", 1)
    if found.username:
        pair = f"{found.username}:{found.password or ''}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"
    return ""
