"""A drop-in for ``slayer.neuron.cuba.Neuron``: the same bits, forward and backward, in far less time.

SLAYER's CPU path makes some thirty passes over strided memory per time step. Here both integrators,
the threshold and the surrogate are two passes over contiguous memory (:mod:`mksgn.nn.slayer_kernel`).
On CUDA the same integers are formed by torch operations, without SLAYER's compiled extension.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from lava.lib.dl.slayer.neuron.cuba import SCALE_RHO_MULT, TAU_RHO_MULT
from torch import Tensor

from mksgn.nn import slayer_kernel
from mksgn.nn.lava_dl import slayer
from mksgn.threads import share_threads

DECAY_UNITY = 1 << 12
FREE = -1.0
"""Threshold of an integrator that never resets, as in SLAYER."""


class FastNeuron(slayer.neuron.cuba.Neuron):
    """``slayer.neuron.cuba.Neuron`` with the same arguments, states, spikes and gradients, bit for bit.

    Tensors are SLAYER's, (N, C, ..., T) float32. Everything SLAYER's neuron can do is here: per-channel and
    trained decays, normalisation between current and voltage, persistent states, graded spikes, dropout.
    The plain neuron (fixed shared decays, no normalisation, unary spikes, CPU) is one fused operation.

    The bits are SLAYER's while states stay below 2^41 integer units (the chip has 24 bits). Gradients of
    trained decays are sums over all neurons, formed by the same torch operations as SLAYER's.

    Raises
    ------
    AssertionError
        As SLAYER: an input whose shape is not the neuron's.

    Examples
    --------
    >>> block = slayer.block.cuba.Conv(neuron_params, 2, 8, 3)                      # doctest: +SKIP
    >>> block.neuron = FastNeuron(**neuron_params)                                  # doctest: +SKIP
    """

    current_state: Tensor
    voltage_state: Tensor

    def dynamics(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """Current and voltage (before the reset), each (N, C, ..., T)."""
        self._prepare(input)
        current = _Integrate.apply(input, slayer.utils.quantize(self.current_decay), self.current_state, FREE,
                                   self.s_scale)
        if self.norm is not None:
            current = self.norm(current)
        voltage = _Integrate.apply(current, slayer.utils.quantize(self.voltage_decay), self.voltage_state,
                                   self.threshold + self.threshold_eps, self.s_scale)
        if self.persistent_state:
            self.current_state = current[..., -1].detach().clone()
            self.voltage_state = voltage[..., -1].detach().clone()
        return current, voltage

    def forward(self, input: Tensor) -> Tensor:
        """Spikes (N, C, ..., T)."""
        plain = self.norm is None and not self.graded_spike and not self.requires_grad and self.shared_param
        if input.is_cuda or not plain:
            return super().forward(input)
        self._prepare(input)
        spikes, last_u, last_v = _Respond.apply(input, self)
        if self.persistent_state:
            self.current_state, self.voltage_state = last_u, last_v
        return spikes if self.drop is None else self.drop(spikes)

    def _prepare(self, input: Tensor) -> None:
        """Shape, per-channel decays and states, exactly as SLAYER sets them up; its random numbers included."""
        if self.shape is None:
            # SLAYER's own set-up, on a single step of a single sample; then the states are made for this batch.
            super().dynamics(input[:1, ..., :1].detach())
            self.current_state = torch.zeros(1, device=self.device)
            self.voltage_state = torch.zeros(1, device=self.device)
        if input.shape[1:-1] != self.shape:
            raise AssertionError(f"Input tensor shape ({input.shape}) does not match with Neuron shape ({self.shape}).")
        if self.current_state.shape != input.shape[:-1]:
            self.current_state = torch.zeros(input.shape[:-1], device=self.device)
            self.voltage_state = torch.zeros(input.shape[:-1], device=self.device)
        if self.requires_grad:
            self.clamp()


class _Integrate(torch.autograd.Function):
    """``slayer.neuron.dynamics.leaky_integrator.dynamics``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, decay: Tensor, state: Tensor, threshold: float, scale: int) -> Tensor:
        if x.is_cuda:
            out = integrate_torch(x, decay, state, threshold, scale)
        else:
            out = torch.empty(x.shape)
            keep = DECAY_UNITY - np.trunc(_per_neuron(decay, state).astype(np.float64))
            share_threads()
            slayer_kernel.integrate(_flat(x), x.shape[-1], keep, _flat(state), np.float32(threshold * scale),
                                    np.float32(scale), _flat(out))
        ctx.save_for_backward(out, decay)
        return out

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        out, decay = ctx.saved_tensors
        kept = 1 - decay / DECAY_UNITY
        if grad_out.is_cuda:
            grad = torch.empty_like(grad_out)
            grad[..., -1] = grad_out[..., -1]
            for n in reversed(range(grad.shape[-1] - 1)):
                grad[..., n] = kept * grad[..., n + 1] + grad_out[..., n]
        else:
            grad = torch.empty(grad_out.shape)
            share_threads()
            slayer_kernel.integrate_backward(_flat(grad_out), grad_out.shape[-1], _per_neuron(kept, out[..., 0]),
                                             _flat(grad))
        grad_decay = None
        if ctx.needs_input_grad[1]:
            product = grad[..., 1:] * out[..., :-1]
            if decay.numel() == 1:
                grad_decay = product.flatten().sum(dim=0, keepdim=True)
            else:
                grad_decay = product.sum(dim=[0, -1])
                grad_decay = grad_decay if grad_decay.dim() == 1 else grad_decay.reshape(len(grad_decay), -1).sum(1)
        return grad, grad_decay, None, None, None


