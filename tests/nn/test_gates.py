"""Gates and joint mixing of training: the compiled kernels against torch's own operations and their gradients."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mksgn.nn.gates import gate
from mksgn.nn.mixing import mixed

SHAPE = {"batch": st.integers(1, 6), "channels": st.integers(1, 19), "frames": st.integers(1, 7),
         "joints": st.integers(1, 9), "seed": st.integers(0, 2**31)}
DTYPES = st.sampled_from([torch.float32, torch.bfloat16])


def spikes(generator, shape, dtype):
    train = (torch.rand(shape, generator=generator) < 0.4).to(dtype)
    return train.contiguous(memory_format=torch.channels_last).requires_grad_(True)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(**SHAPE, dtype=DTYPES, kind=st.sampled_from(["and", "or"]), shared=st.sampled_from(["no", "joints", "tokens"]))
def test_gate_is_the_product_or_the_maximum(batch, channels, frames, joints, seed, dtype, kind, shared):
    generator = torch.Generator().manual_seed(seed)
    a = spikes(generator, (batch, channels, frames, joints), dtype)
    b = spikes(generator, (batch, channels, *{"no": (frames, joints), "joints": (frames, 1), "tokens": (1, 1)}[shared]),
               dtype)
    weight = torch.randint(-8, 9, a.shape, generator=generator).float() / 8  # sums of these are exact
    results = []
    for ours in (True, False):
        a.grad = b.grad = None
        if ours:
            out, count = gate(a, b, kind)
        else:
            out = (a * b if kind == "and" else a + b - a * b).float()
            count = out.sum()
        ((out.float() * weight).sum() + 0.5 * count).backward()
        results.append((out.detach().float(), count.detach(), a.grad.float(), b.grad.float()))
    for got, expected in zip(*results):
        torch.testing.assert_close(got, expected, rtol=1e-2 if dtype == torch.bfloat16 else 0, atol=0)


def test_gate_without_a_reader_still_counts():
    a, b = (spikes(torch.Generator().manual_seed(seed), (2, 3, 4, 5), torch.float32) for seed in (0, 1))
    _, count = gate(a, b, "and")
    count.backward()
    assert torch.equal(a.grad, b.detach())


def test_gate_refuses_trains_that_do_not_spread():
    a, b = (spikes(torch.Generator().manual_seed(0), shape, torch.float32) for shape in ((2, 3, 4, 5), (2, 3, 1, 5)))
    with pytest.raises(ValueError, match="does not spread"):
        gate(a, b, "or")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(**SHAPE, dtype=DTYPES, targets=st.integers(1, 6), partitions=st.integers(1, 3))
def test_mixed_is_the_product_of_matrices(batch, channels, frames, joints, seed, dtype, targets, partitions):
    generator = torch.Generator().manual_seed(seed)
    x = spikes(generator, (batch, channels, frames, joints), dtype)
    mixing = torch.randint(-4, 5, (partitions, targets, joints), generator=generator) / 4
    mixing *= torch.rand(mixing.shape, generator=generator) < 0.3
    weight = torch.randint(-8, 9, (batch, partitions * channels, frames, targets), generator=generator).float() / 8
    results = []
    for ours in (True, False):
        x.grad = None
        y = (mixed(x, mixing).float() if ours else
             torch.einsum("kvw,bcfw->bkcfv", mixing, x.float()).flatten(1, 2))
        (y * weight).sum().backward()
        results.append((y.detach(), x.grad.float()))
    for got, expected in zip(*results):
        torch.testing.assert_close(got, expected, rtol=1e-2 if dtype == torch.bfloat16 else 0, atol=0)
