"""The CUBA neuron of :mod:`mksgn.ir.graph`, batched and exact, stepping through time.

It does what Lava's ``AbstractPyLifModelFixed`` does with 32- and 64-bit integers: u is wrapped once
at +-2^23 (once: a larger excess stays), v is clipped to +-(2^23 - 1), decays round toward zero, the
spike condition is v > 64 vth, and v is what remains after reset. Values are kept in the smallest
floating-point type that holds all of them exactly; every step below is exact in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from mksgn.emulator.exact import FLOAT32_EXACT
from mksgn.errors import DataError
from mksgn.ir import Population
from mksgn.ir.bounds import INPUT_LIMIT
from mksgn.ir.graph import DECAY_UNITY, STATE_MAX, STATE_SHIFT

_SCALE = 1 << STATE_SHIFT
_INT32 = 1 << 31
_TILE = 1 << 17
"""Neurons that a thread steps at once: their states stay in its core's cache over all steps."""


@dataclass
class Trace:
    """What :meth:`Membrane.run` returns; tensors (T, N, F, V, C), or None where not asked for.

    ``final_v`` is (N, F, V, C): v after the last step. ``active`` is int64 (N,): updates that changed
    something (:class:`mksgn.counts.Counts`).
    """

    spikes: torch.Tensor | None
    u: torch.Tensor | None
    v: torch.Tensor | None
    final_v: torch.Tensor | None
    active: torch.Tensor


