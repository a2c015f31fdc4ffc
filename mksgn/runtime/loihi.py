"""The one place that knows Loihi 2 hardware: what is missing here, and the backend for where it is not.

Nothing in this module has run on silicon. The chip's compiler comes with Intel's Lava extension for
Loihi, which is not public; what is public is Lava's side of the interface (``lava.utils.loihi``,
``Loihi2HwCfg``) and tutorials that use the extension's adapters (``lava.proc.embedded_io.spike``).
The tests run this code against a fake extension.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mksgn.errors import BackendError, ConfigError
from mksgn.ir import Graph
from mksgn.runtime.lava_backend import TIMEOUT_S, LavaBackend

GENERATIONS = ("N2A2", "N3B2", "N3B3", "N3C1", "N3D1")
HOW_TO_GET = ("join the Intel Neuromorphic Research Community (INRC, intel-ncl.atlassian.net), install the Lava "
              "extension for Loihi (lava-loihi) that members receive, and run on a machine with access to a Loihi 2 "
              "board: name a SLURM partition or board (PARTITION, BOARD) or a board's address (NXSDKHOST)")
_EXTENSION = "lava.utils.loihi2_profiler"
_ADAPTERS = "lava.proc.embedded_io.spike"


@dataclass(frozen=True)
class LoihiStatus:
    """Whether Loihi 2 can be used from here.

    Parameters
    ----------
    available : bool
        The extension is installed and a board has been named. Whether the board answers shows only in a run.
    reason : str
        One sentence: what is missing, or what was found.
    how_to_get : str
        What to do about it; empty when available.
    """

    available: bool
    reason: str
    how_to_get: str


def loihi_status(partition: str | None = None, board: str | None = None,
                 host_address: str | None = None) -> LoihiStatus:
    """What stands between this process and a Loihi 2 chip. Starts nothing.

    Parameters
    ----------
    partition, board, host_address : str, optional
        As for :class:`Loihi2Backend`; the environment's PARTITION, BOARD and NXSDKHOST count as well.
    """
    if importlib.util.find_spec("lava") is None:
        return LoihiStatus(False, "Lava is not installed", HOW_TO_GET)
    if not _has(_EXTENSION):
        return LoihiStatus(False, f"the Lava extension for Loihi is not installed (no module {_EXTENSION})", HOW_TO_GET)
    if not _has(_ADAPTERS):
        return LoihiStatus(False, f"the Lava extension for Loihi is incomplete (no module {_ADAPTERS})", HOW_TO_GET)
    found = _choice(partition, board, host_address)
    if not found:
        return LoihiStatus(False, "no Loihi 2 board has been named", HOW_TO_GET)
    return LoihiStatus(True, "the Lava extension is installed; " + ", ".join(f"{k} {v}" for k, v in found.items()), "")


def _has(module: str) -> bool:
    is_installed: Callable[[str], bool] = importlib.import_module("lava.utils.loihi").is_installed
    try:
        return is_installed(module)
    except ModuleNotFoundError:  # of a package above it
        return False


def _choice(partition: str | None, board: str | None, host_address: str | None) -> dict[str, str]:
    given = {"partition": partition, "board": board, "host_address": host_address}
    chosen = {key: value for key, value in given.items() if value}
    if chosen:
        return chosen
    environment = (("host_address", "NXSDKHOST"), ("board", "BOARD"), ("partition", "PARTITION"))
    return next(({key: os.environ[name]} for key, name in environment if os.environ.get(name)), {})


def select_host(choice: Mapping[str, str]) -> None:
    """Tell Lava which board to use. Called in the host process, before anything is built.

    Raises
    ------
    BackendError
        When SLURM, the board or its address cannot be reached.
    """
    loihi = importlib.import_module("lava.utils.loihi")
    generation = loihi.ChipGeneration[choice["loihi_gen"]]
    try:
        if "host_address" in choice:
            loihi.use_ethernet_host(host_address=choice["host_address"], loihi_gen=generation)
        else:
            loihi.use_slurm_host(partition=choice.get("partition"), board=choice.get("board"), loihi_gen=generation)
    except (ImportError, ValueError, OSError, IndexError) as error:
        # IndexError: lava-nc 0.10.0 stumbles over the empty line at the end of what sinfo prints.
        raise BackendError("the Loihi 2 board cannot be reached", where="Loihi 2",
                           got=f"{', '.join(f'{k} {v}' for k, v in choice.items())}: {error}",
                           fix="check the board with sinfo (SLURM) or ping (ethernet)") from None


class Loihi2Backend(LavaBackend):
    """Runs a graph on Loihi 2: the Lava backend's Processes under ``Loihi2HwCfg``. Has not run on silicon.

    What differs from the CPU simulator: convolutions stay ``Conv`` (a core shares their weights), waits are
    relay neurons, spikes cross to and from the chip through the extension's adapters, unary synapses take
    unary messages, and decays of 4096 become 4095, the most that 12 bits hold. Whether adapters add steps
    of latency is unknown here; the first run on a chip must settle it by comparing with the simulator.

    Parameters
    ----------
    graph : Graph
        Its time_steps must be a power of two: the chip resets neurons at no other interval.
    partition, board : str, optional
        SLURM partition or board; one of the two. Default: the environment's PARTITION or BOARD.
    host_address : str, optional
        Address of a board on the network instead of SLURM. Default: the environment's NXSDKHOST.
    loihi_gen : str
        Chip generation.
    timeout_s : float
        As for :class:`LavaBackend`.
    progress : callable, optional
        As for :class:`LavaBackend`.

    Raises
    ------
    BackendError
        When Intel's extension or a board is missing, saying how to get them, or T is no power of two.
    ConfigError
        When options contradict each other.
    """

    name = "loihi2"
    target = "loihi2"

    def __init__(self, graph: Graph, partition: str | None = None, board: str | None = None,
                 host_address: str | None = None, loihi_gen: str = "N3B3", timeout_s: float = TIMEOUT_S,
                 progress: Callable[[int], None] | None = None) -> None:
        if sum(option is not None for option in (partition, board, host_address)) > 1:
            raise ConfigError("name one of partition, board and host_address", where="backend 'loihi2'",
                              got=f"{partition}, {board}, {host_address}")
        if loihi_gen not in GENERATIONS:
            raise ConfigError("unknown chip generation", where="loihi_gen", got=repr(loihi_gen),
                              allowed=", ".join(GENERATIONS))
        status = loihi_status(partition, board, host_address)
        if not status.available:
            raise BackendError("Loihi 2 cannot be used from here", where="backend 'loihi2'", got=status.reason,
                               fix=status.how_to_get)
        _check_interval(graph.time_steps, "time_steps")
        super().__init__(graph, timeout_s=timeout_s, progress=progress, layout="stock", delays="relay",
                         unroll_limit=0)
        self.chip = {**_choice(partition, board, host_address), "loihi_gen": loihi_gen}

    def run_stream(self, x: Any, record: str = "none", reset_interval: int | None = None,
                   reset_offset: int = 0, direct_input: bool | None = None) -> Any:
        """As :meth:`LavaBackend.run_stream`; the reset interval must be a power of two."""
        _check_interval(reset_interval, "reset_interval")
        return super().run_stream(x, record, reset_interval, reset_offset, direct_input)


def _check_interval(interval: int | None, where: str) -> None:
    if interval is not None and interval > 0 and interval & (interval - 1):
        raise BackendError("Loihi 2 resets neurons at intervals of a power of two only", where=where,
                           got=str(interval), allowed="1, 2, 4, 8, ...", fix="train with such a number of time steps")
