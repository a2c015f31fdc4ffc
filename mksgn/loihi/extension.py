"""The one module that names Loihi 2 hardware: what is missing here, which board, and the extension's parts.

The names and signatures below are those of lava-nc 0.10.0 (``lava.utils.loihi``) and of public programs that use
Intel's extension: lava-dl's benchmark notebooks (pilotnet_snn, pilotnet_sdnn: the four probes in ``callback_fxs``, and
what they hold after the run) and public Loihi 2 scripts of others (``CyclicBuffer``, static power by rail, the time
probe's arguments). None of it was tried on a chip.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mksgn.errors import BackendError, ConfigError

GENERATIONS = ("N2A2", "N3B2", "N3B3", "N3C1", "N3D1")
DEFAULT_GENERATION = "N3B3"
HOST_BINARY = "nxcore/bin/nx_driver_server"
"""Lava's own default of the program that a board on the network runs."""
HOW_TO_GET = ("join the Intel Neuromorphic Research Community (INRC, intel-ncl.atlassian.net), install the Lava "
              "extension for Loihi (lava-loihi) that members receive, and run on a machine with access to a Loihi 2 "
              "board: name a SLURM partition or board (PARTITION, BOARD) or a board's address (NXSDKHOST)")
_PROFILER = "lava.utils.loihi2_profiler"
_ADAPTERS = "lava.proc.embedded_io.spike"
_INPUT_BUFFER = "lava.proc.cyclic_buffer.process"
_REPLAYED = 10
"""Frames after the first in the input buffer; all are the same. Eleven in all is a size that others have used."""


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


def loihi_status(partition: str | None = None, board: str | None = None, host_address: str | None = None,
                 held_input: bool = False) -> LoihiStatus:
    """What stands between this process and a Loihi 2 chip. Starts nothing.

    Parameters
    ----------
    partition, board, host_address : str, optional
        As for :class:`~mksgn.loihi.backend.Loihi2Backend`; the environment's PARTITION, BOARD and NXSDKHOST
        count as well.
    held_input : bool
        Whether the extension's buffer that holds the input on the chip is needed, as for a measurement, and not
        its adapters between host and chip.
    """
    if importlib.util.find_spec("lava") is None:
        return LoihiStatus(False, "Lava is not installed", HOW_TO_GET)
    if not _has(_PROFILER):
        return LoihiStatus(False, f"the Lava extension for Loihi is not installed (no module {_PROFILER})", HOW_TO_GET)
    module = _INPUT_BUFFER if held_input else _ADAPTERS
    if not _has(module):
        return LoihiStatus(False, f"the Lava extension for Loihi is incomplete (no module {module})", HOW_TO_GET)
    found = named_host(partition, board, host_address)
    if not found:
        return LoihiStatus(False, "no Loihi 2 board has been named", HOW_TO_GET)
    return LoihiStatus(True, "the Lava extension is installed; " + describe(found), "")


def require(partition: str | None, board: str | None, host_address: str | None, loihi_gen: str | None,
            held_input: bool = False) -> dict[str, str]:
    """The host choice (for :func:`select_host`), once everything that can be known without a board is there.

    Raises
    ------
    ConfigError
        When several hosts are named, or the chip generation is unknown.
    BackendError
        When Intel's extension or a board is missing, saying how to get them.
    """
    if sum(option is not None for option in (partition, board, host_address)) > 1:
        raise ConfigError("name one of partition, board and host_address", where="Loihi 2",
                          got=f"{partition}, {board}, {host_address}")
    generation = loihi_gen or os.environ.get("LOIHI_GEN") or DEFAULT_GENERATION
    if generation not in GENERATIONS:
        raise ConfigError("unknown chip generation", where="loihi_gen" if loihi_gen else "LOIHI_GEN",
                          got=repr(generation), allowed=", ".join(GENERATIONS))
    status = loihi_status(partition, board, host_address, held_input)
    if not status.available:
        raise BackendError("Loihi 2 cannot be used from here", where="Loihi 2", got=status.reason,
                           fix=status.how_to_get)
    return {**named_host(partition, board, host_address), "loihi_gen": generation}


def named_host(partition: str | None = None, board: str | None = None,
               host_address: str | None = None) -> dict[str, str]:
    """The host that is named: by an argument, else by the environment as Lava's extension reads it.

    NOSLURM leaves only NXSDKHOST, SLURM only BOARD and PARTITION; without either, the address wins, then the board.
    """
    given = {"partition": partition, "board": board, "host_address": host_address}
    chosen = {key: value for key, value in given.items() if value}
    if chosen:
        return chosen
    slurm = (("board", "BOARD"), ("partition", "PARTITION"))
    address = (("host_address", "NXSDKHOST"),)
    names = address if os.environ.get("NOSLURM") else slurm if os.environ.get("SLURM") else address + slurm
    return next(({key: os.environ[name]} for key, name in names if os.environ.get(name)), {})


def describe(choice: Mapping[str, str]) -> str:
    """The choice in words."""
    return ", ".join(f"{key} {value}" for key, value in choice.items())


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
            loihi.use_ethernet_host(host_address=choice["host_address"], loihi_gen=generation,
                                    host_binary_path=os.environ.get("HOST_BINARY", HOST_BINARY))
        else:
            _mend_sinfo()
            loihi.use_slurm_host(partition=choice.get("partition"), board=choice.get("board"), loihi_gen=generation)
    except (ImportError, ValueError, OSError, IndexError) as error:
        # IndexError: a line of sinfo with fewer columns than Lava expects.
        raise BackendError("the Loihi 2 board cannot be reached", where="Loihi 2",
                           got=f"{describe(choice)}: {error}",
                           fix="check the board with sinfo (SLURM) or ping (ethernet)") from None


