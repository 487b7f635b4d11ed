"""Which proxy, if any, a URL goes through."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from clusterops.settings import NetworkSettings


def proxy_for(url: str, network: NetworkSettings) -> str | None:
    """The proxy's URL, or None to go straight.

    ``no_proxy`` holds host names (which also cover their subdomains, with or without a leading dot), addresses, CIDR
    blocks, each with an optional ``:port``, or ``*``. **Source:** golang.org/x/net/http/httpproxy, which kubectl uses;
    unlike there, a loopback address never goes through a proxy even when it is spelled as a name in a hosts file.
    """
    parts = urlsplit(url)
    proxy = network.https_proxy if parts.scheme == "https" else network.http_proxy
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if not proxy or host == "localhost" or _is_loopback(host):
        return None
    return None if any(_covers(entry.strip().lower(), host, port) for entry in network.no_proxy) else proxy


def _covers(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    name, entry_port = _split_port(entry)
    if not name or entry_port not in {"", str(port)}:
        return False
    address = _address(host)
    if address is not None:
        return _holds(name, address)
    bare = name.removeprefix("*").removeprefix(".")
    return host == bare or host.endswith(f".{bare}")


def _split_port(entry: str) -> tuple[str, str]:
    """``[fd00::1]:6443`` and ``example.org:6443`` have a port, ``fd00::1`` and ``10.0.0.0/8`` have none."""
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        return name, rest.removeprefix(":")
    if entry.count(":") == 1:
        name, _, port = entry.partition(":")
        return name, port
    return entry, ""


def _holds(entry: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return address is not None and address.is_loopback
