"""The arrays of one layer of a `.net` file: weights, delays, edges and biases as the IR holds them."""

from __future__ import annotations

import numpy as np

from mksgn.errors import NetFileError
from mksgn.ir import Attention, Conv, Dense, GraphConv, JointMix, Synapse
from mksgn.ir.graph import BIAS_MAX, BIAS_MIN, DELAY_MAX, STATE_MAX, WEIGHT_MAX, WEIGHT_MIN
from mksgn.netx.store import STEPS_MAX, Store

Ends = tuple[str, tuple[str, ...], str]
"""A synapse's name, sources and target."""


def read_bias(layer: Store, kind: str, shape: tuple[int, int, int]) -> np.ndarray | None:
    """Bias (C,) or (C, F, V); stored flat for dense, per channel or as (V, F, C) otherwise."""
    if "bias" not in layer:
        return None
    stored = layer.integers("bias", BIAS_MIN, BIAS_MAX).astype(np.int32)
    channels, frames, joints = shape
    size = channels * frames * joints
    if kind == "dense" and stored.shape in ((), (1,), (size,)):
        bias = np.broadcast_to(stored.reshape(-1), (size,)).reshape(shape)
    elif kind != "dense" and stored.shape == (joints, frames, channels):
        bias = stored.transpose(2, 1, 0)
    elif kind != "dense" and stored.shape == (channels,):
        return stored
    else:
        allowed = f"({size},)" if kind == "dense" else f"({channels},) or {(joints, frames, channels)}"
        raise NetFileError("a bias has the wrong shape", where=layer.at("bias"), got=str(stored.shape), allowed=allowed)
    per_channel = bias[:, :1, :1]
    return per_channel.reshape(-1).copy() if (bias == per_channel).all() else np.ascontiguousarray(bias)


def _weight(layer: Store, ndim: int, meaning: str) -> np.ndarray:
    weight = layer.integers("weight", WEIGHT_MIN, WEIGHT_MAX).astype(np.int16)
    if weight.ndim == ndim + 1 and weight.shape[-1] == 1:
        weight = weight[..., 0]  # SLAYER keeps a time axis of one
    if weight.ndim != ndim or weight.size == 0:
        raise NetFileError("weights have the wrong shape", where=layer.at("weight"), got=str(weight.shape),
                           allowed=meaning)
    return weight


def _agree(layer: Store, name: str, expected: tuple[int, ...]) -> None:
    """Refuse a file that contradicts its own weights."""
    if name in layer:
        got = tuple(layer.integers(name, 0, STATE_MAX).reshape(-1).tolist())
        if got != expected:
            raise NetFileError("a field contradicts the weights", where=layer.at(name), got=str(got),
                               allowed=str(expected))


def _read_conv(layer: Store, ends: Ends) -> Synapse:
    weight = _weight(layer, 4, "(O, I / groups, kF, kV)")
    groups = layer.integer("groups", 1, 1 << 16)
    _agree(layer, "kernelSize", weight.shape[2:])
    _agree(layer, "inChannels", (weight.shape[1] * groups,))
    _agree(layer, "outChannels", weight.shape[:1])
    return Conv(*ends, weight, layer.pair("stride", 1, 1 << 16), layer.pair("padding", 0, 1 << 16),
                layer.pair("dilation", 1, 1 << 16), groups, layer.integer("frameSteps", 1, STEPS_MAX, default=0))


def _read_dense(layer: Store, ends: Ends) -> Synapse:
    size = int(np.prod(layer.shape()))
    weight = layer.integers("weight", WEIGHT_MIN, WEIGHT_MAX).astype(np.int16)
    if weight.ndim == 1 and weight.size and weight.size % size == 0:
        weight = weight.reshape(size, -1)
    if weight.ndim != 2 or weight.size == 0:
        raise NetFileError("weights have the wrong shape", where=layer.at("weight"), got=str(weight.shape),
                           allowed="(O, I)")
    _agree(layer, "outFeatures", weight.shape[:1])
    _agree(layer, "inFeatures", weight.shape[1:])
    delay = _read_delay(layer, weight.shape) if "delay" in layer else None
    return Dense(*ends, weight, delay)


def _read_delay(layer: Store, shape: tuple[int, ...]) -> np.ndarray:
    """Delay (I,) or (O, I); a stored row of O values delays all inputs of one output, as in netx."""
    outputs, inputs = shape
    stored = layer.integers("delay", 0, DELAY_MAX).astype(np.int32)
    if stored.ndim == 1 and stored.shape[0] == outputs:
        stored = stored[:, None]
    elif stored.shape not in ((), (1,), (inputs,), (outputs, inputs)):
        raise NetFileError("delays have the wrong shape", where=layer.at("delay"), got=str(stored.shape),
                           allowed=f"({outputs},), ({inputs},) or ({outputs}, {inputs})")
    delay = np.broadcast_to(stored, (outputs, inputs))
    return (delay[0] if (delay == delay[:1]).all() else delay).copy()


def _read_jointmix(layer: Store, ends: Ends) -> Synapse:
    return JointMix(*ends, _weight(layer, 3, "(K, V_target, V_source)"))


def _read_graphconv(layer: Store, ends: Ends) -> Synapse:
    weight = _weight(layer, 3, "(E, O, I)")
    edges = layer.integers("edges", 0, (1 << 31) - 1).astype(np.int32)
    if edges.shape != (weight.shape[0], 2):
        raise NetFileError("edges do not pair with the weights", where=layer.at("edges"), got=str(edges.shape),
                           allowed=f"({weight.shape[0]}, 2)")
    return GraphConv(*ends, weight, edges)


def _read_attention(layer: Store, ends: Ends) -> Synapse:
    weight = _weight(layer, 1, "(C,)")
    return Attention(*ends, weight, layer.integer("heads", 1, 1 << 16), bool(layer.integer("acrossFrames", 0, 1)))


READERS = {"conv": _read_conv, "dense": _read_dense, "jointmix": _read_jointmix, "graphconv": _read_graphconv,
           "attention": _read_attention}
