"""The fused neuron against its equations, against autograd, and against SLAYER's own neuron."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lava.lib.dl import slayer

from mksgn.nn.cuba import batch_moments, fused_cuba
from mksgn.nn.lif import CubaNeuron, Surrogate, leaky_integrate_and_fire

STEPS = 4


def tensors(seed: int, quantized: bool, scale: int = 64, shape=(3 * STEPS, 5, 4, 3)):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator)
    extra = (torch.rand(shape, generator=generator) < 0.3).float()
    gamma = torch.rand(shape[1], generator=generator) + 0.5
    beta = torch.randn(shape[1], generator=generator) * 0.2
    if quantized:
        x, beta, gamma = torch.round(x * scale) / scale, torch.round(beta * scale) / scale, torch.ones(shape[1])
    return x.contiguous(memory_format=torch.channels_last), extra, gamma, beta


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("decays", [(1.0, 0.75), (0.6, 0.3), (0.0, 1.0)])
@pytest.mark.parametrize("normalised", [False, True])
def test_fused_kernel_is_the_reference(quantized, decays, normalised):
    if quantized and normalised:
        pytest.skip("a quantised network has no batch norm left")
    neuron = CubaNeuron(current_decay=decays[0], voltage_decay=decays[1], surrogate=Surrogate(width=1.5, height=0.7))
    results = []
    for fused in (False, True):
        x, extra, gamma, beta = (t.requires_grad_() for t in tensors(1, quantized))
        if fused:
            moments = batch_moments(x, STEPS) if normalised else None
            spikes, count = fused_cuba(x, extra, gamma, beta, neuron, STEPS, moments=moments, quantized=quantized)
        else:
            scale, shift = gamma, beta
            if normalised:
                var, mean = torch.var_mean(x, dim=(0, 2, 3), unbiased=False)
                scale = gamma * (var + 1e-5).rsqrt()
                shift = beta - mean * scale
            spikes = leaky_integrate_and_fire(x, extra, scale, shift, neuron, STEPS, quantized)
            count = spikes.sum()
        weight = torch.randn(spikes.shape, generator=torch.Generator().manual_seed(7))
        ((spikes * weight).sum() + 0.3 * count).backward()
        assert 0.02 < spikes.mean() < 0.9
        results.append((spikes.detach(), count.detach(), x.grad, extra.grad, gamma.grad, beta.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert results[0][1] == results[1][1]
    for expected, got in zip(results[0][2:], results[1][2:]):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("decays", [(1.0, 0.75), (0.6, 0.3)])
@pytest.mark.parametrize("joints", [1, 7])
def test_carried_states_are_frames_as_steps(quantized, decays, joints):
    """One step of frames side by side = F steps of one frame, by the same equations; gradients of the fused kernel."""
    x, extra, gamma, beta = tensors(4, quantized)
    x, extra = (each[:, :, :, :joints].contiguous(memory_format=torch.channels_last) for each in (x, extra))
    given = {"current_decay": decays[0], "voltage_decay": decays[1], "surrogate": Surrogate(width=1.5, height=0.7)}
    frames, results = x.shape[2], []
    for way in ("steps", "reference", "fused"):
        leaves = [t.clone().requires_grad_() for t in (x, extra, gamma, beta)]
        neuron = CubaNeuron(**given, carried=way != "steps")
        if way == "steps":
            side, other = (t.transpose(1, 2).flatten(0, 1).unsqueeze(2) for t in leaves[:2])
            spikes = leaky_integrate_and_fire(side, other, *leaves[2:], neuron, frames, quantized)
            spikes = spikes.squeeze(2).unflatten(0, (-1, frames)).transpose(1, 2)
        elif way == "reference":
            spikes = leaky_integrate_and_fire(*leaves, neuron, 1, quantized)
        else:
            spikes, count = fused_cuba(*leaves, neuron, 1, quantized=quantized)
            assert count == spikes.sum()
        weight = torch.randn(spikes.shape, generator=torch.Generator().manual_seed(7))
        (spikes * weight).sum().backward()
        results.append((spikes.detach(), *(leaf.grad for leaf in leaves)))
    assert 0.02 < results[0][0].mean() < 0.9
    for result in results[1:]:
        assert torch.equal(result[0], results[0][0])
        for expected, got in zip(results[0][1:], result[1:]):
            torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def slayer_spikes(x_int, du, dv, scale, steps):
    """Stock SLAYER neuron, (N, C, F, V, T) integers in weight units."""
    stock = slayer.neuron.cuba.Neuron(threshold=1.0, current_decay=du / 4096, voltage_decay=dv / 4096, scale=scale)
    folded = x_int.unflatten(0, (-1, steps)).permute(0, 2, 3, 4, 1).contiguous()
    _, v = stock.dynamics(folded / scale)
    return stock.spike(v).permute(0, 4, 1, 2, 3).flatten(0, 1)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(du=st.integers(0, 4096), dv=st.integers(0, 4096), exponent=st.integers(3, 10), steps=st.integers(1, 9),
       seed=st.integers(0, 2**31))
def test_fused_neuron_spikes_as_slayers(du, dv, exponent, steps, seed):
    scale = 1 << exponent
    generator = torch.Generator().manual_seed(seed)
    x_int = torch.randint(-scale, 2 * scale, (2 * steps, 3, 2, 2), generator=generator).float()
    neuron = CubaNeuron(current_decay=du / 4096, voltage_decay=dv / 4096, scale=scale)
    ones, zeros = torch.ones(3), torch.zeros(3)
    x = (x_int / scale).contiguous(memory_format=torch.channels_last)
    ours, _ = fused_cuba(x, None, ones, zeros, neuron, steps, quantized=True)
    assert torch.equal(ours, slayer_spikes(x_int, du, dv, scale, steps))


@pytest.mark.parametrize("exponent", range(1, 17))
def test_no_spike_at_the_threshold_whatever_the_scale(exponent):
    """Lava and Loihi spike above the threshold; SLAYER's epsilon is lost in float32 at scales over 2048."""
    scale = 1 << exponent
    neuron = CubaNeuron(scale=scale)
    at = torch.tensor([1.0, 1.0 + 1.0 / scale]).reshape(1, 2, 1, 1)
    fused, _ = fused_cuba(at, None, torch.ones(2), torch.zeros(2), neuron, 1, quantized=True)
    voltage = neuron.dynamics_with_bias(at.reshape(1, 2, 1, 1, 1), torch.zeros(1))
    assert fused.flatten().tolist() == [0.0, 1.0]
    assert neuron.spike(voltage).flatten().tolist() == [0.0, 1.0]


