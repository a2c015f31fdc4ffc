"""A chain of foreign NIR nodes without state as one synapse, its weights still real numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mksgn.ir import Conv, Dense, JointMix, Synapse
from mksgn.ir.graph import DELAY_MAX
from mksgn.ir.synapses import Shape
from mksgn.nir.budget import Budget
from mksgn.nir.chip_integers import numbers
from mksgn.nir.errors import NirError

WEIGHTED = ("Linear", "Affine", "Conv1d", "Conv2d", "Scale")
CONV_MAX = 1 << 16


@dataclass(frozen=True)
class Connection:
    """One synapse before its weights are integers.

    Parameters
    ----------
    kind : type
        Conv, Dense or JointMix.
    node : str
        The node that holds the weights, or the source where there is none.
    sources : tuple of str
    weight : float64 ndarray
        In the form that ``kind`` takes.
    bias : float64 ndarray or None
    options : dict
        Further arguments of ``kind``.
    """

    kind: type
    node: str
    sources: tuple[str, ...]
    weight: np.ndarray
    bias: np.ndarray | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def synapse(self, name: str, target: str, weight: np.ndarray) -> Synapse:
        """The synapse with integer weights of the same form."""
        made: Synapse = self.kind(name, self.sources, target, weight, **self.options)
        return made


def connection(nodes: dict[str, dict[str, Any]], chain: tuple[str, ...], sources: tuple[str, ...], shape: Shape,
               dt: float, at: Callable[[str], str], budget: Budget) -> Connection:
    """The nodes of ``chain``, first one first, read from ``sources`` of ``shape``.

    Raises
    ------
    NirError
        Naming the node, when there are several weighted nodes in a row, when a delay or a reshape stands where no
        synapse has one, or when parameters have no counterpart.
    """
    weighted = [name for name in chain if nodes[name]["type"] in WEIGHTED]
    if len(weighted) > 1:
        raise NirError("two weighted nodes follow each other without neurons between them", where=at(weighted[1]),
                       got=" -> ".join(chain), fix="multiply them into one node before export")
    if not weighted:
        if chain:
            raise NirError("a node without weights stands alone before neurons", where=at(chain[-1]),
                           got=" -> ".join(chain), fix="put a Linear of identity behind it")
        return Connection(Conv, sources[0], sources, np.ones((shape[0], 1, 1, 1)), options={"groups": shape[0]})
    name = weighted[0]
    node, where = nodes[name], at(name)
    if chain[-1] != name:
        raise NirError("a node stands between weights and neurons", where=at(chain[-1]), got=" -> ".join(chain),
                       allowed="Flatten and Delay before the weights")
    before = [nodes[n]["type"] for n in chain[:-1]]
    kind = node["type"]
    weight = numbers(node, "scale" if kind == "Scale" else "weight", where)
    budget.spend(16 * weight.size, where)
    if kind in ("Linear", "Affine") and weight.ndim == 2:
        delay = _delay(nodes, chain, shape, dt, at)
        made = Connection(Dense, name, sources, weight, options={} if delay is None else {"delay": delay})
    elif before:
        raise NirError("a reshape or delay before this node has no counterpart", where=where, got=", ".join(before),
                       allowed="before a Linear or Affine with a matrix")
    elif kind in ("Linear", "Affine"):
        made = _joint_mix(weight, name, sources, shape, where)
    elif kind == "Scale":
        made = _scale(weight, name, sources, shape, where)
    else:
        made = _conv(node, weight, name, sources, shape, where)
    bias = numbers(node, "bias", where) if kind in ("Affine", "Conv1d", "Conv2d") else None
    return Connection(made.kind, name, sources, made.weight, bias, made.options)


def _delay(nodes: dict[str, dict[str, Any]], chain: tuple[str, ...], shape: Shape, dt: float,
           at: Callable[[str], str]) -> np.ndarray | None:
    delays = [name for name in chain if nodes[name]["type"] == "Delay"]
    if not delays:
        return None
    size = int(np.prod(shape))
    total = np.zeros(size)
    for name in delays:
        seconds = numbers(nodes[name], "delay", at(name)).reshape(-1)
        if seconds.size not in (1, size):
            raise NirError("a delay does not fit its source", where=at(name), got=str(seconds.size), allowed=str(size))
        total = total + seconds / dt
    steps = np.rint(total)
    if np.abs(total - steps).max() > 1e-3 or steps.min() < 0 or steps.max() > DELAY_MAX:
        raise NirError("a delay is no number of steps that the chip can wait", where=at(delays[0]),
                       got=f"{total.min():g}..{total.max():g} steps", allowed=f"whole numbers 0..{DELAY_MAX}")
    return steps.astype(np.int32)


def _joint_mix(weight: np.ndarray, name: str, sources: tuple[str, ...], shape: Shape, where: str) -> Connection:
    """A Linear over the last axis; on the chip one matrix serves all channels and frames."""
    if weight.ndim != 4 or weight.shape[:2] != shape[:2]:
        raise NirError("leading axes of a Linear do not fit its source", where=where, got=str(weight.shape),
                       allowed=f"({shape[0]}, {shape[1]}, V target, {shape[2]})")
    if (weight != weight[:1, :1]).any():
        raise NirError("a Linear over the last axis differs between channels or frames", where=where,
                       fix="write it as a Linear over all neurons, behind a Flatten")
    return Connection(JointMix, name, sources, weight[0, 0][None])


def _scale(scale: np.ndarray, name: str, sources: tuple[str, ...], shape: Shape, where: str) -> Connection:
    padded = scale.reshape((*scale.shape, 1, 1)[:3]) if scale.ndim < 3 else scale
    if padded.shape != shape or (padded != padded[:, :1, :1]).any():
        raise NirError("a Scale must be one number per channel", where=where, got=f"shape {scale.shape}",
                       allowed=f"{shape}, equal over frames and joints")
    return Connection(Conv, name, sources, padded[:, 0, 0][:, None, None, None], options={"groups": shape[0]})


def _conv(node: dict[str, Any], weight: np.ndarray, name: str, sources: tuple[str, ...], shape: Shape,
          where: str) -> Connection:
    axes = 1 if node["type"] == "Conv1d" else 2
    if weight.ndim != axes + 2:
        raise NirError("weights have the wrong number of axes", where=where, got=str(weight.shape))
    if axes == 1:
        weight = weight[..., None]
    options: dict[str, Any] = {label: _pair(node, label, axes, where) for label in ("stride", "dilation")}
    options["groups"] = _whole(node, "groups", where)[0]
    options["padding"] = _padding(node, weight, options, axes, shape, where)
    return Connection(Conv, name, sources, weight, options=options)


def _padding(node: dict[str, Any], weight: np.ndarray, options: dict[str, Any], axes: int, shape: Shape,
             where: str) -> tuple[int, int]:
    """Zeros on both sides; "same" where it means as many on both."""
    text = node.get("padding")
    if not isinstance(text, str):
        return _pair(node, "padding", axes, where)
    span = [dilation * (kernel - 1) for dilation, kernel in zip(options["dilation"], weight.shape[2:])]
    if text == "valid":
        return 0, 0
    if text != "same" or options["stride"] != (1, 1) or any(length % 2 for length in span):
        raise NirError("a padding has no counterpart", where=f"{where}, padding", got=repr(text)[:40],
                       allowed="numbers, 'valid', or 'same' with stride 1 and an odd kernel")
    return span[0] // 2, span[1] // 2


def _pair(node: dict[str, Any], label: str, axes: int, where: str) -> tuple[int, int]:
    """Frames and joints; a Conv1d has frames only."""
    values = _whole(node, label, where)
    if len(values) > axes:
        raise NirError("too many numbers", where=f"{where}, {label}", got=str(values))
    if axes == 1:
        return values[0], 0 if label == "padding" else 1
    return values[0], values[-1]


def _whole(node: dict[str, Any], label: str, where: str) -> list[int]:
    values = numbers(node, label, where).reshape(-1)
    if (values != np.rint(values)).any() or values.min() < 0 or values.max() > CONV_MAX:
        raise NirError("whole numbers were expected", where=f"{where}, {label}", got=str(values[:4]),
                       allowed=f"0..{CONV_MAX}")
    return [int(value) for value in values]
