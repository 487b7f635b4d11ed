"""Credentials from the kubeconfigs that people have."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from clusterops.errors import TerminalError
from clusterops.kube.credentials import Credentials, load_credentials
from clusterops.settings import ClusterSettings, NetworkSettings


@pytest.fixture(scope="module")
def pair() -> tuple[str, str]:
    """A self-signed certificate and its key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    raw_key = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(pem).decode(), raw_key.decode()


def load(folder: Path, cluster: dict[str, Any], user: dict[str, Any], *, context: str = "") -> Credentials:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443/", **cluster}}],
        "users": [{"name": "u", "user": user}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(document), encoding="utf-8")
    return load_credentials(ClusterSettings(kubeconfig=path, context=context), NetworkSettings())


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_inline_certificates_are_loaded_and_leave_no_file(
    tmp_path: Path, pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    cluster = {"certificate-authority-data": encoded(pair[0])}
    user = {"client-certificate-data": encoded(pair[0]), "client-key-data": encoded(pair[1])}
    for _ in range(2):
        found = load(tmp_path, cluster, user)
        assert found.server == "https://127.0.0.1:6443"
        assert found.tls.cert_store_stats()["x509"] == 1
        assert not found.authorization
        assert list(folder.iterdir()) == []


def test_only_the_named_authority_is_trusted_and_names_are_checked(tmp_path: Path, pair: tuple[str, str]) -> None:
    found = load(tmp_path, {"certificate-authority-data": encoded(pair[0])}, {})
    assert found.tls.verify_mode is ssl.CERT_REQUIRED
    assert found.tls.check_hostname
    insecure = load(tmp_path, {"insecure-skip-tls-verify": True}, {})
    assert insecure.tls.verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize(
    ("user", "header"),
    [
        ({"token": "abc"}, "Bearer abc"),
        ({"username": "ann", "password": "secret"}, f"Basic {encoded('ann:secret')}"),
        ({}, ""),
    ],
)
def test_the_authorization_header_is_made_and_masked(tmp_path: Path, user: dict[str, Any], header: str) -> None:
    found = load(tmp_path, {}, user)
    assert found.authorization.reveal() == header
    assert "abc" not in repr(found)
    assert encoded("ann:secret") not in repr(found)


def test_a_token_file_is_read_anew_each_time(tmp_path: Path) -> None:
    token = tmp_path / "token"
    found = []
    for text in ("first", "second"):
        token.write_text(text, encoding="ascii")
        found.append(load(tmp_path, {}, {"tokenFile": str(token)}))
    assert [each.authorization.reveal() for each in found] == ["Bearer first", "Bearer second"]
    assert found[0].identity == found[1].identity


def test_other_certificates_are_another_identity(tmp_path: Path, pair: tuple[str, str]) -> None:
    user = {"client-certificate-data": encoded(pair[0]), "client-key-data": encoded(pair[1])}
    assert load(tmp_path, {}, user).identity != load(tmp_path, {}, {}).identity


def test_server_name_and_proxy_of_the_kubeconfig_are_kept(tmp_path: Path) -> None:
    found = load(tmp_path, {"tls-server-name": "api.example.org", "proxy-url": "http://127.0.0.1:3128"}, {})
    assert (found.tls_server_name, found.proxy) == ("api.example.org", "http://127.0.0.1:3128")


def test_what_is_no_kubeconfig_is_named_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    for text in (None, "", "[]", "kind: Config"):
        if text is not None:
            path.write_text(text, encoding="utf-8")
        with pytest.raises(TerminalError, match=str(path)) as caught:
            load_credentials(ClusterSettings(kubeconfig=path), NetworkSettings())
        assert caught.value.code == "kubeconfig-invalid"


def test_a_context_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="another"):
        load(tmp_path, {}, {}, context="another")
