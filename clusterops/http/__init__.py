"""The one place that speaks HTTP as a client: TLS, proxies and caps.

*Knows:* certificates, which hosts go past the proxy, how many requests may be under way and how many start a second.
*Gives:* `HttpTransport`, which sends one request and returns its answer, or streams it.
*Never:* a retry (the caller knows what may be repeated), a redirect, a word about what the bytes mean.
*Read first:* transport.py.
"""

from clusterops.http.proxy import proxy_for
from clusterops.http.tls import client_tls, system_tls
from clusterops.http.transport import Answer, HttpTransport

__all__ = ["Answer", "HttpTransport", "client_tls", "proxy_for", "system_tls"]