def test_stock_slayer_epsilon_is_lost_at_large_scales():
    """The trap that CubaNeuron.rescale avoids; if this fails, SLAYER was fixed and the override can go."""
    stock = slayer.neuron.cuba.Neuron(threshold=1.0, current_decay=1.0, voltage_decay=0.75, scale=1 << 14)
    voltage = torch.ones(1, 1, 1)
    assert stock.spike(voltage).item() == 1.0


def test_bias_enters_the_voltage_not_the_current():
    neuron = CubaNeuron(current_decay=0.5, voltage_decay=1.0, scale=64)
    x = torch.zeros(2, 1, 1, 1)
    spikes, _ = fused_cuba(x, None, torch.ones(1), torch.full((1,), 0.75), neuron, 2, quantized=True)
    # Through the current it would reach 0.75 + 0.375 > 1 at the second step.
    assert not spikes.any()


def test_bfloat16_is_the_float32_result_on_exact_values():
    x, extra, _, _ = tensors(3, False)
    x = torch.round(x * 8) / 8  # exact in bfloat16
    neuron = CubaNeuron()
    full, _ = fused_cuba(x, extra, torch.ones(5), torch.zeros(5), neuron, STEPS)
    half, _ = fused_cuba(x.bfloat16(), extra.bfloat16(), torch.ones(5), torch.zeros(5), neuron, STEPS)
    assert half.dtype == torch.bfloat16
    assert np.array_equal(full.numpy(), half.float().numpy())


def test_weights_stay_in_every_sign_mode():
    neuron = CubaNeuron(scale=64)
    weight = neuron.quantize_8bit(torch.tensor([-9.0, -0.01, 0.02, 9.0]), descale=True)
    assert weight.tolist() == [-254.0, 0.0, 2.0, 254.0]
