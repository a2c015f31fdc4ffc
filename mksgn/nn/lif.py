"""The LIF neuron (paper Eq. 1-2): its surrogate gradient, SLAYER's neuron with what the paper needs, and its equations.

The paper prints the membrane's differential equation and a step of it with its reset,

.. math::
    \\tau_m \\frac{dV}{dt} = -(V - V_{rest}) + R\\, I(t)  \\qquad (1) \\\\
    V(t + \\Delta t) = V_{reset} \\;\\text{if}\\; V(t) \\ge V_{th}, \\;\\text{else}\\;
    V(t) + \\frac{-(V(t) - V_{rest}) + I(t)}{\\tau_m} \\Delta t  \\qquad (2)

Here V_rest = V_reset = 0, a step keeps the part tau = 0.25 of V (Table 4), and V_th = 1 (Table 4). The factor of I(t)
belongs to the weights, which training finds. A neuron fires strictly above its threshold, as the chip's does.
:func:`leaky_integrate_and_fire` has these equations, one line each; :mod:`mksgn.nn.cuba` computes the same in one pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mksgn.nn.lava_dl import slayer


@dataclass(frozen=True, kw_only=True)
class Surrogate:
    """Rectangular surrogate gradient (paper Table 4): ds/dv = height where |v - V_th| < width / 2.

    Parameters
    ----------
    width, height : float
        In units of the threshold. The paper's is width a = 1, height 1 / a = 1.
    """

    width: float = 1.0
    height: float = 1.0


class CubaNeuron(slayer.neuron.cuba.Neuron):
    r"""``slayer.neuron.cuba.Neuron`` with bias, hard reset and the rectangular surrogate.

    .. math::
        u_t &= (1 - d_u)\, u_{t-1} + z_t \\
        v_t &= (1 - d_v)\, v_{t-1}(1 - s_{t-1}) + u_t + b \\
        s_t &= v_t > V_{th}

    The threshold is 1.0 (paper Table 4), the fraction of v kept per step is tau = 0.25, so
    ``voltage_decay`` = 0.75, and ``current_decay`` = 1 makes the CUBA neuron a LIF. SLAYER's own
    ``forward`` (its integer loop, without bias) stays available as ``dynamics``/``spike``; it is
    the reference our forward is tested against.

    Parameters
    ----------
    threshold : float
    current_decay, voltage_decay : float
        Fractions lost per step; stored by SLAYER as 12-bit integers.
    scale : int
        Weight units per 1.0, the threshold mantissa being ``threshold * scale``; once quantised any integer.
    surrogate : Surrogate
    carried : bool
        u and v are carried from one frame to the next, and not from one time step to the next: there is one step.
        Equations above then hold with frames for t.

    Attributes
    ----------
    units : int
        ``scale``.
    w_scale : int
        The smallest power of two that is not below ``units``. SLAYER counts in fractions of it, all of which float32
        holds: where the neuron is quantised, its weights, bias, states and threshold are integers over ``w_scale``.
    gain : float
        ``units / w_scale``, in (0.5, 1]: what multiplies weights, bias and threshold when they are quantised. A neuron
        spikes as before when all three of them are multiplied by one number.
    """

    def __init__(self, *, threshold: float = 1.0, current_decay: float = 1.0, voltage_decay: float = 0.75,
                 scale: int = 64, surrogate: Surrogate | None = None, carried: bool = False) -> None:
        super().__init__(threshold=threshold, current_decay=current_decay, voltage_decay=voltage_decay, scale=scale)
        self.carried = carried
        self.surrogate = surrogate or Surrogate()
        self._kept: tuple[tuple, tuple[float, float]] = ((), (0.0, 0.0))
        self.rescale(scale)

    def quantize_8bit(self, weight: Tensor, descale: bool = False) -> Tensor:
        """SLAYER's even integers over ``w_scale``, [-256, 254] less -256, which an inhibitory synapse cannot hold."""
        limit = 254 if descale else 254 / self.w_scale
        return super().quantize_8bit(weight * self.gain, descale).clamp(min=-limit)

    def rescale(self, scale: int) -> None:
        """Change the number of weight units per 1.0 (before export, when weights are known).

        SLAYER spikes at v >= V_th + 0.01 / s_scale. In float32 that epsilon vanishes for scales
        above 2048 and the neuron fires *at* the threshold, which Lava and Loihi do not. Half a
        state unit means the same for integers and survives rounding.
        """
        self.units = int(scale)
        self.w_scale = 1 << (self.units - 1).bit_length()
        self.gain = self.units / self.w_scale
        self.s_scale = self.w_scale << 6
        self.threshold_eps = 0.5 / self.s_scale

    @property
    def base_threshold(self) -> float:
        """The threshold that the network was built with, 1.0 for one."""
        return float(self._threshold)

    @property
    def threshold(self) -> float:
        """The threshold that states are compared with: ``base_threshold`` times the gain."""
        return self.base_threshold * self.gain

    @property
    def keep_u(self) -> float:
        """Fraction of u kept per step, a multiple of 1/4096."""
        return self._keeps()[0]

    @property
    def keep_v(self) -> float:
        """Fraction of v kept per step, a multiple of 1/4096."""
        return self._keeps()[1]

    def _keeps(self) -> tuple[float, float]:
        """Both, read from SLAYER's tensors again only where these have changed: that takes ten operations."""
        decays = (self.current_decay, self.voltage_decay)
        state = tuple((id(decay), decay._version) for decay in decays)
        if self._kept[0] != state:
            self._kept = state, (1.0 - float(self.cx_current_decay) / self.p_scale,
                                 1.0 - float(self.cx_voltage_decay) / self.p_scale)
        return self._kept[1]

    def dynamics_with_bias(self, current: Tensor, bias: Tensor) -> Tensor:
        """SLAYER's integer dynamics, with ``bias`` (broadcastable) added where SLAYER says it can be.

        (N, C, F, V, T) synaptic input -> voltage before reset, same shape.
        """
        integrate = slayer.neuron.dynamics.leaky_integrator.dynamics
        if self.carried:  # SLAYER's states go along the last axis, and there is one time step
            current = current.transpose(2, 4).contiguous()
        state = torch.zeros(current.shape[:-1], device=current.device)
        u = integrate(current, slayer.utils.quantize(self.current_decay), state, self.s_scale)
        v = integrate(u + bias, slayer.utils.quantize(self.voltage_decay), state, self.s_scale,
                      self.threshold + self.threshold_eps)
        return v.transpose(2, 4) if self.carried else v


