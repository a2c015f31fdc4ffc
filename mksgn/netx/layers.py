"""The layers of a `.net` file as populations and synapses (docs/net-format.md).

One parser reads our files and stock netx files; a stock file has no names, no `concat`, no `target`
and none of our layer types, and its input layer may carry neurons of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mksgn.errors import NetFileError
from mksgn.ir import Conv, Cuba, JointMix, Population, Synapse
from mksgn.ir.graph import DECAY_UNITY, STATE_MAX, STATE_SHIFT, VTH_MAX
from mksgn.ir.lattice import Lattice
from mksgn.ir.synapses import Shape
from mksgn.netx.arrays import READERS, Ends, read_bias
from mksgn.netx.store import STEPS_MAX, Store, unexpected

INPUT_BIAS_BITS = 13
"""Messages that stand for the bias of a stock input neuron are as wide as that bias."""
_STOCK_TYPES = ("input", "conv", "flatten", "dense")
_OUR_TYPES = ("concat", "jointmix", "graphconv", "attention")
_UNSUPPORTED = {
    "average": "sum the spikes of the layer before instead; num_layers leaves the last layers out",
    "pool": "export pooling as a conv layer with constant weights and groups = channels",
    "unpool": "only layers that Loihi runs as plain synapses are supported",
    "convT": "only layers that Loihi runs as plain synapses are supported",
    "dense_rec": "recurrent synapses are not supported",
    "dense_comp": "complex weights are not supported",
}
_SYNAPSE_FIELDS = {"type", "shape", "weight", "bias", "neuron"}
_FIELDS = {
    "input": {"type", "shape", "weight", "bias", "neuron"},
    "flatten": {"type", "shape"},
    "concat": {"type", "shape", "layers"},
    "conv": _SYNAPSE_FIELDS | {"stride", "padding", "dilation", "groups", "kernelSize", "inChannels", "outChannels"},
    "dense": _SYNAPSE_FIELDS | {"delay", "inFeatures", "outFeatures"},
    "jointmix": _SYNAPSE_FIELDS,
    "graphconv": _SYNAPSE_FIELDS | {"edges"},
    "attention": _SYNAPSE_FIELDS | {"heads", "acrossFrames"},
}
_OUR_FIELDS = {"name", "synapse", "messageBits", "target"}
_STREAMED_FIELDS = {kind: {"lattice"} for kind in _FIELDS if kind not in ("flatten", "concat")}
_STREAMED_FIELDS["conv"] = {"lattice", "frameSteps"}
# scaleRho, tauRho and theta only matter in training; wgtExp and weight_exp must be 0.
_NEURON_FIELDS = {"type", "iDecay", "vDecay", "vThMant", "refDelay", "gradedSpike", "messageBits", "scaleRho", "tauRho",
                  "theta", "wgtExp", "weight_exp"}


@dataclass
class LayerReader:
    """Reads the layers of one file, in order.

    Parameters
    ----------
    ours : bool
        False for a stock netx file.
    input_shape : (C, F, V), optional
        Of the input of a stock file without input layer.
    streamed : bool
        Whether the frames of a clip come one after the other, and every layer with neurons says when they work.
    """

    ours: bool
    input_shape: Shape | None = None
    streamed: bool = False
    populations: list[Population] = field(default_factory=list)
    synapses: list[Synapse] = field(default_factory=list)
    meta: dict[str, Any] = field(default_factory=dict)
    _by_layer: dict[int, Population] = field(default_factory=dict)
    _sources: tuple[Population, ...] = ()
    _flattened: bool = False
    _flat: set[str] = field(default_factory=set)

    def read(self, layers: Store, count: int) -> None:
        """Read layers 0 to ``count`` - 1.

        Raises
        ------
        NetFileError
            Naming the layer, what was found and what is allowed.
        """
        for number in range(count):
            if str(number) not in layers:
                raise NetFileError("a layer is missing", where=layers.at(str(number)), got=", ".join(layers.names),
                                   allowed=f"layers 0 to {count - 1}")
            layer = layers.child(str(number))
            with unexpected(layer.where):
                self._layer(layer, number, last=number == count - 1)
        if self._flattened:
            raise NetFileError("a flatten layer must be followed by a dense layer", where=layers.at(str(count - 1)))

    def _layer(self, layer: Store, number: int, last: bool) -> None:
        kind = layer.text("type")
        allowed = _STOCK_TYPES + (_OUR_TYPES if self.ours else ())
        if kind not in allowed:
            raise NetFileError("a layer type is not supported", where=layer.where, got=repr(kind),
                               allowed=", ".join(allowed), fix=_UNSUPPORTED.get(kind, ""))
        layer.only(_FIELDS[kind] | (_OUR_FIELDS if self.ours else set())
                   | (_STREAMED_FIELDS.get(kind, set()) if self.streamed else set()))
        misplaced = (kind == "input") != (number == 0)
        if misplaced and (self.ours or kind == "input"):
            raise NetFileError("the first layer, and no other, must be the input", where=layer.where,
                               got=repr(kind))
        if kind == "input":
            self._input(layer)
        elif kind == "flatten":
            self._flattened = True
        elif kind == "concat":
            ids = layer.integers("layers", 0, number - 1)
            if ids.ndim != 1:
                raise NetFileError("a list of layers was expected", where=layer.at("layers"), got=f"shape {ids.shape}")
            self._sources = tuple(self._population(layer, int(n)) for n in ids)
            self._flattened = False
        else:
            if not self.populations:
                self._implied_input(layer, kind)
            self._synapse(layer, kind, number, last)

    def _population(self, layer: Store, number: int) -> Population:
        if number not in self._by_layer:
            raise NetFileError("a layer refers to one that holds no neurons", where=layer.where, got=f"layer {number}",
                               allowed=", ".join(str(n) for n in self._by_layer))
        return self._by_layer[number]

    def _input(self, layer: Store) -> None:
        shape = layer.shape()
        name = layer.text("name") if self.ours else "input"
        bits = layer.integer("messageBits", 0, 24, default=0) if self.ours else 0
        if "neuron" in layer and not self.ours:
            self._input_neurons(layer, shape)
            return
        if any(label in layer for label in ("neuron", "weight", "bias")):
            raise NetFileError("an input without neurons has no weight or bias", where=layer.where,
                               got=", ".join(layer.names))
        self._add(0, Population(name, shape, role="input", message_bits=bits, lattice=self._lattice(layer, shape)))

    def _implied_input(self, layer: Store, kind: str) -> None:
        """The input of a stock file without input layer: spikes, in the shape that its first synapse reads."""
        shape, extent = self.input_shape, layer.extent("weight")
        if kind == "dense":
            inputs = math.prod(extent) // math.prod(layer.shape())
            shape = shape or (inputs, 1, 1)
            fits, allowed = math.prod(shape) == inputs, f"{inputs} neurons in all"
        elif shape is None:
            raise NetFileError("the file does not say the shape of its input", where=layer.where,
                               got="no input layer, and a conv layer that reads inputs of many shapes",
                               allowed="(C, F, V), which is SLAYER's (C, H, W)",
                               fix="run_lava.py takes it from --input-shape C F V, or from an --input tensor of shape "
                                   "(C, F, V, steps); other programs need an input layer in the file")
        else:
            channels = layer.integer("groups", 1, 1 << 16) * math.prod(extent[1:2])
            fits, allowed = shape[0] == channels, f"(C, F, V) with C = {channels}"
        if not fits:
            raise NetFileError("the input does not fit the first layer", where=layer.where, got=str(shape),
                               allowed=allowed, fix="check --input-shape, or the shape of the --input tensor")
        layer.budget.spend(8 * math.prod(shape), layer.where)
        self._add(0, Population("input", shape, role="input"))

    def _input_neurons(self, layer: Store, shape: tuple[int, int, int]) -> None:
        """A stock input layer with neurons: the host writes ``weight x + bias`` into their bias.

        These neurons get no synaptic input, so u stays 0 whatever iDecay is, and v gains 64 times that
        bias each step. The same bias sent as a graded message through an identity synapse of weight 1
        into a neuron that keeps no current gives u = 64 bias, which v gains as well: the same v and
        spikes, one step later.
        """
        neuron = self._neuron(layer)
        self.meta["input_weight"] = layer.integer("weight", -STATE_MAX, STATE_MAX, default=1 << STATE_SHIFT)
        self.meta["input_bias"] = layer.integer("bias", -STATE_MAX, STATE_MAX, default=0)
        self._add(0, Population("input", shape, role="input", message_bits=INPUT_BIAS_BITS))
        driven = Population("layer_0", shape, Cuba(neuron.vth, DECAY_UNITY, neuron.voltage_decay))
        channels, _, joints = shape
        ends: Ends = ("synapse_0", ("input",), "layer_0")
        if channels <= joints * joints:
            one = np.ones((channels, 1, 1, 1), dtype=np.int16)
            self.synapses.append(Conv(*ends, one, groups=channels))
        else:
            self.synapses.append(JointMix(*ends, np.eye(joints, dtype=np.int16)[None]))
        self._add(0, driven)

    def _add(self, number: int, population: Population) -> None:
        self.populations.append(population)
        self._by_layer[number] = population
        self._sources = (population,)

    def _synapse(self, layer: Store, kind: str, number: int, last: bool) -> None:
        target = None
        if "target" in layer:
            target = self._population(layer, layer.integer("target", 0, number - 1))
            if target.role == "input" or {"neuron", "bias", "name", "messageBits", "lattice"} & set(layer.names):
                raise NetFileError("a layer with a target has no neurons of its own", where=layer.where,
                                   got=", ".join(layer.names), allowed="the target's layer holds neuron, bias and name")
            if layer.shape() != tuple(target.shape):
                raise NetFileError("a layer and its target differ in shape", where=layer.where,
                                   got=str(layer.shape()), allowed=str(tuple(target.shape)))
        if not self._sources:
            raise NetFileError("a layer has no source", where=layer.where,
                               fix="put a concat layer before it that names the source")
        self._check_flatten(layer, kind)
        name = target.name if target else layer.text("name") if self.ours else f"layer_{number}"
        label = layer.text("synapse") if self.ours else f"synapse_{number}"
        ends: Ends = (label, tuple(p.name for p in self._sources), name)
        self.synapses.append(READERS[kind](layer, ends))
        if target:
            self._sources = ()
            return
        if kind == "dense":
            self._flat.add(name)
        self._add(number, self._neurons(layer, kind, name, last))

    def _check_flatten(self, layer: Store, kind: str) -> None:
        """A flatten layer stands between neurons laid out in frames and joints and a dense layer, only there."""
        source = self._sources[0]
        laid_out = tuple(source.shape[1:]) != (1, 1) and source.name not in self._flat
        plain_input = source.role == "input" and not self.ours
        if kind == "dense" and laid_out and not plain_input and not self._flattened:
            raise NetFileError("a flatten layer must stand before this dense layer", where=layer.where,
                               got=f"source of shape {tuple(source.shape)}")
        if kind != "dense" and self._flattened:
            raise NetFileError("a flatten layer must be followed by a dense layer", where=layer.where, got=repr(kind))
        self._flattened = False

    def _neurons(self, layer: Store, kind: str, name: str, last: bool) -> Population:
        shape = layer.shape()
        bits = layer.integer("messageBits", 0, 24, default=0) if self.ours else 0
        role = "hidden"
        if "neuron" in layer:
            neuron = self._neuron(layer)
            if self.ours and "role" in layer.child("neuron"):
                role = layer.child("neuron").text("role")
        elif kind == "dense" and not self.ours:
            # Stock netx's default: an integrator that never spikes.
            neuron = Cuba(VTH_MAX + 1, current_decay=0, voltage_decay=DECAY_UNITY)
        else:
            raise NetFileError("a layer has no neurons", where=layer.where, allowed="a group named neuron")
        if not self.ours and neuron.vth > VTH_MAX:
            # v saturates below this threshold.
            if not last:
                raise NetFileError("neurons that can never spike feed another layer", where=layer.where,
                                   got=f"vThMant {neuron.vth}", allowed=f"0..{VTH_MAX}, or more in the last layer")
            role, neuron = "readout", Cuba(VTH_MAX, neuron.current_decay, neuron.voltage_decay)
        lattice = self._lattice(layer, shape)
        if lattice is not None:  # whose states are carried, not those of neurons side by side
            neuron, lattice = replace(neuron, carried=False), replace(lattice, carried=neuron.carried)
        return Population(name, shape, neuron, read_bias(layer, kind, shape), role, bits, lattice)

    def _lattice(self, layer: Store, shape: Shape) -> Lattice | None:
        if not self.streamed:
            return None
        numbers = layer.integers("lattice", 1, STEPS_MAX)
        if numbers.shape != (3,):
            raise NetFileError("a lattice has three numbers", where=layer.at("lattice"), got=f"shape {numbers.shape}",
                               allowed="interval, length, frames")
        interval, length, frames = numbers.tolist()
        # Counts are kept frame by frame.
        layer.budget.spend(8 * math.prod(shape) * frames, layer.at("lattice"))
        return Lattice(interval, length, frames)

    def _neuron(self, layer: Store) -> Cuba:
        store = layer.child("neuron")
        kind = store.text("type")
        if kind not in ("CUBA", "LOIHI"):
            raise NetFileError("a neuron type is not supported", where=store.where, got=repr(kind),
                               allowed="CUBA, LOIHI (the same neuron)")
        store.only(_NEURON_FIELDS | ({"role", "vth", "carried"} if self.ours else set()))
        # netx applies neither exponent; CUBA neurons send unary spikes and have no refractory period.
        for label in ("wgtExp", "weight_exp", "gradedSpike", "messageBits"):
            store.integer(label, 0, 0, default=0)
        store.integer("refDelay", 0, 1, default=1)
        if self.ours and "role" in store and store.text("role") == "readout":
            vth = store.integer("vth", 0, VTH_MAX)
        else:
            vth = store.integer("vThMant", 0, VTH_MAX if self.ours else STATE_MAX)
        carried = self.ours and bool(store.integer("carried", 0, 1, default=0))
        return Cuba(vth, store.integer("iDecay", 0, DECAY_UNITY), store.integer("vDecay", 0, DECAY_UNITY), carried)
