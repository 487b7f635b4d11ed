"""`clusterops` that writes down every request as it goes out: the floor replays what was asked, and nothing else.

usage: SCALE_RECORD=FILE python -m tests.scale.recorded run ...
"""

from __future__ import annotations

import os
import time
from typing import BinaryIO

from clusterops.cli import main
from clusterops.http import Answer
from clusterops.kube.connection import Connection
from clusterops.kube.credentials import Credentials
from clusterops.kube.wire import Request
from tests.scale.request_log import Sent, write_sent


def record(log: BinaryIO) -> None:
    """Puts itself between the doors and the connection. Watches are not recorded: they ask for nothing again."""
    send = Connection.send

    async def recording(self: Connection, request: Request) -> tuple[Answer, Credentials]:
        began_s = time.monotonic()
        answer, credentials = await send(self, request)
        write_sent(
            log,
            Sent(
                began_s=began_s,
                ended_s=time.monotonic(),
                method=request.method,
                path=request.path,
                content_type=request.content_type,
                status=answer.status,
                body=request.body or b"",
            ),
        )
        return answer, credentials

    Connection.send = recording  # type: ignore[method-assign]


if __name__ == "__main__":
    with open(os.environ["SCALE_RECORD"], "ab", buffering=0) as sent:
        record(sent)
        main()
