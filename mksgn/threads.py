"""numba's thread pool follows torch's."""

from __future__ import annotations

import numba
import torch


def share_threads() -> None:
    """Give numba as many threads as torch has."""
    numba.set_num_threads(min(torch.get_num_threads(), int(numba.config.NUMBA_NUM_THREADS)))  # type: ignore[attr-defined]
