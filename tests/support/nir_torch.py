"""A NIR graph run by nirtorch: NIRTorch wires and steps it, the neurons here are NIR's equations.

Nothing of mksgn.nir is used, so what comes out is what the file says to any reader. Sums of spikes times weights
are exact (weights are integers times a power of two, sums stay far below 2^53).
"""

from __future__ import annotations

from collections.abc import Callable

import nir
import nirtorch
import numpy as np
import torch

State = torch.Tensor | tuple[torch.Tensor, ...] | None
Rounding = Callable[[torch.Tensor], torch.Tensor]
DT = 1e-4


def factor(value: np.ndarray) -> torch.Tensor:
    """A product of float64 parameters, in float32 as tools compute it: 0.75 is 0.75, not 0.7500000000000001."""
    return torch.as_tensor(np.asarray(value), dtype=torch.float32).double()


class Membrane(torch.nn.Module):
    """Any NIR neuron by forward Euler: current and voltage decay, gain, leak; spike above threshold, reset to 0."""

    def __init__(self, node: nir.NIRNode, rounding: Rounding | None) -> None:
        super().__init__()
        tau = getattr(node, "tau_mem", getattr(node, "tau", None))
        tau_syn = getattr(node, "tau_syn", None)
        self.keep_v = factor(1 - DT / tau) if tau is not None else torch.ones(())
        self.gain = factor(node.r * (DT / tau if tau is not None else DT))
        self.leak = factor(node.v_leak * DT / tau) if tau is not None else torch.zeros(())
        self.keep_u = factor(1 - DT / tau_syn) if tau_syn is not None else torch.zeros(())
        self.w_in = factor(node.w_in * DT / tau_syn) if tau_syn is not None else torch.ones(())
        self.threshold = torch.as_tensor(node.v_threshold) if hasattr(node, "v_threshold") else None
        assert self.threshold is None or not node.v_reset.any()
        self.rounding = rounding or (lambda x: x)
        self.record: list[np.ndarray] = []

    def forward(self, x: torch.Tensor, state: State = None) -> tuple[torch.Tensor, State]:
        u, v = (torch.zeros_like(x), torch.zeros_like(x)) if state is None else state
        u = self.rounding(self.keep_u * u) + self.w_in * x
        v = self.rounding(self.keep_v * v) + self.gain * u + self.leak
        out = v
        if self.threshold is not None:
            out = (v > self.threshold).double()
            v = v * (1 - out)
        self.record.append(out.numpy())
        return out, (u, v)


class Waiting(torch.nn.Module):
    """nir.Delay: y(t) = x(t - delay), element by element."""

    def __init__(self, node: nir.Delay) -> None:
        super().__init__()
        self.steps = torch.as_tensor(np.rint(node.delay / DT).astype(np.int64))

    def forward(self, x: torch.Tensor, state: State = None) -> tuple[torch.Tensor, State]:
        past = (x,) if state is None else (x, *state)
        out = torch.zeros_like(x)
        for wait, then in enumerate(past):
            out[self.steps == wait] = then[self.steps == wait]
        return out, past


class Mixing(torch.nn.Module):
    """nir.Linear and nir.Affine by their type rule: leading axes of the weight are leading axes of the input."""

    def __init__(self, node: nir.Linear | nir.Affine) -> None:
        super().__init__()
        self.weight = torch.as_tensor(node.weight).double()
        self.bias = torch.as_tensor(node.bias).double() if isinstance(node, nir.Affine) else 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.weight @ x[..., None])[..., 0] + self.bias


class Scaling(torch.nn.Module):
    """nir.Scale."""

    def __init__(self, node: nir.Scale) -> None:
        super().__init__()
        self.scale = torch.as_tensor(node.scale).double()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale


class Convolution(torch.nn.Module):
    """nir.Conv2d on one sample."""

    def __init__(self, node: nir.Conv2d) -> None:
        super().__init__()
        # Not in float32: its fast algorithms for small kernels are not exact on integers.
        self.weight, self.bias = (torch.as_tensor(a).double() for a in (node.weight, node.bias))
        self.options = {label: tuple(int(n) for n in getattr(node, label))
                        for label in ("stride", "padding", "dilation")}
        self.groups = int(node.groups)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv2d(x[None], self.weight, self.bias, groups=self.groups, **self.options)[0]


def run(graph: nir.NIRGraph, sample: np.ndarray, rounding: dict[str, Rounding] | None = None) -> dict[str, np.ndarray]:
    """One sample (C, F, V, T) through ``graph``: what every neuron node sent, by node name, time last.

    Parameters
    ----------
    rounding : dict of node name to function, optional
        What to make of a decayed state; None: real numbers.
    """
    names = {id(node): name for name, node in graph.nodes.items()}
    made: dict[str, Membrane] = {}

    def neuron(node: nir.NIRNode) -> Membrane:
        name = names[id(node)]
        made[name] = Membrane(node, (rounding or {}).get(name))
        return made[name]

    maps = {kind: neuron for kind in (nir.LIF, nir.IF, nir.CubaLIF, nir.LI, nir.I, nir.CubaLI)}
    maps |= {nir.Delay: Waiting, nir.Linear: Mixing, nir.Affine: Mixing, nir.Scale: Scaling, nir.Conv2d: Convolution}
    # NIRTorch 2.6 waits forever on a second output: that of a population which drives nothing.
    nodes = {name: node for name, node in graph.nodes.items() if not isinstance(node, nir.Output) or name == "output"}
    single = nir.NIRGraph(nodes, [edge for edge in graph.edges if edge[1] in nodes], type_check=False)
    module = nirtorch.nir_to_torch(single, maps, dtype=torch.float64)
    shape = tuple(int(n) for n in graph.nodes["input"].input_type["input"])
    state = None
    with torch.no_grad():
        for step in range(sample.shape[-1]):
            _, state = module(torch.as_tensor(sample[..., step], dtype=torch.float64).reshape(shape), state)
    return {name: np.stack(neuron.record, -1) for name, neuron in made.items()}