def _mend_sinfo() -> None:
    """lava-nc 0.10.0 reads the empty line after sinfo's last newline as a board, and fails on every real one."""
    slurm: Any = importlib.import_module("lava.utils.slurm")
    run = slurm.try_run_command
    if getattr(run, "mended", False):
        return

    def try_run_command(command: list[str]) -> list[str]:
        return [line for line in run(command) if line.strip()]

    try_run_command.mended = True  # type: ignore[attr-defined]
    slurm.try_run_command = try_run_command


def to_chip(shape: tuple[int, ...], bits: int, conv: bool) -> Any:
    """The extension's Process that takes the host's messages (``inp``) onto the chip (``out``).

    Parameters
    ----------
    shape : (V, F, C)
    bits : int
        Width of the messages, 0: unary. Graded ones are sent as they are (``spike_exp`` 0).
    conv : bool
        Whether they go into a ``Conv``, for which the extension has an adapter of its own.
    """
    adapters = importlib.import_module(_ADAPTERS)
    if not conv:
        return adapters.PyToNxAdapter(shape=shape, num_message_bits=bits)
    return adapters.PyToN3ConvAdapter(shape=shape, num_message_bits=bits, **({"spike_exp": 0} if bits else {}))


def to_host(shape: tuple[int, ...]) -> Any:
    """The extension's Process that takes unary spikes from the chip (``inp``) to the host (``out``)."""
    return importlib.import_module(_ADAPTERS).NxToPyAdapter(shape=shape)


def held_input(frame: np.ndarray, graded: bool) -> Any:
    """The extension's Process that sends ``frame`` at every step from the chip's own memory.

    Parameters
    ----------
    frame : int32 ndarray (V, F, C)
        The messages of one step. In which order the buffer replays different frames is not documented, so all are
        this one.
    graded : bool
        Whether the messages are graded; they are sent as they are (``spike_exp`` 0).
    """
    options = {"spike_exp": 0} if graded else {}
    replayed = np.repeat(frame[..., None], _REPLAYED, axis=-1)
    return importlib.import_module(_INPUT_BUFFER).CyclicBuffer(first_frame=frame, replay_frames=replayed, **options)


def make_probes(names: tuple[str, ...], steps: int, time_buffer: int) -> dict[str, Any]:
    """Probes for one run of ``steps`` steps; a probe serves one run.

    Parameters
    ----------
    names : tuple of str
        Of 'power', 'time', 'memory' and 'activity'.
    steps : int
    time_buffer : int
        Steps the time probe keeps on the chip before the host fetches them. Its bins are of one step: whether a
        wider one holds a sum or a mean is not documented.
    """
    profiler = importlib.import_module(_PROFILER)
    makers: dict[str, Callable[[], Any]] = {
        "power": lambda: profiler.Loihi2Power(num_steps=steps),
        "time": lambda: profiler.Loihi2ExecutionTime(t_start=1, t_end=steps, buffer_size=time_buffer, bin_size=1),
        "memory": lambda: profiler.Loihi2Memory(),
        "activity": lambda: profiler.Loihi2Activity(),
    }
    return {name: makers[name]() for name in names}


_READ: dict[str, dict[str, tuple[str, ...]]] = {
    "power": {
        "total": ("total_power",), "vdd": ("vdd_power",), "vddm": ("vddm_power",), "vddio": ("vddio_power",),
        "static": ("static_total_power",), "static_vdd": ("static_vdd_power",),
        "static_vddm": ("static_vddm_power",), "static_vddio": ("static_vddio_power",)},
    # Earlier notebooks call it time_per_step.
    "time": {"step": ("execution_time_per_step", "time_per_step")},
    "memory": {"core": ("core_idx",), "used": ("total_mpds",)},
    "activity": {"core": ("core_idx",), "spikes_in": ("spikes_in",), "synops": ("syn_ops",),
                 "neuron_updates": ("dendrite_updates",), "spikes_out": ("axon_out",)},
}
_READ_IF_THERE: dict[str, dict[str, tuple[str, ...]]] = {
    "time": {name: (f"{name}_time_per_step",) for name in ("spiking", "management", "host", "learning", "pre_lrn")},
    "memory": {"chip": ("chip_idx",)},
    "activity": {"chip": ("chip_idx",)},
}
"""What later versions of the extension hold besides; without chip_idx there was one chip."""


def read_probe(name: str, probe: Any) -> dict[str, np.ndarray]:
    """What ``probe`` holds after its run, as float64 arrays: W, microseconds, fractions and events.

    Raises
    ------
    BackendError
        When a quantity is missing, empty or not finite.
    """
    values: dict[str, np.ndarray] = {}
    for key, attributes in {**_READ[name], **_READ_IF_THERE.get(name, {})}.items():
        found = next((getattr(probe, a) for a in attributes if getattr(probe, a, None) is not None), None)
        where = f"{type(probe).__name__}.{attributes[0]}"
        if found is None:
            if key in _READ[name]:
                raise BackendError("a probe of the extension does not hold what is needed", where=where,
                                   fix="check the version of the extension against docs/loihi2.md")
            continue
        values[key] = np.asarray(found, np.float64).reshape(-1)
        if not values[key].size or not np.isfinite(values[key]).all():
            raise BackendError("a probe returned nothing that can be used", where=where,
                               got=f"{values[key].size} values, {int(np.isfinite(values[key]).sum())} of them finite",
                               fix="run more steps, or check that the board has power sensors")
    return values


def _has(module: str) -> bool:
    is_installed: Callable[[str], bool] = importlib.import_module("lava.utils.loihi").is_installed
    try:
        return is_installed(module)
    except ModuleNotFoundError:  # of a package above it
        return False
