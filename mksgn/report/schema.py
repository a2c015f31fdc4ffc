"""The record of a run, field by field: what :func:`mksgn.report.page` shows.

What is said of a run has one schema, in three parts that share their sections:

- :class:`Record`, here: events, energies and cores; ``benchmarks/energy.py --json``, and what the page is drawn from;
- :data:`mksgn.report.run_file.RunFile`: predictions, scores and events; ``deploy/run_lava.py --json``;
- :class:`mksgn.mapping.schema.PlacementRecord`: cores and chips in full; ``deploy/map_loihi.py --json``.

All of them are JSON. Of a record's sections only ``net`` and ``run`` are required. Unless a unit is named, numbers are
means per sample, over all T steps.
"""

from __future__ import annotations

from typing import Any, Literal

from typing_extensions import NotRequired, TypedDict

from mksgn.mapping.packing import Objective
from mksgn.mapping.schema import Traffic

Kind = Literal["conv", "dense", "jointmix", "graphconv", "attention"]
"""Kinds of synapses: the classes of :mod:`mksgn.ir`."""
Value = float | list[float]
"""A modelled number, or [low, high] where the constants behind it are known as ranges only."""


class Net(TypedDict):
    """The network that was run: its file, and what it is (``title``), where the file says so."""

    name: str
    title: str | None
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
    """Counted events of one sample; ``mean_rate`` is the mean of the hidden populations' rates."""

    spikes: float
    synops: float
    macs: float
    updates_active: float
    updates_idle: float
    mean_rate: float
    neurons: int


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
    kind: Kind
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


class LayerRow(TypedDict):
    """One layer; the input is none.

    ``rate`` and ``table6_rate`` are means over the rates of its hidden populations, and of those that Table 6 names.
    ``expected`` is what the paper's formula pays for its synapses: SOPs of Eq. 33 or, for a layer that reads the
    ``graded`` input, its FLOPs once (Eq. 34); ``counted`` the synops and MACs that happened, ``ratio`` their quotient.
    """

    layer: str
    neurons: int
    rate: float | None
    table6_rate: float | None
    graded: bool
    expected: float
    counted: float
    ratio: float | None
    updates_active: float
    updates_idle: float


class CostModelRow(TypedDict):
    """One cost model's price of a sample.

    ``static_mj``, ``total_mj``, ``latency_ms`` (from a sample's first input to its answer), ``samples_per_s`` and
    ``edp_mj_ms`` are for samples that stream back to back; ``single_shot_ms`` is the latency of one sample alone. What
    a model does not say is null; a model without static power has no total. ``middle`` has the best estimate of each of
    these figures, where the model has one.
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
    middle: NotRequired[dict[str, float | None]]


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


class Mapping(TypedDict):
    """The network placed on a board.

    ``limits`` are the board's, by name. Two of them shape the drawing where they are given: ``cores_per_chip`` and
    ``core_mesh`` (rows, columns). ``sources`` and ``assumed`` (name to text) say where the others come from.
    """

    board: str
    objective: Objective
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
    """One sample, by the ``name`` that the data gives it.

    ``skeleton`` is (F, V, 3), ``raster`` holds spikes (C, F) per population, over joints and steps.
    """

    name: str
    label: str | int | None
    prediction: str | int | None
    sample: int
    edges: list[list[int]]
    skeleton: list[list[list[float]]]
    raster: dict[str, Any]


class CountedAndPriced(TypedDict):
    """The sections of counted events and of what they cost."""

    totals: Totals
    populations: list[PopulationRow]
    synapses: list[SynapseRow]
    layers: list[LayerRow]
    paper: Paper
    cost_models: list[CostModelRow]


class Record(TypedDict):
    """Everything the page may show."""

    net: Net
    run: Run
    totals: NotRequired[Totals]
    populations: NotRequired[list[PopulationRow]]
    synapses: NotRequired[list[SynapseRow]]
    paper: NotRequired[Paper]
    layers: NotRequired[list[LayerRow]]
    cost_models: NotRequired[list[CostModelRow]]
    mapping: NotRequired[Mapping]
    samples: NotRequired[Samples]
    confusion: NotRequired[Confusion]
    example: NotRequired[Example]
    measured: NotRequired[dict[str, Any]]
    """What a chip's probes measured, by name; may be nested."""
