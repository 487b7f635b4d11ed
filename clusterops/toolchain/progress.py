"""How an installation tells what it is doing; the face that listens decides what a person sees."""

from typing import Protocol


class Progress(Protocol):
    """Called from the event loop's thread; must not block."""

    def started(self, tool: str, what: str) -> None:
        """Work on a tool begins: ``what`` says which, for people."""

    def line(self, tool: str, text: str) -> None:
        """One line of the build's own words."""

    def waiting(self, tool: str, elapsed_s: float) -> None:
        """Still at it; called about once a second."""

    def finished(self, tool: str, elapsed_s: float, source: str) -> None:
        """The tool is there; ``source`` as in `Located`, or ``built``."""


class Silent:
    """Tells nobody."""

    def started(self, tool: str, what: str) -> None:
        pass

    def line(self, tool: str, text: str) -> None:
        pass

    def waiting(self, tool: str, elapsed_s: float) -> None:
        pass

    def finished(self, tool: str, elapsed_s: float, source: str) -> None:
        pass
