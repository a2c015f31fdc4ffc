"""How many threads compute: torch's number, which numba's thread pool follows."""

from __future__ import annotations

import numba
import torch


def share_threads() -> None:
    """Give numba as many threads as torch has, and leave torch those.

    numba's first parallel loop sets OpenMP's number of threads to all CPUs. Torch reads that number while it was never
    told its own, so OMP_NUM_THREADS=1 would hold no longer; hence it is told.
    """
    torch.set_num_threads(torch.get_num_threads())
    numba.set_num_threads(min(torch.get_num_threads(), int(numba.config.NUMBA_NUM_THREADS)))  # type: ignore[attr-defined]


def use_threads(count: int | None) -> None:
    """Compute with so many threads from here on; None leaves torch's number, one per core or OMP_NUM_THREADS."""
    if count is not None:
        torch.set_num_threads(count)
    share_threads()
