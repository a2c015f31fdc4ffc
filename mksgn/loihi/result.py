"""What a measurement on Loihi 2 returns: figures with their spread, each of them measured, and what they rest on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from mksgn.loihi.checks import Procedure

MEASURED = "measured"
BELOW = "below the noise floor"


@dataclass(frozen=True)
class Figure:
    """One measured quantity.

    Parameters
    ----------
    value : float or None
        Mean over the runs; None where it cannot be told from noise.
    unit : str
    spread : float
        Standard deviation between repeated runs (pooled over samples), in ``unit``.
    runs : int
        Runs that it comes from.
    status : str
        :data:`MEASURED` or :data:`BELOW`.
    """

    value: float | None
    unit: str
    spread: float
    runs: int
    status: str = MEASURED

    def __str__(self) -> str:
        return self.status if self.value is None else f"{self.value:.4g} ± {self.spread:.2g} {self.unit}"

    def as_record(self) -> dict[str, Any]:
        """Plain values, with the tag that reports show."""
        return {**asdict(self), "tag": MEASURED}


@dataclass(frozen=True)
class CoreReading:
    """What the counters of one core held: events per sample, all T steps, mean over the measured samples.

    Parameters
    ----------
    chip, core : int
        As the extension numbers them.
    memory : float or None
        Part of the core's memory in use, 0..1; None where the memory probe does not list the core.
    spikes_in, synops, neuron_updates, spikes_out : float
        Messages in, synaptic operations, dendrite updates and messages out.
    """

    chip: int
    core: int
    memory: float | None
    spikes_in: float
    synops: float
    neuron_updates: float
    spikes_out: float


@dataclass(frozen=True)
class RunReading:
    """One run, its warm-up left out.

    Parameters
    ----------
    kind : 'idle' or 'active'
        Idle: the same network without biases, fed zeros, stepping; it has no events.
    sample : int or None
        Number of the sample that was held at the input; None for an idle run.
    power_w : dict of str to float
        Means while running (total, vdd: neurocores, vddm: their memory, vddio: links) and after it (static, ...).
    power_readings : int
        Readings behind those means.
    step_us : dict of str to float
        Of the time per step: mean, sd, median, slowest; and first, which the others leave out.
    phases_us : dict of str to float
        Mean time per step of each phase that the extension reports; ``host`` is waiting for the host.
    seconds : float
        What the run took here, loading the board included.
    """

    kind: str
    sample: int | None
    power_w: dict[str, float]
    power_readings: int
    step_us: dict[str, float]
    phases_us: dict[str, float]
    seconds: float


@dataclass(frozen=True)
class LoihiMeasurement:
    """Power, energy, time, memory and activity of a network on Loihi 2, in steady state.

    Parameters
    ----------
    host : dict of str to str
        The board or its address, and the chip generation.
    procedure : Procedure
    time_steps, latency_steps : int
        T, and the steps from a sample's first message to its answer.
    samples : int
        Samples measured, each held at the input for whole runs.
    power : dict of str to Figure, W
        ``total`` while running; ``static`` after idle runs, network loaded and not stepping; ``dynamic``, total less
        static; ``idle``, stepping without events. With ``procedure.board_chips`` also ``static_used_chips``.
    rails : dict of str to Figure, W
        ``vdd``, ``vddm``, ``vddio`` while running, and ``static_vdd``, ``static_vddm``, ``static_vddio``.
    noise_floor : Figure, W
        Smallest dynamic power that repeated runs can tell from nothing
        (:func:`mksgn.loihi.analysis.noise_floor`).
    energy : dict of str to Figure, mJ per sample
        ``total``, ``static``, ``dynamic``: T steps of streaming.
    dynamic_by_sample : tuple of Figure, mJ
        One per sample, against its own noise floor.
    time_per_step : Figure, us
        The first step and the warm-up left out; ``spread`` between runs.
    step_sd : Figure, us
        Standard deviation between the steps of a run.
    throughput : Figure, samples/s
    latency : Figure, ms
    phases : dict of str to Figure, us per step
    cores : tuple of CoreReading
    agrees : bool or None
        Whether the answers of all active runs were the emulator's; None for a net without readout.
    notes : tuple of str
        What a reader of the figures must know.
    runs : tuple of RunReading
        Every run that power and time come from, in the order in which they were made.
    """

    host: dict[str, str]
    procedure: Procedure
    time_steps: int
    latency_steps: int
    samples: int
    power: dict[str, Figure]
    rails: dict[str, Figure]
    noise_floor: Figure
    energy: dict[str, Figure]
    dynamic_by_sample: tuple[Figure, ...]
    time_per_step: Figure
    step_sd: Figure
    throughput: Figure
    latency: Figure
    phases: dict[str, Figure]
    cores: tuple[CoreReading, ...]
    agrees: bool | None
    notes: tuple[str, ...]
    runs: tuple[RunReading, ...]

    @property
    def chips(self) -> int:
        """Chips with a core in use."""
        return len({core.chip for core in self.cores})

    def rows(self) -> list[tuple[str, str]]:
        """(label, figure in words) of what a terminal shows."""
        named = {**{f"{name} power": one for name, one in self.power.items()}, "noise floor": self.noise_floor,
                 **{f"{name} energy per sample": one for name, one in self.energy.items()},
                 "time per step": self.time_per_step, "throughput": self.throughput, "latency": self.latency}
        return [(name.replace("_", " "), str(one)) for name, one in named.items()]

    def as_record(self) -> dict[str, Any]:
        """Everything as plain values; figures carry ``"tag": "measured"``."""
        plain: dict[str, Any] = _plain({name: getattr(self, name) for name in self.__dataclass_fields__})
        return {**plain, "tag": MEASURED, "chips": self.chips}


def _plain(value: Any) -> Any:
    if isinstance(value, Figure):
        return value.as_record()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, (CoreReading, RunReading, Procedure)):
        return asdict(value)
    return value
