"""TLS contexts. Both functions read files: call them in a thread."""

from __future__ import annotations

import ssl
from pathlib import Path

from clusterops.errors import TerminalError


def system_tls(extra_ca: Path | None = None) -> ssl.SSLContext:
    """Trusts the system's authorities, and those of ``extra_ca`` (PEM) in addition.

    Raises TerminalError ``tls-file`` when the file cannot be used.
    """
    context = ssl.create_default_context()
    if extra_ca is not None:
        _load(context, extra_ca)
    return context


def client_tls(
    *,
    ca_file: Path | None = None,
    extra_ca: Path | None = None,
    cert_file: Path | None = None,
    key_file: Path | None = None,
    verify: bool = True,
) -> ssl.SSLContext:
    """For one server: with ``ca_file`` only that authority is trusted, as kubectl does it, else ``system_tls``.

    The key is read now: the files may be removed afterwards. Raises TerminalError ``tls-file``.
    """
    if ca_file is None:
        context = system_tls(extra_ca)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _load(context, ca_file)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if cert_file is not None:
        _present(context, cert_file, key_file)
    return context


def _load(context: ssl.SSLContext, ca_file: Path) -> None:
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise _unusable(ca_file, "CA file", error) from error


def _present(context: ssl.SSLContext, cert_file: Path, key_file: Path | None) -> None:
    try:
        context.load_cert_chain(cert_file, key_file, password="")
    except (OSError, ssl.SSLError) as error:
        raise _unusable(cert_file, "client certificate", error) from error


def _unusable(path: Path, what: str, error: Exception) -> TerminalError:
    return TerminalError(
        "tls-file",
        f"{what} {path}",
        f"cannot be used: {getattr(error, 'strerror', None) or error}",
        hint="give a readable PEM file; a key must be without a password and belong to its certificate",
    )
