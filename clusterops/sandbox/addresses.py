"""Loopback addresses that no other sandbox takes, now or while a process of ours is being restarted."""

import json
import random
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from clusterops.errors import TerminalError

LOOPBACK = "127.0.0.1"
# Below the range from which the kernel picks ports for outgoing connections (32768 upward by default).
_PORTS = range(10_000, 19_000)
# Source: DefaultDebugPort in inmemory/pkg/server/mux.go of cluster-api/test v1.14.0; a constant there.
_MUX_PORT = 19_000
_HOSTS = [f"127.0.0.{number}" for number in range(2, 255)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Ports on 127.0.0.1, and the loopback host that the in-memory workload clusters have for themselves."""

    etcd: int
    etcd_peer: int
    api_server: int
    webhooks: dict[str, int]
    health: dict[str, int]
    workload_host: str

    @property
    def server(self) -> str:
        return f"https://{LOOPBACK}:{self.api_server}"


class Reserved:
    """Addresses, and the sockets that keep others from choosing them until `release`.

    A socket that is bound with SO_REUSEADDR but does not listen lets our program listen on its address, as Go
    always sets that option, and refuses everybody who asks for it the way `_bind` does.
    """

    def __init__(self, addresses: Addresses, sockets: list[socket.socket]) -> None:
        self.addresses = addresses
        self._sockets = sockets

    def release(self) -> None:
        for held in self._sockets:
            held.close()
        self._sockets.clear()


def reserve(managers: tuple[str, ...], remembered: Path) -> Reserved:
    """The addresses of last time, from the file ``remembered``, or free ones, which are then written there.

    Raises TerminalError ``sandbox-no-address``.
    """
    if remembered.exists() and (again := _reserve_again(remembered)):
        return again
    sockets: list[socket.socket] = []
    ports = _free_ports(sockets)
    addresses = Addresses(
        etcd=next(ports),
        etcd_peer=next(ports),
        api_server=next(ports),
        webhooks={name: next(ports) for name in managers},
        health={name: next(ports) for name in managers},
        workload_host=_free_host(sockets),
    )
    remembered.write_text(json.dumps(asdict(addresses)), encoding="utf-8")
    return Reserved(addresses, sockets)


def _reserve_again(remembered: Path) -> Reserved | None:
    addresses = Addresses(**json.loads(remembered.read_text(encoding="utf-8")))
    numbers = [addresses.etcd, addresses.etcd_peer, addresses.api_server]
    wanted = [(LOOPBACK, port) for port in (*numbers, *addresses.webhooks.values(), *addresses.health.values())]
    sockets: list[socket.socket] = []
    for place in (*wanted, (addresses.workload_host, _MUX_PORT)):
        # Connections of our own last life may linger in TIME_WAIT for a minute; a listener still refuses us.
        held = _bind(*place, again=True)
        if held is None:
            Reserved(addresses, sockets).release()
            return None
        sockets.append(held)
    return Reserved(addresses, sockets)


def _free_ports(sockets: list[socket.socket]) -> Iterator[int]:
    # Random, so that two sandboxes that start at once look in different places.
    for port in random.sample(_PORTS, len(_PORTS)):
        if held := _bind(LOOPBACK, port):
            sockets.append(held)
            yield port
    raise TerminalError("sandbox-no-address", LOOPBACK, f"no port from {_PORTS.start} to {_PORTS.stop} is free")


def _free_host(sockets: list[socket.socket]) -> str:
    for host in _HOSTS:
        if held := _bind(host, _MUX_PORT):
            sockets.append(held)
            return host
    raise TerminalError("sandbox-no-address", "127.0.0.2-254", f"port {_MUX_PORT} is taken on all of them")


def _bind(host: str, port: int, *, again: bool = False) -> socket.socket | None:
    """Bind where nobody else is bound, not even another reservation; then allow our own program beside us."""
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(again))
    try:
        held.bind((host, port))
    except OSError:
        held.close()
        return None
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return held
