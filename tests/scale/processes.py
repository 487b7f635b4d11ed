"""CPU and memory of a process and everything below it, from /proc."""

from __future__ import annotations

import os
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """The pid and all its living descendants."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))):
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    found, todo = [], [pid]
    while todo:
        each = todo.pop()
        found.append(each)
        todo += children.get(each, [])
    return found


def cpu_s(pid: int) -> float:
    """Seconds used by the tree, ended and waited-for children included."""
    total = 0
    for each in tree(pid):
        fields = _stat(each)
        if fields:
            total += sum(int(field) for field in fields[11:15])
    return total * _TICK_S


def resident_mb(pid: int) -> float:
    """Memory of the tree that no other process shares, in MB (proportional set size)."""
    total_kb = 0
    for each in tree(pid):
        try:
            rollup = Path(f"/proc/{each}/smaps_rollup").read_text(encoding="ascii")
        except OSError:
            continue
        total_kb += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total_kb / 1000


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name: state, ppid, …; empty when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
