"""The record of a run, field by field: what :func:`mksgn.report.page` shows.

A record is JSON: what ``benchmarks/energy.py`` writes. Of its sections only ``net`` and ``run`` are
required. Unless a unit is named, numbers are means per sample, over all T steps.
"""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import NotRequired, TypedDict

Value = float | list[float]
"""A modelled number, or [low, high] where the constants behind it are known as ranges only."""


class Net(TypedDict):
    """The network that was run."""

    name: str
    preset: str | None
    classes: list[str]
    time_steps: int
    parameters: int | None
    commit: str | None


class Subset(TypedDict):
    """Accuracy on some of the samples, such as those without a copy in the training set."""

    accuracy: float | None
    samples: int


class Run(TypedDict):
    """How, where and on what."""

    command: str
    backend: str
    samples: int
    date: str
    hardware: str | dict[str, Any]
    versions: dict[str, str]
    seconds: float | None
    data: str | None
    split: str | None
    accuracy: float | None
    subsets: NotRequired[dict[str, Subset]]


class Totals(TypedDict):
    """Counted events of one sample."""

    spikes: float
    synops: float
    macs: float
    updates_active: float
    updates_idle: float
    mean_rate: float
    neurons: int
    messages: float


class PopulationRow(TypedDict):
    """One population; ``shape`` is (C, F, V), ``rate`` spikes per neuron and step, ``table6_*`` the paper's Table 6."""

    name: str
    layer: str
    shape: list[int]
    role: Literal["input", "hidden", "output"]
    neurons: int
    spikes: float
    rate: float
    table6_rate: float | None
    table6_name: str | None
    updates_active: float
    updates_idle: float


class SynapseRow(TypedDict):
    """One synapse: Eq. 33 (``theoretical_sops``) and what was counted.

    ``ratio`` is counted over theoretical; ``causes`` are factors, in the order in which they are applied, whose
    product is the ratio. For the graded input the ratio is of MACs to FLOPs, which Eq. 34 counts once.
    """

    name: str
    layer: str
    kind: Literal["conv", "dense", "jointmix", "graphconv"]
    sources: list[str]
    target: str
    flops: float
    rate: float
    theoretical_sops: float
    synops: float
    macs: float
    ratio: float | None
    causes: dict[str, float]


class Paper(TypedDict):
    """Eq. 34: with the first layer paid once, and at each of the T steps."""

    energy_mj: float
    energy_all_steps_mj: float
    sops: float
    first_layer_macs: float


class Counted(TypedDict):
    """The counted events at the paper's 4.6 and 0.9 pJ."""

    energy_mj: float
    synops: float
    macs: float


class CostModelRow(TypedDict):
    """One cost model's price of a sample.

    ``static_mj``, ``total_mj``, ``latency_ms`` (from a sample's first input to its answer), ``samples_per_s`` and
    ``edp_mj_ms`` are for samples that stream back to back; ``single_shot_ms`` is the latency of one sample alone. What
    a model does not say is null; a model without static power has no total.
    """

    name: str
    title: str
    source: str
    breakdown_mj: dict[str, Value]
    by_layer_mj: dict[str, Value]
    dynamic_mj: Value
    static_mj: Value | None
    total_mj: Value | None
    latency_ms: Value | None
    single_shot_ms: Value | None
    samples_per_s: Value | None
    edp_mj_ms: Value | None


class Core(TypedDict):
    """One neurocore in use; ``load`` is work in the mapper's own unit, utilisations are used over available."""

    index: int
    chip: int
    populations: list[str]
    neurons: int
    neuron_utilisation: float
    memory_utilisation: float
    load: float
    synops: float
    messages_in: float


class Busiest(TypedDict):
    """The core that decides the time of a step."""

    index: int
    why: str


class Traffic(TypedDict):
    """Messages of one sample between cores and chips, and mesh hops."""

    inter_core: float
    inter_chip: float
    hops: float


class Mapping(TypedDict):
    """The network placed on a board.

    ``limits`` are the board's, by name. Two of them shape the drawing where they are given: ``cores_per_chip`` and
    ``core_mesh`` (rows, columns). ``sources`` and ``assumed`` (name to text) say where the others come from.
    """

    board: str
    chips: int
    cores: int
    limits: dict[str, Any]
    core_list: list[Core]
    busiest: Busiest | None
    problems: list[str]
    traffic: Traffic


class Samples(TypedDict):
    """Synops of every sample, and whether it was recognised; ``correct`` is empty without labels."""

    synops: list[float]
    correct: list[bool]


class Confusion(TypedDict):
    """``matrix[i][j]``: samples of class i taken for class j."""

    labels: list[str]
    matrix: list[list[int]]


class Example(TypedDict):
    """One sample: ``skeleton`` is (F, V, 3), ``raster`` holds spikes (C, F) per population, over joints and steps."""

    label: str | int | None
    prediction: str | int | None
    sample: int
    edges: list[list[int]]
    skeleton: list[list[list[float]]]
    raster: dict[str, Any]


class Record(TypedDict):
    """Everything the page may show."""

    net: Net
    run: Run
    totals: NotRequired[Totals]
    populations: NotRequired[list[PopulationRow]]
    synapses: NotRequired[list[SynapseRow]]
    paper: NotRequired[Paper]
    counted: NotRequired[Counted]
    cost_models: NotRequired[list[CostModelRow]]
    mapping: NotRequired[Mapping]
    samples: NotRequired[Samples]
    confusion: NotRequired[Confusion]
    example: NotRequired[Example]
    measured: NotRequired[dict[str, Any]]
    """What a chip's probes measured, by name; may be nested."""
