"""A graph on a torch device."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch

from mksgn.emulator.dense.exact import exact_arithmetic
from mksgn.emulator.dense.network import DenseNetwork
from mksgn.emulator.dense.run import DenseRun
from mksgn.errors import BackendError
from mksgn.ir import Graph


class Dense:
    """A graph with its weights on a device, ready for runs.

    Parameters
    ----------
    graph : Graph
    device : str
        'cpu', 'cuda' or 'cuda:N'.

    Raises
    ------
    BackendError
        When this machine has no such device.
    """

    def __init__(self, graph: Graph, device: str) -> None:
        self._device = torch.device(device)
        cuda = self._device.type == "cuda"
        if cuda and (not torch.cuda.is_available() or (self._device.index or 0) >= torch.cuda.device_count()):
            raise BackendError("this machine has no such CUDA device", where="device", got=device,
                               allowed=f"cpu, or one of {torch.cuda.device_count()} CUDA devices")
        self._network = DenseNetwork(graph, self._device)

    def arithmetic(self, threads: int | None) -> AbstractContextManager[None]:
        """What :func:`~mksgn.emulator.dense.exact.exact_arithmetic` switches, for a run with so many threads."""
        return exact_arithmetic(self._device, threads)

    def run(self, samples: int, steps: int, record: str, hop: int = 0, direct: bool = False,
            resets: dict[str, frozenset[int]] | None = None) -> DenseRun:
        """A run to be; parameters as for :class:`~mksgn.emulator.dense.run.DenseRun`."""
        return DenseRun(self._network, samples, steps, record, hop, direct, resets)
