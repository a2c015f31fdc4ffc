"""2s-AGCN, Shift-GCN and MS-G3D: their operations against loops over the published equations, and their sizes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from mksgn.errors import ConfigError
from mksgn.skeleton import NTU25, body_of, spatial_partitions
from mksgn.teachers.agcn import AGCN, AdaptiveMixing
from mksgn.teachers.msg3d import MSG3D, ScaleMixing, ScaleTemporal, WindowPath, scales
from mksgn.teachers.shiftgcn import FrameShift, JointShift, ShiftGCN, ShiftMixing

CHAIN = body_of([(0, 1), (1, 2), (2, 3)], 4)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def apply_1x1(conv: torch.nn.Conv2d, x: np.ndarray) -> np.ndarray:
    """A 1 x 1 convolution on (C, ...) in numpy."""
    weight = conv.weight.detach().numpy()[:, :, 0, 0]
    assert conv.bias is not None
    return np.einsum("oc,c...->o...", weight, x) + conv.bias.detach().numpy().reshape(-1, *[1] * (x.ndim - 1))


def test_adaptive_mixing_is_the_published_equation():
    """y = sum over k of W_k (A_k + B_k + C_k) x, with C a softmax over the source joints, sample by sample."""
    mix = AdaptiveMixing(3, 8, spatial_partitions(CHAIN))
    with torch.no_grad():
        mix.offset.normal_()
    x = torch.randn(2, 3, 4, 5)
    with torch.no_grad():
        ours = mix(x).numpy()
    width = 2
    for n in range(2):
        embedded = apply_1x1(mix.embed, x[n].numpy())
        expected = np.zeros((8, 4, 5))
        for k in range(3):
            theta, phi = embedded[k * width : (k + 1) * width], embedded[(3 + k) * width : (4 + k) * width]
            topology = np.zeros((4, 4))
            for u in range(4):
                scores = np.array([(theta[:, v] * phi[:, u]).sum() / (width * 5) for v in range(4)])
                topology[u] = np.exp(scores) / np.exp(scores).sum()
            topology += (mix.adjacency[k] + mix.offset[k]).detach().numpy()
            mixed = np.einsum("uv,cvf->cuf", topology, x[n].numpy())
            expected += apply_1x1(mix.value[k], mixed)
        np.testing.assert_allclose(ours[n], expected, rtol=1e-4, atol=1e-5)


def test_joint_shift_moves_channel_c_by_c_joints_and_back():
    x = torch.randn(2, 6, 4, 3)
    shifted = JointShift(6, 4, 1)(x)
    for c, v in itertools.product(range(6), range(4)):
        assert torch.equal(shifted[:, c, v], x[:, c, (v + c) % 4])
    assert torch.equal(JointShift(6, 4, -1)(shifted), x)


def test_shift_mixing_masks_every_channel_of_every_joint():
    mix = ShiftMixing(2, 2, 4).eval()
    with torch.no_grad():
        mix.point.weight.copy_(torch.eye(2).view(2, 2, 1, 1))
        mix.mask[1, 2] = -20.0  # tanh + 1 = 0
    x = torch.rand(1, 2, 4, 3) + 1
    y = mix(x)
    # Channel 1 is read from joint 3 into place 2, masked there, and shifted back to joint 3.
    silent = {(c, v) for c, v in itertools.product(range(2), range(4)) if float(y[0, c, v].detach().abs().max()) < 1e-5}
    assert silent == {(1, 3)}


@pytest.mark.parametrize("stride,offsets", [(1, (0.0, 0.25, -1.5, 3.75)), (2, (0.0, 0.25, -1.5, -20.0))])
def test_frame_shift_interpolates_with_zeros_outside(stride, offsets):
    shift = FrameShift(4, stride)
    with torch.no_grad():
        shift.offset.copy_(torch.tensor(offsets))
    x = torch.randn(2, 4, 3, 6)
    y = shift(x)
    assert y.shape == (2, 4, 3, 6 // stride)
    frames = np.arange(6)
    for c, f in itertools.product(range(4), range(6 // stride)):
        position = f * stride + offsets[c] + (0.5 if stride > 1 else 0.0)
        weight = np.clip(1 - np.abs(frames - position), 0, None)
        expected = x[:, c].numpy() @ weight
        np.testing.assert_allclose(y[:, c, :, f].detach().numpy(), expected, atol=1e-5)
    y.sum().backward()
    assert shift.offset.grad is not None and float(shift.offset.grad[1].abs()) > 0


def hops(body) -> np.ndarray:
    """All-pairs distances by relaxation (Floyd-Warshall)."""
    distance = np.where(body.adjacency(), 1.0, np.inf)
    np.fill_diagonal(distance, 0)
    for middle in range(len(distance)):
        distance = np.minimum(distance, distance[:, [middle]] + distance[[middle]])
    return distance


@pytest.mark.parametrize("window", [1, 3])
def test_scales_link_what_is_exactly_k_hops_apart(window):
    """In a window the other frames of a joint are one hop away, and those of a neighbour too."""
    distance = np.tile(hops(NTU25), (window, window))
    np.fill_diagonal(other := distance.copy(), 0)
    other[(other == 0) & ~np.eye(len(other), dtype=bool)] = 1
    found = scales(NTU25, 5, window)
    for k in range(5):
        linked = (other == k) | np.eye(len(other), dtype=bool)
        degrees = linked.sum(1)
        np.testing.assert_allclose(found[k], linked / np.sqrt(degrees[:, None] * degrees[None, :]), rtol=1e-5)


def test_scale_mixing_is_the_published_equation():
    adjacency = scales(CHAIN, 3)
    mix = ScaleMixing(2, 5, adjacency).eval()
    with torch.no_grad():
        mix.offset.normal_()
    x = torch.randn(2, 2, 4, 3)
    topology = adjacency + mix.offset.detach().numpy()
    mixed = np.concatenate([np.einsum("uv,ncvf->ncuf", matrix, x.numpy()) for matrix in topology], axis=1)
    expected = np.stack([apply_1x1(mix.point, sample) for sample in mixed]) / np.sqrt(1 + mix.norm.eps)
    np.testing.assert_allclose(mix(x).detach().numpy(), np.maximum(expected, 0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_windows_are_centred_and_padded(stride):
    """With everything but the collapse taken out, frame f' of a window path sees frames f' stride - 1 .. + 1."""
    path = WindowPath(1, 1, 1, CHAIN, 3, stride, 1).eval()
    with torch.no_grad():
        path.mix.offset.zero_()
        path.mix.point.weight.fill_(1.0)
        path.mix.point.bias.zero_()
        path.collapse.weight.copy_(torch.tensor([1.0, 10.0, 100.0]).view(1, 1, 3, 1, 1))
        path.collapse.bias.zero_()
    x = torch.rand(1, 1, 4, 6)
    padded = np.pad(x[0, 0].numpy(), ((0, 0), (1, 1)))
    y = path(x)[0, 0].detach().numpy() * (1 + 1e-5)  # two batch norms, each over sqrt(1 + eps)
    for v, f in itertools.product(range(4), range(6 // stride)):
        assert y[v, f] == pytest.approx(padded[v, f * stride : f * stride + 3] @ [1, 10, 100], rel=1e-4)


def test_temporal_branches_are_dilated_pooled_and_plain():
    module = ScaleTemporal(6, 6, last=False).eval()
    with torch.no_grad():
        for conv in (module.reduce, module.point, *module.dilated):
            conv.weight.fill_(1.0)
            conv.bias.zero_()
        module.shortcut = torch.nn.Identity()
    x = torch.zeros(1, 6, 1, 11)
    x[0, 0, 0, 5] = 1.0
    reach = [set(np.flatnonzero(row.numpy() > 0.5)) for row in (module(x) - x)[0, :, 0].detach()]
    assert reach == [{4, 5, 6}, {3, 5, 7}, {2, 5, 8}, {1, 5, 9}, {4, 5, 6}, {5}]


@pytest.mark.parametrize("network,published_m", [(AGCN, 3.47), (ShiftGCN, 0.69), (MSG3D, 3.19)])
def test_sizes_are_the_published_ones(network, published_m):
    """Per stream, NTU-RGB+D 60: 2s-AGCN's 6.94 M is two; Shift-GCN; MS-G3D's "3.2 M"."""
    net = network(NTU25, 60, persons=2)
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(published_m, abs=0.005)


@pytest.mark.parametrize("network,width", [(AGCN, 4), (ShiftGCN, 4), (MSG3D, 6)])
def test_every_parameter_learns(network, width):
    net = network(CHAIN, 5, persons=2, base_channels=width)
    out = net(torch.randn(3, 3, 8, 4, 2))
    assert out.logits.shape == (3, 5)
    assert out.features[-1].shape == (6, 4 * width, 2, 4)
    torch.nn.functional.cross_entropy(out.logits, torch.tensor([0, 1, 2])).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize("network,width", [(AGCN, 6), (ShiftGCN, 0), (MSG3D, 8)])
def test_impossible_widths_are_refused(network, width):
    with pytest.raises(ConfigError, match=str(width)):
        network(CHAIN, 5, base_channels=width)