def leaky_integrate_and_fire(x: Tensor, extra: Tensor | None, scale: Tensor, shift: Tensor, neuron: CubaNeuron,
                             steps: int, quantized: bool) -> Tensor:
    r"""LIF (Eq. 1-2) over T steps: differentiable torch operations on any device, one line per equation.

    .. math::
        u_t &= (1 - d_u)\, u_{t-1} + z_t \\
        v_t &= (1 - d_v)\, v_{t-1} (1 - s_{t-1}) + u_t + b \\
        s_t &= v_t > V_{th}

    d_u = 1 makes u the input itself, as in Eq. 2. On a CPU :func:`mksgn.nn.cuba.fused_cuba` is much faster.

    Parameters
    ----------
    x, extra : (N T, C, F, V) float tensors
        Dendritic input before the affine map, and input that bypasses it (residual).
    scale, shift : (C,) float32 tensors
        The affine map (folded batch norm); ``shift`` enters v, as a bias does on the chip.
    neuron : CubaNeuron
    steps : int
        T; 1 where states are carried from frame to frame.
    quantized : bool
        Integer states: everything is rounded to 1 / s_scale and decays truncate toward zero.

    Returns
    -------
    (N T, C, F, V) tensor of 0 and 1, dtype of x
    """
    dtype = torch.float64 if quantized else torch.float32
    unit = float(neuron.s_scale) if quantized else 1.0
    z = x.to(dtype) * scale.to(dtype).reshape(1, -1, 1, 1)
    if extra is not None:
        z = z + extra.to(dtype)
    z = z.movedim(2, 1).unsqueeze(3) if neuron.carried else z.unflatten(0, (-1, steps))
    bias = shift.to(dtype).reshape(1, -1, 1, 1)
    threshold = neuron.threshold
    u = v = torch.zeros_like(z[:, 0])
    spikes = []
    for t in range(z.shape[1]):
        if quantized:
            u = _trunc(u * neuron.keep_u, unit) + _round(z[:, t], unit)
            v = _trunc(v * neuron.keep_v, unit) + u + _round(bias, unit)
        else:
            u = u * neuron.keep_u + z[:, t]
            v = v * neuron.keep_v + u + bias
        spike = _Rectangle.apply(v - threshold, neuron.surrogate.width * neuron.gain,
                                 neuron.surrogate.height / neuron.gain)
        v = v * (1 - spike.detach())
        spikes.append(spike)
    train = torch.stack(spikes, dim=1)
    return (train.squeeze(3).movedim(1, 2) if neuron.carried else train.flatten(0, 1)).to(x.dtype)


def _trunc(value: Tensor, unit: float) -> Tensor:
    return value + (torch.trunc(value * unit) / unit - value).detach()


def _round(value: Tensor, unit: float) -> Tensor:
    return value + (torch.round(value * unit) / unit - value).detach()


class _Rectangle(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, distance: Tensor, width: float, height: float) -> Tensor:
        ctx.save_for_backward(distance)
        ctx.width, ctx.height = width, height
        return (distance > 0).to(distance.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (distance,) = ctx.saved_tensors
        return grad * (distance.abs() < ctx.width / 2) * ctx.height, None, None