class _Respond(torch.autograd.Function):
    """Both integrators, threshold and SLAYER's exponential surrogate."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, neuron: FastNeuron) -> tuple[Tensor, Tensor, Tensor]:
        spikes, exponent = torch.empty(x.shape), torch.empty(x.shape)
        last_u, last_v = torch.empty(x.shape[:-1]), torch.empty(x.shape[:-1])
        keep = [float(DECAY_UNITY - math.trunc(slayer.utils.quantize(decay.detach()).item()))
                for decay in (neuron.current_decay, neuron.voltage_decay)]
        threshold = neuron.threshold + neuron.threshold_eps
        tau, scale = neuron.tau_rho * TAU_RHO_MULT, neuron.s_scale
        share_threads()
        slayer_kernel.respond(
            _flat(x), x.shape[-1], *keep, *(_flat(state) for state in (neuron.current_state, neuron.voltage_state)),
            np.float32(threshold * scale), np.float32(threshold), np.float32(tau), np.float32(scale), _flat(spikes),
            _flat(exponent), *(_flat(last) for last in (last_u, last_v)))
        ctx.save_for_backward(exponent)
        ctx.tau, ctx.height = tau, neuron.scale_rho * SCALE_RHO_MULT
        ctx.decays = [1 - slayer.utils.quantize(d.detach()) / DECAY_UNITY
                      for d in (neuron.current_decay, neuron.voltage_decay)]
        ctx.mark_non_differentiable(last_u, last_v)
        return spikes, last_u, last_v

    @staticmethod
    def backward(ctx: Any, grad_spikes: Tensor, *_: Tensor) -> tuple[Tensor, None]:
        (exponent,) = ctx.saved_tensors
        # SLAYER's derivative, scale / 2 / tau * exp(-|v - threshold| / tau), in its order of float32 operations;
        # the exponential itself must be torch's: another library's may differ in the last bit.
        tau, height = torch.tensor(ctx.tau), torch.tensor(ctx.height)
        grad = exponent.exp()  # the slope; every tile is read before the gradient takes its place
        share_threads()
        height_over_tau = np.float32((height / 2 / tau).item())
        slayer_kernel.respond_backward(_flat(grad_spikes), grad.shape[-1], _flat(grad), height_over_tau,
                                       *(np.float32(d.item()) for d in ctx.decays), _flat(grad))
        return grad, None


def integrate_torch(x: Tensor, decay: Tensor, state: Tensor, threshold: float, scale: int) -> Tensor:
    """The forward of SLAYER's leaky integrator by torch operations on any device: (N, C, ..., T) -> same.

    Parameters
    ----------
    x : float32 tensor (N, C, ..., T)
    decay : tensor, integer-valued in 0..4096, one or per channel
    state : float32 tensor (N, C, ...)
    threshold : float
        Negative: no reset.
    scale : int
        Integer units per 1.0.
    """
    keep = DECAY_UNITY - decay.detach().to(torch.int64)
    y = (state * scale).to(torch.int64)
    out = torch.empty_like(x)
    for n in range(x.shape[-1]):
        product = y * keep
        y = product.sign() * (product.abs() >> 12) + (scale * x[..., n]).to(torch.int64)
        out[..., n] = y / scale
        if threshold > 0:
            y = y * (y < threshold * scale)
    return out


def _flat(tensor: Tensor) -> np.ndarray:
    """The tensor's numbers in order; no copy when it is contiguous."""
    return tensor.detach().contiguous().reshape(-1).numpy()


def _per_neuron(decay: Tensor, state: Tensor) -> np.ndarray:
    """One value for all neurons, or one for each of a sample's, broadcast as torch does over (C, ...)."""
    decay = decay.detach()
    if decay.numel() > 1:
        decay = decay.expand(state.shape[1:]).reshape(-1)
    return decay.numpy()
