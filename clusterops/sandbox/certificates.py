"""The certificates of one sandbox: an authority of its own, one for its servers, one for its admin."""

import base64
import json
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from clusterops.sandbox.spec import Layout

_LIFETIME = timedelta(days=3650)
# A clock that was set back a little must not make a fresh sandbox unusable.
_SLACK = timedelta(hours=1)


def write_certificates(layout: Layout) -> None:
    """Write all keys and certificates into the folder, unless they are there already."""
    if layout.token_key.exists():
        return
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _authority(ca_key)
    server_key = ec.generate_private_key(ec.SECP256R1())
    server = _leaf(_name("clusterops-sandbox"), server_key, ca, ca_key, with_addresses=True)
    admin_key = ec.generate_private_key(ec.SECP256R1())
    # The group that RBAC lets do everything; see the bootstrap policy of kube-apiserver.
    admin = _leaf(_name("clusterops-sandbox-admin", "system:masters"), admin_key, ca, ca_key, with_addresses=False)
    layout.server_cert.parent.mkdir(parents=True, exist_ok=True)
    _write(layout.ca, _certificate(ca))
    _write(layout.server_cert, _certificate(server))
    _write(layout.server_key, _key(server_key))
    _write(layout.admin_cert, _certificate(admin))
    _write(layout.admin_key, _key(admin_key))
    # Last, as its presence says that all the others are complete.
    _write(layout.token_key, _key(ec.generate_private_key(ec.SECP256R1())))


def write_kubeconfig(layout: Layout, name: str, server: str) -> None:
    """Write a kubeconfig with the admin's certificate inside; JSON is YAML to every reader of it."""
    context = f"clusterops-{name}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": context, "cluster": {"server": server, "certificate-authority-data": _data(layout.ca)}},
        ],
        "users": [
            {
                "name": context,
                "user": {
                    "client-certificate-data": _data(layout.admin_cert),
                    "client-key-data": _data(layout.admin_key),
                },
            }
        ],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        "current-context": context,
    }
    _write(layout.kubeconfig, json.dumps(config, indent=2).encode())


def _name(common_name: str, organization: str | None = None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLACK)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _name("clusterops-sandbox-ca")
    builder = _builder(name, name, key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.add_extension(_usage(signs_certificates=True), critical=True).sign(key, hashes.SHA256())


def _leaf(
    name: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    *,
    with_addresses: bool,
) -> x509.Certificate:
    # etcd shows its serving certificate as a client, too, when it talks to itself.
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if with_addresses else [])]
    builder = (
        _builder(name, ca.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            ),
            critical=False,
        )
    )
    if with_addresses:
        names: list[x509.GeneralName] = [
            x509.IPAddress(IPv4Address("127.0.0.1")),
            x509.DNSName("localhost"),
            x509.DNSName("kubernetes.default.svc"),
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(ca_key, hashes.SHA256())


def _certificate(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key(key: ec.EllipticCurvePrivateKey) -> bytes:
    # Not PKCS 8: kube-apiserver takes the public half of a token key from a private one in this form only.
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


def _data(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
