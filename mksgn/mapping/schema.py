"""A placement as data, field by field: what ``deploy/map_loihi.py --json`` writes.

Numbers are of one sample, over all T steps; loads are in ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from typing_extensions import TypedDict


class Traffic(TypedDict):
    """Messages of one sample, as :func:`mksgn.mapping.tables.traffic` counts them."""

    spikes: float
    messages: float
    between_chips: float
    from_host: float
    hops_ew: float
    hops_ns: float


class PlacedLayer(TypedDict):
    """A population: how it is cut (``parts``: C, F, V), what its fullest core takes, its load and largest fan-in."""

    population: str
    neurons: int
    cores: int
    chips: list[int]
    parts: Sequence[int]
    fullest: dict[str, int]
    fan_in: int
    busiest_ms: float


class PlacedChip(TypedDict):
    """A chip in use: cores, mean use of each limit over its cores, load, and messages that leave it."""

    chip: int
    cores: int
    utilisation: dict[str, float]
    mean_load_ms: float
    busiest_ms: float
    to_other_chips: float


class BusiestCore(TypedDict):
    """The core with the largest load; ``causes`` are the parts of ``load_ms``."""

    core: int
    chip: int
    load_ms: float
    mean_load_ms: float
    causes: dict[str, float]
    populations: list[str]
    synops: float
    neurons: int
    messages_in: float


class PlacedSlab(TypedDict):
    """A box of neurons: first and last index, exclusive, of each axis."""

    population: str
    channels: Sequence[int]
    frames: Sequence[int]
    joints: Sequence[int]


class PlacedCore(TypedDict):
    """A core in use: its load, what it takes of each resource, and the neurons that it holds."""

    index: int
    chip: int
    load_ms: float
    usage: dict[str, int]
    slabs: list[PlacedSlab]


class LimitProblem(TypedDict):
    """A limit that is not kept, where, and what would help."""

    limit: str
    where: str
    used: int
    allowed: int
    change: str


class MadeDelay(TypedDict):
    """How the delays of a synapse are made, and what each way would take: :class:`mksgn.mapping.choice.Chosen`."""

    synapse: str
    sources: Sequence[str]
    target: str
    waits: Sequence[int]
    taps: int
    realisation: str
    accumulators: int
    relays: int
    takes: dict[str, float]
    unit: str


class PlacementRecord(TypedDict):
    """Everything about a placement. ``sources`` and ``assumed`` say where the board's numbers come from.

    ``delay_price`` is None and ``delays`` is empty for the graph of a clip.
    """

    board: str
    generation: str
    objective: str
    cores: int
    chips: int
    board_cores: int
    board_chips: int
    steps: int
    latency_steps: int
    uniform_activity: bool
    limits: dict[str, int]
    layers: list[PlacedLayer]
    chip_list: list[PlacedChip]
    busiest: BusiestCore
    traffic: Traffic
    core_list: list[PlacedCore]
    problems: list[LimitProblem]
    delay_price: str | None
    delays: list[MadeDelay]
    sources: dict[str, str]
    assumed: dict[str, str]


class PlacementFile(PlacementRecord):
    """The whole file: the placement, the net that it is of, and what computed it.

    ``both_ways`` compares a streamed graph with the clip at once (:func:`mksgn.mapping.both_ways.record`). Of a stream
    without ends (``time`` 'endless') it holds that way alone, and all numbers are of a frame.
    """

    net: str
    time: str
    both_ways: list[dict[str, Any]]
    versions: dict[str, str]
    commit: str