class Membrane:
    """The neurons of one population.

    Parameters
    ----------
    population : Population
    bound : int
        Bound of the absolute summed synaptic input.
    device : torch.device
    """

    def __init__(self, population: Population, bound: int, device: torch.device):
        neuron = population.neuron
        assert neuron is not None
        self.population = population
        self.bound = bound
        self.device = device
        self.keep_u = DECAY_UNITY - neuron.current_decay
        self.keep_v = DECAY_UNITY - neuron.voltage_decay
        self.threshold = neuron.vth * _SCALE
        self.readout = population.role == "readout"
        limited = min(bound, INPUT_LIMIT)
        u_bound = _steady(limited * _SCALE, self.keep_u)
        self.wraps = u_bound >= STATE_MAX
        # A current that hardly decays adds up enormous inputs: it wraps once a step, and may still leave 32 bits.
        self.overflows = self.wraps and self.keep_u > 0 and u_bound >= _INT32
        self.dtype = torch.float32 if self._float32_is_exact(limited, u_bound) else torch.float64
        bias_bound = 0
        self.bias: torch.Tensor | None = None
        if population.bias is not None and population.bias.any():
            bias = population.bias.astype(np.int64)
            bias_bound = _SCALE * int(np.abs(bias).max())
            # (C,) lies along the last axis already; (C, F, V) goes to (F, V, C).
            bias = bias if bias.ndim == 1 else bias.transpose(1, 2, 0)
            self.bias = torch.as_tensor(np.ascontiguousarray(bias) * _SCALE, device=device).to(self.dtype)
        self.clips = self.wraps or _steady(u_bound + bias_bound, self.keep_v) >= STATE_MAX

    def _float32_is_exact(self, limited: int, u_bound: int) -> bool:
        # v: the decay's product must be exact for all |v| < 2^23. The sum d + u + 64 bias may pass 2^24,
        # where float32 rounds, only when it is then clipped to 2^23 - 1 anyway (64 |bias| <= 2^18).
        if STATE_MAX * _odd_part(self.keep_v) > FLOAT32_EXACT:
            return False
        if self.keep_u == 0:
            return limited < FLOAT32_EXACT  # u is a multiple of 64: exact up to 2^30
        return not self.wraps and u_bound * _odd_part(self.keep_u) <= FLOAT32_EXACT

    def run(self, a: torch.Tensor, steps: int, states: bool, resets: frozenset[int] = frozenset(),
            rests: frozenset[int] = frozenset()) -> Trace:
        """Integrate ``steps`` steps from rest.

        Parameters
        ----------
        a : tensor (T, N, F, V, C) or (1, N, F, V, C)
            Summed synaptic input of every step, or one that is the same at all steps.
        steps : int
            T.
        states : bool
            Whether to return u and v of every step.
        resets : set of int
            Steps (from 0) before which u and v are set to 0.
        rests : set of int
            Steps at which the neurons do nothing: u and v stay, nothing is sent.

        Raises
        ------
        DataError
            When synaptic input or a current overflows Lava's 32-bit arithmetic, or a readout reaches its threshold.
        """
        if self.bound >= INPUT_LIMIT and float(a.abs().max()) >= INPUT_LIMIT:
            raise DataError("synaptic input overflows", where=f"population {self.population.name!r}",
                            got=str(int(a.abs().max())), allowed=f"below {INPUT_LIMIT}",
                            fix="use smaller messages, smaller weights or fewer inputs")
        shape = (steps, *a.shape[1:])
        spikes = None if self.readout else a.new_empty(shape, dtype=torch.float32)
        u = a.new_empty(shape, dtype=torch.int32) if states else None
        v = a.new_empty(shape, dtype=torch.int32) if states else None
        final_v = a.new_empty(shape[1:], dtype=self.dtype)
        samples = a.shape[1]
        trace = Trace(spikes, u, v, final_v, a.new_zeros(samples, dtype=torch.int64))
        tile = max(1, _TILE * torch.get_num_threads() // max(1, a[0, :1].numel()))
        for start in range(0, samples, tile):
            part = slice(start, min(start + tile, samples))
            self._integrate(a, part, (resets, rests), trace, steps)
        return trace

    def _integrate(self, a: torch.Tensor, part: slice, interruptions: tuple[frozenset[int], frozenset[int]], out: Trace,
                   steps: int) -> None:
        assert out.final_v is not None
        v = out.final_v[part].zero_()
        # A LIF neuron's u is its input: nothing to keep unless it wraps or is asked for.
        memoryless = self.keep_u == 0 and not self.wraps and out.u is None
        u = v if memoryless else torch.zeros_like(v)
        for step in range(steps):
            resets, rests = interruptions
            if step in resets:
                u.zero_()
                v.zero_()
            if step in rests:
                if out.spikes is not None:
                    out.spikes[step, part] = 0
                if out.u is not None and out.v is not None:
                    out.u[step, part], out.v[step, part] = u, v
                continue
            drive = a[step if a.shape[0] > 1 else 0, part].to(self.dtype)
            v_before, u_before = v.clone(), None if self.keep_u == 0 else u.clone()
            _decay(v, self.keep_v)
            if memoryless:
                v.add_(drive, alpha=_SCALE)
            else:
                _decay(u, self.keep_u)
                u.add_(drive, alpha=_SCALE)
                if self.wraps:
                    _wrap_once(u)
                if self.overflows and float(u.abs().max()) >= _INT32:
                    raise DataError("a synaptic current overflows Lava's 32 bits",
                                    where=f"population {self.population.name!r}, step {step}",
                                    got=str(int(u.abs().max())), allowed=f"below {_INT32}",
                                    fix="use smaller weights or messages, or a current that decays")
                v.add_(u)
            if self.bias is not None:
                v.add_(self.bias)
            if self.clips:
                v.clamp_(1 - STATE_MAX, STATE_MAX - 1)
            changed = v != v_before
            if u_before is not None:
                changed |= u != u_before
            if out.spikes is not None:
                changed |= v > self.threshold
                spike = torch.gt(v, self.threshold, out=out.spikes[step, part])
                v.addcmul_(v, spike.to(self.dtype), value=-1)
            elif bool((v > self.threshold).any()) or (self.clips and bool((v == 1 - STATE_MAX).any())):
                # On the chip this readout would spike, or lose what it cannot hold.
                raise DataError("a readout left its range", where=f"population {self.population.name!r}, step {step}",
                                got=str(int(v.abs().max()) // _SCALE), allowed=f"up to {self.threshold // _SCALE}",
                                fix="export with smaller readout weights")
            out.active[part] += changed.flatten(1).sum(dim=1)
            if out.u is not None and out.v is not None:
                out.u[step, part] = u
                out.v[step, part] = v


def _decay(state: torch.Tensor, keep: int) -> None:
    """state = trunc(state keep / 4096), in place."""
    if keep == 0:
        state.zero_()
    elif keep != DECAY_UNITY:
        state.mul_(keep / DECAY_UNITY).trunc_()


def _wrap_once(u: torch.Tensor) -> None:
    """Lava's wrap of u: beyond 2^23 minus 2^24, at or below -2^23 plus 2^24; once."""
    u.copy_(torch.where(u > STATE_MAX, u - 2 * STATE_MAX, torch.where(u <= -STATE_MAX, u + 2 * STATE_MAX, u)))


def _odd_part(value: int) -> int:
    """``value`` without its factors of two: what a product adds to the significand."""
    return value // (value & -value) if value else 0


def _steady(added: int, keep: int) -> int:
    """Bound of a state that keeps keep/4096 and gains at most ``added`` each step, for ever."""
    if added == 0:
        return 0
    return 1 << 62 if keep == DECAY_UNITY else -(-added * DECAY_UNITY // (DECAY_UNITY - keep))
