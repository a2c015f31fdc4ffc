"""What this machine's processor is called, and which instructions it has that decide how fast we are."""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from pathlib import Path

UNITS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
"""Of Linux's names for them: wide vectors, 8-bit products, bfloat16 products, matrix units."""
RESTRICTIONS = ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS", "NUMBA_CPU_NAME")
"""Variables by which a process uses fewer instructions than the processor has, as a plainer one would."""


@cache
def _cpuinfo() -> dict[str, str]:
    """The first processor's entries; empty where there is no such file."""
    path = Path("/proc/cpuinfo")
    if platform.system() != "Linux" or not path.exists():
        return {}
    first = path.read_text().split("\n\n", 1)[0]
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}


def units() -> tuple[str, ...]:
    """Those of :data:`UNITS` that the processor has; none where the system does not say."""
    flags = set(_cpuinfo().get("flags", "").split())
    return tuple(unit for unit in UNITS if unit in flags)


def describe() -> str:
    """Name, instructions, and what the environment restricts, such as ``Xeon (avx2, avx512f)``."""
    name = _cpuinfo().get("model name") or platform.processor() or platform.machine()
    restricted = [f"{variable}={os.environ[variable]}" for variable in RESTRICTIONS if os.environ.get(variable)]
    return f"{name} ({', '.join(units()) or 'instructions unknown'})" + (
        f", restricted by {' '.join(restricted)}" if restricted else "")


def threads_here() -> int:
    """How many threads this process computes with: torch's number where torch is loaded, which a program may have set.

    Otherwise what OMP_NUM_THREADS says, or one for each CPU that the process may use, as torch has it.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        return int(torch.get_num_threads())
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if asked.isdigit() and int(asked):
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
