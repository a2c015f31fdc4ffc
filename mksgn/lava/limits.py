"""What the system lets a run of Lava have: OS processes, shared memory, file descriptors. Asked before it starts."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

from mksgn.errors import BackendError
from mksgn.lava.process_plan import OVERHEAD, ProcessPlan

SHARED_MEMORY = Path("/dev/shm")
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""A container's share of the CPUs: microseconds (or ``max``) per period of microseconds (cgroup v2)."""


def cpus() -> int:
    """CPUs that this process may use: those a scheduler pinned it to, or a container's share; at least 1."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = CPU_QUOTA.read_text().split()
        return min(count, max(1, int(quota) // int(period)))
    except (OSError, ValueError):  # no such limit
        return count


def check_processes(needed: ProcessPlan, max_processes: int) -> None:
    """Raise :class:`BackendError` when ``needed`` takes more than ``max_processes`` OS processes."""
    if needed.os_processes > max_processes:
        kinds: dict[str, int] = {}
        for node in needed.nodes:
            kinds[node.kind] = kinds.get(node.kind, 0) + 1
        parts = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
        raise BackendError("this network needs more OS processes than allowed", where="Lava",
                           got=f"{needed.os_processes} ({parts}, {OVERHEAD} for the runtime)",
                           allowed=f"{max_processes}",
                           fix="choose --layout blocks or --backend emulator, or raise --max-processes")


def check_shared_memory(needed: ProcessPlan) -> None:
    """Too little shared memory would kill a child with SIGBUS in the middle of the run.

    Raises
    ------
    BackendError
        When there is too little of it, or none that can be written to (Linux).
    """
    if sys.platform != "linux":
        return
    if not os.access(SHARED_MEMORY, os.W_OK):
        raise BackendError("there is no shared memory for the channels between Lava Processes",
                           where=str(SHARED_MEMORY),
                           got="it is read-only" if SHARED_MEMORY.is_dir() else "no such folder",
                           allowed="a tmpfs that can be written to", fix="mount one there, or use --backend emulator")
    status = os.statvfs(SHARED_MEMORY)
    free = status.f_bavail * status.f_frsize
    if needed.shared_bytes > free:
        raise BackendError("not enough shared memory for the channels between Lava Processes",
                           where=str(SHARED_MEMORY), got=f"{free / 1e6:.1f} MB free",
                           allowed=f"at least {needed.shared_bytes / 1e6:.1f} MB",
                           fix="enlarge it (docker run --shm-size), choose --layout blocks, or use --backend emulator")


def check_descriptors(needed: ProcessPlan) -> None:
    """Too few file descriptors would end Lava while it starts, with whatever its libraries make of that.

    The usual soft limit of 1,024 is no obstacle, since :func:`allow_descriptors` raises it; the hard limit is.

    Raises
    ------
    BackendError
        When the hard limit is below what ``needed`` takes.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and needed.descriptors > hard:
        raise BackendError("the system allows too few open files for the channels between Lava Processes",
                           where="hard limit of open files (ulimit -Hn)", got=f"{hard}",
                           allowed=f"at least {needed.descriptors}",
                           fix=f"choose --layout blocks or --backend emulator, or have the limit raised (ulimit -n "
                               f"{needed.descriptors}; docker run --ulimit nofile={needed.descriptors})")


def allow_descriptors(needed: ProcessPlan) -> None:
    """Raise this process's soft limit of file descriptors to what ``needed`` takes; children inherit it.

    Called in the host process, so that the limit of the process that asked for the run stays what its user set.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed.descriptors:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed.descriptors, hard))
