"""The backend ``loihi2``: the Lava backend's stock Processes under ``Loihi2HwCfg``. Has not run on silicon."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from mksgn.ir import Graph
from mksgn.lava.backend import TIMEOUT_S, LavaBackend
from mksgn.loihi.checks import check_graph, check_interval, check_samples_apart, with_chip_cycle
from mksgn.loihi.extension import require


class Loihi2Backend(LavaBackend):
    """Runs a graph on Loihi 2, fed by the host. Has not run on silicon.

    What differs from the CPU simulator: convolutions stay ``Conv`` (a core shares their weights), waits are
    relay neurons, spikes cross to and from the chip through the extension's adapters, unary synapses take
    unary messages, and decays of 4096 become 4095, the most that 12 bits hold. Whether adapters add steps
    of latency is unknown here; the first run on a chip must settle it by comparing with the simulator.
    Power and time are not measured here, where the host sets the pace: see
    :func:`mksgn.loihi.measure.measure`.

    Parameters
    ----------
    graph : Graph
        Its time_steps must be a power of two: the chip resets neurons at no other interval. A streamed graph gets
        gates, clocks and relays, and as many steps from clip to clip as the next power of two has.
    partition, board : str, optional
        SLURM partition or board; one of the two. Default: the environment's PARTITION or BOARD.
    host_address : str, optional
        Address of a board on the network instead of SLURM. Default: the environment's NXSDKHOST.
    loihi_gen : str, optional
        Chip generation. Default: the environment's LOIHI_GEN, else N3B3.
    timeout_s : float
        As for :class:`LavaBackend`.
    progress : callable, optional
        As for :class:`LavaBackend`.

    Raises
    ------
    BackendError
        When Intel's extension or a board is missing, saying how to get them, or the graph does not fit the chip
        (:func:`mksgn.loihi.checks.check_graph`).
    ConfigError
        When options contradict each other.
    """

    name = "loihi2"
    on_chip = True
    builder = "mksgn.loihi.chip_builder:ChipBuilder"

    def __init__(self, graph: Graph, partition: str | None = None, board: str | None = None,
                 host_address: str | None = None, loihi_gen: str | None = None, timeout_s: float = TIMEOUT_S,
                 progress: Callable[[int], None] | None = None) -> None:
        choice = require(partition, board, host_address, loihi_gen)
        graph = with_chip_cycle(graph)
        check_graph(graph)
        # Processes on the chip are no OS processes: their number is no reason to refuse a net.
        super().__init__(graph, max_processes=sys.maxsize, timeout_s=timeout_s, progress=progress, layout="stock",
                         delays="relay", unroll_limit=0)
        self.machine = choice

    def run(self, samples: Any, record: str = "none") -> Any:
        """As :meth:`LavaBackend.run`, where :func:`~mksgn.loihi.checks.check_samples_apart` allows it.

        The gates of a streamed graph keep clips apart.
        """
        if self.graph.input.lattice is None:
            check_samples_apart(self.graph)
        return super().run(samples, record)

    def run_stream(self, x: Any, record: str = "none", reset_interval: int | None = None,
                   reset_offset: int = 0, direct_input: bool | None = None) -> Any:
        """As :meth:`LavaBackend.run_stream`; the reset interval must be a power of two."""
        check_interval(reset_interval, "reset_interval")
        return super().run_stream(x, record, reset_interval, reset_offset, direct_input)
