"""Which requests go through a proxy."""

from __future__ import annotations

import pytest

from clusterops.http import proxy_for
from clusterops.settings import NetworkSettings

PROXY = "http://proxy.example.org:3128"


@pytest.mark.parametrize(
    ("no_proxy", "url", "goes_through"),
    [
        ((), "https://api.example.org", True),
        (("example.org",), "https://api.example.org", False),
        ((".example.org",), "https://api.example.org", False),
        ((".example.org",), "https://example.org", False),
        (("*.example.org",), "https://api.example.org", False),
        (("ample.org",), "https://api.example.org", True),
        (("example.org:6443",), "https://api.example.org:6443", False),
        (("example.org:6443",), "https://api.example.org", True),
        (("example.org:443",), "https://api.example.org", False),
        (("*",), "https://api.example.org", False),
        (("10.0.0.0/8",), "https://10.1.2.3:6443", False),
        (("10.0.0.0/8",), "https://11.1.2.3:6443", True),
        (("10.1.2.3",), "https://10.1.2.3:6443", False),
        (("10.1.2.3:80",), "https://10.1.2.3:6443", True),
        (("fd00::/8",), "https://[fd00::1]:6443", False),
        (("fd00::1",), "https://[fd00::1]:6443", False),
        (("[fd00::1]:6443",), "https://[fd00::1]:6443", False),
        (("[fd00:1:2::1]:6443",), "https://[fd00:1:2::1]:6443", False),
        (("[fd00:1:2::1]:80",), "https://[fd00:1:2::1]:6443", True),
        (("", " "), "https://api.example.org", True),
        ((), "https://127.0.0.1:6443", False),
        ((), "https://localhost:6443", False),
        ((), "https://[::1]:6443", False),
    ],
)
def test_no_proxy_covers_what_kubectl_would_cover(no_proxy: tuple[str, ...], url: str, goes_through: bool) -> None:
    network = NetworkSettings(https_proxy=PROXY, no_proxy=no_proxy)
    assert proxy_for(url, network) == (PROXY if goes_through else None)


def test_each_scheme_has_its_own_proxy() -> None:
    network = NetworkSettings(http_proxy=PROXY)
    assert proxy_for("http://git.example.org", network) == PROXY
    assert proxy_for("https://git.example.org", network) is None
