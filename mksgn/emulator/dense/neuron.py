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

from mksgn.emulator.dense.exact import FLOAT32_EXACT
from mksgn.emulator.ranges import SCALE, Ranges
from mksgn.ir.bounds import INPUT_LIMIT
from mksgn.ir.graph import DECAY_UNITY, STATE_MAX

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

    def side_by_side(self) -> Trace:
        """Frames that were steps, (F, N, 1, V, C), as those of one step: (1, N, F, V, C)."""
        spikes, u, v = (None if each is None else each.squeeze(2).movedim(0, 1).unsqueeze(0)
                        for each in (self.spikes, self.u, self.v))
        return Trace(spikes, u, v, None, self.active)


class Membrane:
    """The neurons of one population.

    Parameters
    ----------
    ranges : Ranges
    device : torch.device
    """

    def __init__(self, ranges: Ranges, device: torch.device):
        self.ranges, self.population, self.device = ranges, ranges.population, device
        neuron = self.population.neuron
        self.carried = neuron is not None and neuron.carried
        self.dtype = torch.float32 if _float32_is_exact(ranges) else torch.float64
        self.bias: torch.Tensor | None = None
        bias = ranges.population.bias
        if bias is not None and bias.any():
            # (C,) lies along the last axis already; (C, F, V) goes to (F, V, C).
            bias = (bias if bias.ndim == 1 else bias.transpose(1, 2, 0)).astype(np.int64)
            self.bias = torch.as_tensor(np.ascontiguousarray(bias) * SCALE, device=device).to(self.dtype)

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
        if self.ranges.bound >= INPUT_LIMIT:
            self.ranges.check_input(int(a.abs().max()))
        if self.carried:
            return self._run(a.squeeze(0).movedim(1, 0).unsqueeze(2), a.shape[2], states).side_by_side()
        return self._run(a, steps, states, resets, rests)

    def _run(self, a: torch.Tensor, steps: int, states: bool, resets: frozenset[int] = frozenset(),
             rests: frozenset[int] = frozenset()) -> Trace:
        """:meth:`run`, or its frames as steps: a tensor (F, N, 1, V, C)."""
        shape = (steps, *a.shape[1:])
        spikes = None if self.ranges.readout else a.new_empty(shape, dtype=torch.float32)
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
        memoryless = self.ranges.keep_u == 0 and not self.ranges.wraps and out.u is None
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
            v_before, u_before = v.clone(), None if self.ranges.keep_u == 0 else u.clone()
            _decay(v, self.ranges.keep_v)
            if memoryless:
                v.add_(drive, alpha=SCALE)
            else:
                _decay(u, self.ranges.keep_u)
                u.add_(drive, alpha=SCALE)
                if self.ranges.wraps:
                    _wrap_once(u)
                if self.ranges.overflows:
                    self.ranges.check_current(step, int(u.abs().max()))
                v.add_(u)
            if self.bias is not None:
                v.add_(self.bias[step] if self.carried and self.bias.ndim > 1 else self.bias)
            if self.ranges.clips:
                v.clamp_(1 - STATE_MAX, STATE_MAX - 1)
            changed = v != v_before
            if u_before is not None:
                changed |= u != u_before
            if out.spikes is not None:
                changed |= v > self.ranges.threshold
                spike = torch.gt(v, self.ranges.threshold, out=out.spikes[step, part])
                v.addcmul_(v, spike.to(self.dtype), value=-1)
            else:
                self.ranges.check_readout(step, int(v.max()), int(v.min()))
            out.active[part] += changed.flatten(1).sum(dim=1)
            if out.u is not None and out.v is not None:
                out.u[step, part] = u
                out.v[step, part] = v


def _float32_is_exact(ranges: Ranges) -> bool:
    # v: the decay's product must be exact for all |v| < 2^23. The sum d + u + 64 bias may pass 2^24,
    # where float32 rounds, only when it is then clipped to 2^23 - 1 anyway (64 |bias| <= 2^18).
    if STATE_MAX * _odd_part(ranges.keep_v) > FLOAT32_EXACT:
        return False
    if ranges.keep_u == 0:
        return ranges.limited < FLOAT32_EXACT  # u is a multiple of 64: exact up to 2^30
    return not ranges.wraps and ranges.u_bound * _odd_part(ranges.keep_u) <= FLOAT32_EXACT


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
