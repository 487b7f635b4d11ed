"""What an answer of a forge means when it does not say yes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

from clusterops.errors import ClusterOpsError, TerminalError, TransientError
from clusterops.forge.limits import fold_line
from clusterops.forge.wire import Call, Reply

_SECONDARY_S: Final = 60.0
"""What GitHub asks for where it refuses for a secondary limit and names no time."""
_SAID: Final = 200
_EPOCH_FROM: Final = 1_000_000_000
"""A reset below is seconds to wait (the IETF's draft), one above the time since 1970 (GitHub, GitLab)."""


def asked_to_wait_s(reply: Reply, now_s: float) -> float:
    """``Retry-After`` in seconds or as a date, else until the quota that is used up comes back; 0: nothing is said.

    **Source:** RFC 9110 section 10.2.3; GitHub, "Rate limits for the REST API"; GitLab, "User and IP rate limits",
    response headers.
    """
    headers = reply.headers
    asked = _retry_after_s(headers.get("retry-after", ""), now_s)
    if asked > 0:
        return asked
    if headers.get("x-ratelimit-remaining", headers.get("ratelimit-remaining", "")) == "0":
        reset = headers.get("x-ratelimit-reset", headers.get("ratelimit-reset", ""))
        if _is_number(reset):
            return max(1.0, float(reset) - now_s) if int(reset) > _EPOCH_FROM else max(1.0, float(reset))
    return _SECONDARY_S if _is_secondary(reply) else 0.0


def is_throttled(reply: Reply) -> bool:
    """**Source:** GitHub answers 403 or 429 over a limit, the others 429."""
    return reply.status == 429 or (reply.status == 403 and asked_to_wait_s(reply, 0.0) > 0)


def problem_of(root: str, call: Call, reply: Reply) -> ClusterOpsError | None:
    """None for an answer that says yes. What the forge says goes into the message, without what we sent."""
    status = reply.status
    if 200 <= status < 300:
        return None
    said = f"{call.method} {call.path} answers {status}{_said(reply)}"
    if is_throttled(reply):
        return TransientError("forge-throttled", root, said, hint="its quota is used up; tried again by itself")
    if status >= 500 or status in {304, 408} or (status == 409 and call.races):
        return TransientError("forge-unavailable", root, said, hint="tried again by itself")
    if 300 <= status < 400:
        return _elsewhere(root, said, reply)
    code, hint = _TERMINAL.get(status, ("forge-refused", "what it says is the reason; it is not tried again by itself"))
    return TerminalError(code, root, said, hint=hint)


_TERMINAL: Final = {
    401: ("forge-unauthorized", "give a token that is valid: CLUSTEROPS_FORGE_TOKEN, `forge.token_file` or an App"),
    403: ("forge-forbidden", "the token needs to read requests, and to write statuses and comments"),
    404: ("forge-missing", "is `forge.repository` in fleet.yaml right, and may the token see it?"),
    410: ("forge-missing", "it was there, and was taken away"),
}


def _elsewhere(root: str, said: str, reply: Reply) -> TerminalError:
    place = fold_line(reply.headers.get("location", ""), _SAID)
    return TerminalError(
        "forge-url",
        root,
        f"{said}: it is at {place or 'another place, which it does not name'}",
        hint="set CLUSTEROPS_FORGE_URL, or `forge.repository` of fleet.yaml, to where it is: no redirect is followed",
    )


def _retry_after_s(text: str, now_s: float) -> float:
    if _is_number(text):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now_s)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 12


def _is_secondary(reply: Reply) -> bool:
    return reply.status in {403, 429} and any(
        words in reply.body[:2000].lower() for words in (b"secondary rate limit", b"abuse detection")
    )


def _said(reply: Reply) -> str:
    """``: Validation Failed: body is too long``, from the shapes that forges give."""
    try:
        body = reply.json()
    except ValueError:
        return ""
    if not isinstance(body, Mapping):
        return ""
    parts = [body.get("message") or body.get("error_description") or body.get("error"), *_details(body.get("errors"))]
    text = ": ".join(_words(part) for part in parts if part)
    return f": {fold_line(text, _SAID)}" if text else ""


def _details(errors: Any) -> list[Any]:
    """GitHub's: ``[{"message": …}]``, or ``[{"resource": …, "field": …, "code": …}]``."""
    return errors[:3] if isinstance(errors, list) else []


def _words(part: Any, depth: int = 3) -> str:
    if isinstance(part, Mapping):
        part = part["message"] if part.get("message") else list(part.values())
    if isinstance(part, list):
        return " ".join(_words(each, depth - 1) for each in part[:10]) if depth else "…"
    return "…" if isinstance(part, Mapping) else str(part)[: 2 * _SAID]
