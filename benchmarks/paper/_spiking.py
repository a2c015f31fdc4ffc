"""Layer tables, by formula, of our Base-SGN and MK-SGN, and the paper's energy model on them with its Table 6.

A layer here is one synapse of the integer graph and carries its name, so that _counting.py can hold
the two against each other synapse by synapse. How the paper's equations become these synapses:
docs/decisions/0001-how-the-paper-is-read.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from _layers import Layer, Setting

from mksgn.energy import E_AC_PJ, E_MAC_PJ
from mksgn.energy.printed import MODALITIES, TABLE6_RATES, TABLE7, table6_name

TIME_STEPS = 4
_MJ_PER_PJ = 1e-9


@dataclass(frozen=True)
class SpikingLayer(Layer):
    """A layer and the populations it reads.

    Parameters
    ----------
    kind : str
        'coder' (reads the coordinates), 'conv' or 'linear' (trained), 'mix' (joints by the fixed adjacency), or
        'gate' (fixed one-to-one, pooling and broadcast weights: sums, AND, OR, residuals).
    sources : tuple of str
        Populations whose spikes go through the same weights. ``blockL.lif1`` stands for SN(P) also where our
        network uses P itself, because Table 6 prints its rate.
    """

    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class Variant:
    """Choices that the paper leaves open about its networks; the defaults are ours.

    Parameters
    ----------
    coder : int or None
        Channels that SC makes: Table 7 prints 3; None: the first layer's width.
    partitions : int
        Matrices S of the graph convolution: 3 (ST-GCN's, the first of them the identity) or 1 (Eq. 5-6 to the letter).
    taps : int
        Frames of the temporal convolution.
    shortcuts : bool
        Trained 1 x 1 convolutions where a residual changes shape; without them it is free.
    """

    coder: int | None = None
    partitions: int = 3
    taps: int = 9
    shortcuts: bool = True


OURS = Variant()


class _Table:
    def __init__(self, setting: Setting, variant: Variant) -> None:
        self.variant = variant
        self.joints = setting.joints * setting.persons
        self.layers: list[SpikingLayer] = []

    def add(self, name: str, kind: str, shape: tuple[int, int, int], per_neuron: int, sources: tuple[str, ...],
            parameters: int = 0) -> None:
        """A synapse into a population of ``shape`` with ``per_neuron`` weights for each of its neurons."""
        macs = shape[0] * shape[1] * shape[2] * per_neuron
        self.layers.append(SpikingLayer(name, kind, shape, macs, parameters, sources))

    def conv(self, name: str, inputs: int, outputs: int, frames: int, sources: tuple[str, ...], taps: int = 1,
             kind: str = "conv", norm: bool = True) -> None:
        """A trained convolution without bias; ``norm``: the batch norm of its population is counted with it."""
        self.add(name, kind, (outputs, frames, self.joints), inputs * taps, sources,
                 outputs * inputs * taps + (2 * outputs if norm else 0))

    def graph_conv(self, name: str, inputs: int, outputs: int, frames: int, source: str) -> None:
        # Of several partitions the first is the identity, which needs no mixing: W reads the population itself.
        mixed = max(self.variant.partitions - 1, 1)
        self.add(f"{name}.mix", "mix", (mixed * inputs, frames, self.joints), self.joints, (source,))
        if self.variant.partitions > 1:
            self.conv(f"{name}.lif2.0", inputs, outputs, frames, (source,), norm=False)
        self.conv(f"{name}.lif2.1", mixed * inputs, outputs, frames, (f"{name}.mix",))

    def head(self, source: str, channels: int, frames: int, classes: int) -> list[SpikingLayer]:
        self.add("head.gap", "gate", (channels, 1, 1), frames * self.joints, (source,), 2 * channels)
        self.add("head.fc", "linear", (classes, 1, 1), channels, ("head.gap",), (channels + 1) * classes)
        return self.layers


def _coder(setting: Setting, variant: Variant, width: int) -> tuple[_Table, int]:
    """A table that begins with SC, and SC's channels."""
    table, width = _Table(setting, variant), variant.coder or width
    table.conv("sc", 3, width, setting.frames, ("input",), 9, "coder")
    table.add("sc.bias", "gate", (width, 0, table.joints), 0, (), width * table.joints)
    return table, width


def base_sgn(setting: Setting, variant: Variant = OURS) -> list[SpikingLayer]:
    """Base-SGN: ST-GCN's ten layers with LIF for ReLU."""
    widths, strides = TABLE7["Base-SGN"]["widths"], TABLE7["Base-SGN"]["strides"]
    table, inputs = _coder(setting, variant, widths[0])
    source, frames = "sc", setting.frames
    for number, (outputs, stride) in enumerate(zip(widths, strides), start=1):
        name = f"block{number}"
        table.graph_conv(name, inputs, outputs, frames, source)
        frames //= stride
        table.conv(f"{name}.stc.0", outputs, outputs, frames, (f"{name}.lif2",), variant.taps)
        if (inputs == outputs and stride == 1) or not variant.shortcuts:
            table.add(f"{name}.stc.1", "gate", (outputs, frames, table.joints), 1, (source,))
        else:
            table.conv(f"{name}.stc.1", inputs, outputs, frames, (source,), norm=False)
        source, inputs = f"{name}.stc", outputs
    return table.head(source, inputs, frames, setting.classes)


def mk_sgn(setting: Setting, variant: Variant = OURS) -> list[SpikingLayer]:
    """MK-SGN for one modality: SA-SGC and STC in six layers."""
    widths, strides = TABLE7["MK-SGN"]["widths"], TABLE7["MK-SGN"]["strides"]
    table, inputs = _coder(setting, variant, widths[0])
    source, frames = "sc", setting.frames
    for number, (outputs, stride) in enumerate(zip(widths, strides), start=1):
        name, shape = f"block{number}", (outputs, frames, table.joints)
        if inputs != outputs:
            table.conv(f"{name}.lif1", inputs, outputs, frames, (source,))
        table.graph_conv(name, inputs, outputs, frames, source)
        sums = (f"{name}.lif1", f"{name}.lif2")
        table.add(f"{name}.sgsa.x", "gate", shape, 1, sums)
        for letter in "qkv":
            table.conv(f"{name}.sgsa.{letter}", outputs, outputs, frames, (f"{name}.sgsa.x",))
        for index, letter in enumerate("kv"):
            table.add(f"{name}.sgsa.k_and_v.{index}", "gate", shape, 1, (f"{name}.sgsa.{letter}",))
        table.add(f"{name}.sgsa.kv", "gate", (outputs, frames, 1), table.joints, (f"{name}.sgsa.k_and_v",), 2 * outputs)
        for index, letter in enumerate(("q", "kv")):
            table.add(f"{name}.sgsa.out.{index}", "gate", shape, 1, (f"{name}.sgsa.{letter}",))
        features: tuple[str, ...] = (*sums, f"{name}.sgsa.out")
        frames //= stride
        table.conv(f"{name}.stc.0", outputs, outputs, frames, features, variant.taps)
        if stride > 1 and variant.shortcuts:
            table.conv(f"{name}.res", outputs, outputs, frames, features)
            features = (f"{name}.res",)
        table.add(f"{name}.stc.1", "gate", (outputs, frames, table.joints), 1, features)
        source, inputs = f"{name}.stc", outputs
    return table.head(source, inputs, frames, setting.classes)


def table6_rate(population: str, modalities: int) -> float:
    """Spikes per neuron and step of a population of MK-SGN by Table 6.

    Fused modalities are summed: every coder's spikes meet the first layer's weights (Eq. 24, folded). Populations
    that Table 6 does not have take a neighbour's rate: ``mix`` that of what it mixes, ``k_and_v`` the lower of k and
    v, and ``out`` the lower of q and kv (an AND fires at most as often as either side).
    """
    if population == "sc" and modalities > 1:
        return sum(table6_rate(f"sc.{name}", 1) for name in MODALITIES[:modalities])
    printed = table6_name(population)
    if printed is not None:
        return TABLE6_RATES[printed]
    block, _, part = population.partition(".")
    if part == "mix":
        before = int(block.removeprefix("block")) - 1
        return table6_rate(f"block{before}.stc" if before else "sc", modalities)
    sides = {"sgsa.k_and_v": ("k", "v"), "sgsa.out": ("q", "kv")}[part]
    return min(table6_rate(f"{block}.sgsa.{side}", modalities) for side in sides)


@dataclass(frozen=True)
class ModelledOps:
    """Eq. 33-35 on a layer table.

    Parameters
    ----------
    flops : int
        FLOPs of the whole network, one time step; a sum of spike trains is convolved once.
    first_layer_macs : int
        n_m FL^1 of Eq. 35: the coders of all modalities, once.
    sops : float
        Eq. 33 summed over all other layers, without the SMF term.
    effective_rate : float
        SOPs / (T x FLOPs of those layers): spikes per input and step, weighted by what they cost.
    energy_mj : float
        4.6 pJ x first_layer_macs + 0.9 pJ x sops.
    """

    flops: int
    first_layer_macs: int
    sops: float
    effective_rate: float
    energy_mj: float


def apply_table6(layers: list[SpikingLayer], modalities: int, kinds: str = "conv linear mix gate") -> ModelledOps:
    """The paper's energy model with the paper's own firing rates, on our MK-SGN.

    Parameters
    ----------
    layers : list of SpikingLayer
        :func:`mk_sgn`.
    modalities : int
        1 to 4 coders.
    kinds : str
        Layers whose spikes are counted.
    """
    first = modalities * sum(layer.macs for layer in layers if layer.kind == "coder")
    spiking = [layer for layer in layers if layer.kind in kinds.split()]
    sops = TIME_STEPS * sum(layer.macs * sum(table6_rate(source, modalities) for source in layer.sources)
                            for layer in spiking)
    flops = sum(layer.macs for layer in spiking)
    return ModelledOps(flops + first, first, sops, sops / (TIME_STEPS * flops),
                       (E_MAC_PJ * first + E_AC_PJ * sops) * _MJ_PER_PJ)
