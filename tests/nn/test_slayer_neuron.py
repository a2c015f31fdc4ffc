"""FastNeuron against slayer.neuron.cuba.Neuron: every bit of states, spikes and gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lava.lib.dl import slayer
from lava.lib.dl.slayer.neuron.dynamics import leaky_integrator

from mksgn.nn.slayer_neuron import FREE, FastNeuron, integrate_torch

VARIANTS = {
    "plain": {},
    "persistent": {"persistent_state": True},
    "trained decays": {"requires_grad": True},
    "normalised": {"norm": slayer.neuron.norm.MeanOnlyBatchNorm},
    "graded": {"graded_spike": True},
    "per channel": {"shared_param": False, "requires_grad": True},
    "per channel, fixed, persistent": {"shared_param": False, "persistent_state": True},
    "dropout": {"dropout": torch.nn.Dropout(0.3)},
}


def _random_parameters(rng: np.random.Generator) -> dict:
    scale = int(2 ** rng.integers(2, 13))
    return {"threshold": float(rng.uniform(1 / scale, 3)), "current_decay": float(rng.uniform(0, 1)),
            "voltage_decay": float(rng.uniform(0, 1)), "scale": scale, "tau_grad": float(rng.uniform(0.01, 2)),
            "scale_grad": float(rng.uniform(0.1, 3))}


def _respond(neuron, x: torch.Tensor, grad: torch.Tensor, seed: int) -> list[torch.Tensor]:
    torch.manual_seed(seed)
    x = x.clone().requires_grad_(True)
    neuron.zero_grad()
    spikes = neuron(x)
    spikes.backward(grad)
    assert x.grad is not None
    results = [spikes.detach(), x.grad, neuron.current_state.clone(), neuron.voltage_state.clone()]
    return results + [d.grad for d in (neuron.current_decay, neuron.voltage_decay) if d.grad is not None]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("variant", VARIANTS)
def test_same_bits_as_slayer(variant: str) -> None:
    rng = np.random.default_rng(len(variant))
    spikes = 0.0
    for trial in range(15):
        parameters = {**_random_parameters(rng), **VARIANTS[variant]}
        steps = int(rng.integers(1, 17))
        # SLAYER broadcasts per-channel decays over the last axis of a state: they work for (N, C, T) only.
        shape = (3, 6, steps) if "per channel" in variant else (3, 5, 7, 4, steps)
        neurons = []
        for kind in (slayer.neuron.cuba.Neuron, FastNeuron):
            torch.manual_seed(trial)
            neurons.append(kind(**parameters))
        for batch in range(2):  # a second batch starts from persistent states
            x = torch.randn(shape) * float(rng.uniform(0.1, 5))
            grad = torch.randn(shape)
            stock, fast = (_respond(neuron, x, grad, seed=batch) for neuron in neurons)
            assert len(stock) == len(fast)
            for a, b in zip(stock, fast):
                assert a.shape == b.shape and torch.equal(a, b), parameters
            spikes += float(stock[0].abs().sum())
    assert spikes > 0


@pytest.mark.parametrize("variant", ["plain", "normalised"])
def test_current_and_voltage_are_slayers(variant: str) -> None:
    rng = np.random.default_rng(7)
    parameters = {**_random_parameters(rng), **VARIANTS[variant]}
    x = torch.randn(2, 4, 3, 3, 9) * 3
    stock = slayer.neuron.cuba.Neuron(**parameters).dynamics(x)
    fast = FastNeuron(**parameters).dynamics(x)
    assert all(torch.equal(a, b) for a, b in zip(stock, fast))


@pytest.mark.parametrize("threshold", [FREE, 0.75])
def test_the_integers_by_torch_operations(threshold: float) -> None:
    """What runs on CUDA, here on the CPU."""
    x, state = torch.randn(3, 4, 5, 8) * 4, torch.randn(3, 4, 5)
    decay = torch.tensor([700.0])
    stock = leaky_integrator._li_dynamics_fwd(x, decay, state, threshold, 4096, dtype=torch.int64)
    assert torch.equal(stock, integrate_torch(x, decay, state, threshold, 4096))


def test_a_wrong_shape_is_refused_as_by_slayer() -> None:
    neuron = FastNeuron(threshold=1.0, current_decay=0.5, voltage_decay=0.5)
    neuron(torch.zeros(2, 3, 4))
    with pytest.raises(AssertionError, match="does not match with Neuron shape"):
        neuron(torch.zeros(2, 5, 4))


def test_inside_a_slayer_block() -> None:
    """A stock block with our neuron: same outputs, same gradients of its weights."""
    parameters = {"threshold": 0.5, "current_decay": 0.3, "voltage_decay": 0.1}
    x = (torch.rand(2, 3, 8, 8, 6) > 0.6).float()
    grads = []
    for neuron in (None, FastNeuron(**parameters)):
        torch.manual_seed(3)
        block = slayer.block.cuba.Conv(parameters, 3, 4, 3, padding=1, weight_scale=2)
        if neuron is not None:
            block.neuron = neuron
        spikes = block(x)
        assert spikes.sum() > 0
        (spikes * torch.arange(6)).sum().backward()
        grads.append(block.synapse.weight.grad)
    assert torch.equal(*grads)
