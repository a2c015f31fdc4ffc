"""The paper's equations on the spikes of a small MK-SGN, in floating point: each written out as it is printed."""

from __future__ import annotations

import pytest
import torch
from lively_nets import samples_for
from network_of import network_of
from torch import Tensor
from torch.nn import functional

from mksgn.nn.lif import CubaNeuron, leaky_integrate_and_fire
from mksgn.nn.slayer_backend import calibrate
from mksgn.skeleton import UCLA20

KEPT, THRESHOLD, STEPS = 0.25, 1.0, 4
"""tau and V_th of Table 4, and T."""
NEAR = 1e-4
"""Voltages this close to the threshold may fall to either side of it in another order of additions."""


@pytest.fixture(scope="module")
def run():
    """Populations by name and their spikes (N T, C, F, V): layer 1 keeps the frames, layer 2 halves them."""
    torch.manual_seed(0)
    net = network_of(kind="mksgn", body=UCLA20, classes=5, frames=8, widths=(6, 8), strides=(1, 2), graph_conv="layer",
                     temporal_kernel=5, time_steps=STEPS, coder_width=6)
    samples = samples_for(net)
    calibrate(net, samples)
    with torch.no_grad():
        for population in net.populations:
            if population.norm is not None:
                population.norm.bias.add_(0.4)
        calibrate(net, samples)
        _, spikes = net.eval().forward_spikes(torch.from_numpy(samples))
    return dict(zip(net.names, net.populations)), spikes


def normalised(population, x: Tensor) -> Tensor:
    """BN with the statistics of training."""
    norm = population.norm
    return functional.batch_norm(x.double(), norm.running_mean.double(), norm.running_var.double(),
                                 norm.weight.double(), norm.bias.double(), eps=norm.eps)


def assert_fires(spikes: Tensor, z: Tensor) -> None:
    """``spikes`` are SN(z): v = tau v + z, a spike above V_th, then 0 (Eq. 2 with R I = z tau_m / dt)."""
    v = torch.zeros_like(z.unflatten(0, (-1, STEPS))[:, 0])
    fired = spikes.double().unflatten(0, (-1, STEPS))
    for t, current in enumerate(z.unflatten(0, (-1, STEPS)).unbind(1)):
        v = KEPT * v + current
        clear = (v - THRESHOLD).abs() > NEAR
        assert torch.equal((v > THRESHOLD)[clear], fired[:, t].bool()[clear]) and bool(clear.double().mean() > 0.99)
        v = v * (1 - fired[:, t])
    assert 0.01 < float(spikes.double().mean()) < 0.99, "a comparison of silent populations proves nothing"


def test_lif_is_eq_1_and_2():
    """Euler steps of Eq. 1 with V_rest = 0, R = tau_m / dt and dt / tau_m = 0.75, which Eq. 2 writes out."""
    neuron, rate = CubaNeuron(), 0.75
    inputs = [0.5, 0.9, 0.2, 1.4, 0.3, 0.99, 0.99, 0.99]
    v, expected = 0.0, []
    for current in inputs:
        v = v + (-v + current / rate) * rate
        expected.append(float(v > THRESHOLD))
        v = 0.0 if v > THRESHOLD else v
    x = torch.tensor(inputs).reshape(-1, 1, 1, 1)
    spikes = leaky_integrate_and_fire(x, None, torch.ones(1), torch.zeros(1), neuron, len(inputs), quantized=False)
    assert spikes.flatten().tolist() == expected and 0 < sum(expected) < len(expected)


def test_sgc_is_eq_6_and_7(run):
    """SN(P) is P where the width stays; SN(H W) sums the joint itself and its neighbours, each with its weights."""
    populations, spikes = run
    lif2 = populations["block1.lif2"]
    p = spikes["sc"].double()
    h = spikes["block1.mix"].double()
    own, mixed = (projection.weight(None).double().flatten(2).squeeze(-1) for projection in lif2.projections)
    z = torch.einsum("oc,ncfv->nofv", own, p) + torch.einsum("oc,ncfv->nofv", mixed, h)
    assert_fires(spikes["block1.lif2"], normalised(lif2, z))


def test_sg_sa_is_eq_8_to_10(run):
    """Q, K, V are SN(BN(W x)); kv counts the joints at which K and V fire; Q lets it through."""
    populations, spikes = run
    x = torch.maximum(spikes["block2.lif1"], spikes["block2.lif2"])
    assert torch.equal(spikes["block2.sgsa.x"], x)
    for name in ("q", "k", "v"):
        population = populations[f"block2.sgsa.{name}"]
        weight = population.projections[0].weight(None).double().flatten(2).squeeze(-1)
        z = torch.einsum("oc,ncfv->nofv", weight, x.double())
        assert_fires(spikes[f"block2.sgsa.{name}"], normalised(population, z))
    both = spikes["block2.sgsa.k"] * spikes["block2.sgsa.v"]
    kv = populations["block2.sgsa.kv"]
    assert torch.equal(spikes["block2.sgsa.k_and_v"], both)
    summed = kv.projections[0].drive(spikes, None).double()
    joints = both.double().sum(3, keepdim=True)
    assert torch.allclose(summed / summed.max(), joints / joints.max(), atol=1e-6), "one weight for every joint"
    assert_fires(spikes["block2.sgsa.kv"], normalised(kv, summed))
    assert torch.equal(spikes["block2.sgsa.out"], spikes["block2.sgsa.q"] * spikes["block2.sgsa.kv"])


@pytest.mark.parametrize(("layer", "stride"), [(1, 1), (2, 2)])
def test_stc_is_eq_11_to_13(run, layer, stride):
    """SN(BN(Con2d(H_SA)) + SN(H_SA)); the residual is H_SA itself, or a strided LIF where frames are halved."""
    populations, spikes = run
    name = f"block{layer}"
    terms = ("sc" if layer == 1 else f"{name}.lif1", f"{name}.lif2", f"{name}.sgsa.out")
    h_sa = sum(spikes[term].double() for term in terms)
    stc = populations[f"{name}.stc"]
    weight = stc.projections[0].weight(None).double().reshape(*stc.projections[0].synapse.weight.shape[:4])
    z = normalised(stc, functional.conv2d(h_sa, weight, stride=(stride, 1), padding=(2, 0)))
    residual = h_sa if stride == 1 else spikes[f"{name}.res"].double()
    assert_fires(spikes[f"{name}.stc"], z + residual)
