"""CTR-GCN: the published function, its gradients, its names and its sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from published_weights import to_published
from shaken import CHAIN, shaken
from torch import Tensor
from torch.nn import functional as fn

from mksgn.skeleton import NTU25
from mksgn.teachers import CTRGCN, STGCN
from mksgn.teachers.checkpoints import from_published, published_names
from mksgn.teachers.stack import LAYERS
from mksgn.teachers.weights import trained_parameters


def conv(state: dict[str, Tensor], name: str, x: Tensor, **options) -> Tensor:
    return fn.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], **options)


def norm(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return fn.batch_norm(x, state[f"{name}.running_mean"], state[f"{name}.running_var"], state[f"{name}.weight"],
                         state[f"{name}.bias"])


def reference_graph(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    """Eq. 3-8 with a loop over target joints; x is (N, C, F, V)."""
    total = torch.zeros(())
    for k, topology in enumerate(state[f"{name}.PA"]):
        unit = f"{name}.convs.{k}"
        left, right = (conv(state, f"{unit}.{c}", x).mean(2) for c in ("conv1", "conv2"))
        value = conv(state, f"{unit}.conv3", x)
        columns = []
        for u in range(x.shape[3]):
            relation = torch.tanh(left[:, :, u, None] - right)[:, :, None, :]
            weights = conv(state, f"{unit}.conv4", relation) * state[f"{name}.alpha"] + topology[u]
            columns.append((weights * value).sum(3))
        total = total + torch.stack(columns, 3)
    down = norm(state, f"{name}.down.1", conv(state, f"{name}.down.0", x)) if f"{name}.down.0.weight" in state else x
    return torch.relu(norm(state, f"{name}.bn", total) + down)


def reference_temporal(state: dict[str, Tensor], name: str, x: Tensor, stride: int) -> Tensor:
    parts = []
    for branch in range(3):
        y = torch.relu(norm(state, f"{name}.{branch}.1", conv(state, f"{name}.{branch}.0", x)))
        if branch < 2:
            y = conv(state, f"{name}.{branch}.3.conv", y, stride=(stride, 1), dilation=(branch + 1, 1),
                     padding=(2 * (branch + 1), 0))
            parts.append(norm(state, f"{name}.{branch}.3.bn", y))
        else:
            parts.append(norm(state, f"{name}.2.4", fn.max_pool2d(y, (3, 1), (stride, 1), (1, 0))))
    parts.append(norm(state, f"{name}.3.1", conv(state, f"{name}.3.0", x, stride=(stride, 1))))
    return torch.cat(parts, 1)


def reference(state: dict[str, Tensor], x: Tensor) -> Tensor:
    samples, channels, frames, joints, persons = x.shape
    flat = x.permute(0, 4, 3, 1, 2).reshape(samples, -1, frames)
    x = norm(state, "data_bn", flat).view(samples * persons, joints, channels, frames).permute(0, 2, 3, 1)
    for number, (_, stride) in enumerate(LAYERS, 1):
        y = reference_temporal(state, f"l{number}.tcn1.branches", reference_graph(state, f"l{number}.gcn1", x), stride)
        residual = f"l{number}.residual"
        if f"{residual}.conv.weight" in state:
            y = y + norm(state, f"{residual}.bn", conv(state, f"{residual}.conv", x, stride=(stride, 1)))
        elif number > 1:
            y = y + x
        x = torch.relu(y)
    pooled = x.reshape(samples, persons, x.shape[1], -1).mean(3).mean(1)
    return pooled @ state["fc.weight"].T + state["fc.bias"]


@pytest.mark.parametrize("persons", [1, 2])
def test_ctrgcn_computes_the_published_function(persons):
    network = shaken(CTRGCN(CHAIN, 4, persons=persons, base_channels=8))
    x = torch.randn(3, 3, 12, 5, persons, generator=torch.Generator().manual_seed(2))
    expected = reference(to_published(network), x)
    assert expected.std() > 0.01
    torch.testing.assert_close(network(x).logits, expected, rtol=1e-4, atol=1e-5)


def test_every_parameter_of_ctrgcn_gets_the_references_gradient():
    network = shaken(CTRGCN(CHAIN, 4, base_channels=8))
    x = torch.randn(2, 3, 8, 5, 1, generator=torch.Generator().manual_seed(3))
    network(x).logits.square().sum().backward()
    state = {name: value.requires_grad_(not name.endswith(("running_mean", "running_var", "tracked")))
             for name, value in to_published(network).items()}
    reference(state, x).square().sum().backward()
    ours = from_published({k: v.detach() for k, v in state.items()}, CHAIN)
    with torch.no_grad():
        for parameter, trained in zip(ours.parameters(), network.parameters(), strict=True):
            assert trained.grad is not None
            parameter.copy_(trained.grad)
    gradients = to_published(ours)
    for name, value in state.items():
        if value.grad is not None:
            torch.testing.assert_close(gradients[name], value.grad, rtol=1e-3, atol=1e-4, msg=name)
    assert sum(value.grad is not None for value in state.values()) > 300


def test_sizes_are_the_published_ones():
    """CTR-GCN: 1.46 M, as its paper and MK-SGN's say (120 classes). ST-GCN as in its repository: 3.10 M; the MK-SGN
    paper prints 2.11 M."""
    assert round(trained_parameters(CTRGCN(NTU25, 120, persons=2)) / 1e6, 2) == 1.46
    ctr, st_gcn = CTRGCN(NTU25, 60, persons=2), STGCN(NTU25, 60, persons=2)
    assert round(trained_parameters(st_gcn) / 1e6, 2) == 3.10
    published = {n: s for n, s in published_names(ctr).items() if "running" not in n and "tracked" not in n}
    assert trained_parameters(ctr) == sum(int(np.prod(shape)) for shape in published.values())


def test_published_names_are_those_of_the_repository():
    """Written down from model/ctrgcn.py: layer 1 changes width only, 2 nothing, 5 width and frames."""
    names = published_names(CTRGCN(NTU25, 60, persons=2))
    assert names["data_bn.weight"] == (150,) and names["fc.weight"] == (60, 256)
    assert names["l1.gcn1.PA"] == (3, 25, 25) and names["l1.gcn1.alpha"] == (1,)
    assert names["l1.gcn1.convs.0.conv1.weight"] == (8, 3, 1, 1)
    assert names["l1.gcn1.convs.2.conv4.weight"] == (64, 8, 1, 1)
    assert names["l5.gcn1.convs.1.conv2.weight"] == (8, 64, 1, 1)
    assert names["l6.gcn1.convs.1.conv2.bias"] == (16,)
    assert names["l5.gcn1.convs.1.conv3.weight"] == (128, 64, 1, 1)
    assert names["l5.tcn1.branches.1.3.conv.weight"] == (32, 32, 5, 1)
    assert names["l5.tcn1.branches.2.4.running_var"] == (32,)
    assert names["l8.residual.conv.weight"] == (256, 128, 1, 1)
    norm_entries = 5
    graph = 2 + 3 * 4 * 2 + norm_entries
    temporal = 4 * (2 + norm_entries) + 2 * (2 + norm_entries) + norm_entries
    changes = {1: 1, 5: 2, 8: 2}  # shortcuts with a convolution and a norm
    for number in range(1, 11):
        found = [n for n in names if n.startswith(f"l{number}.")]
        assert len(found) == graph + temporal + changes.get(number, 0) * (2 + norm_entries), number
    assert len(names) == 10 * (graph + temporal) + 5 * (2 + norm_entries) + norm_entries + 2


def test_published_names_lead_back_to_the_same_network():
    network = shaken(CTRGCN(CHAIN, 4, channels=2, persons=2, base_channels=16))
    state = to_published(network)
    assert {n: tuple(v.shape) for n, v in state.items()} == published_names(network)
    again = from_published(state, CHAIN)
    assert (again.persons, again.channels) == (2, 2)
    for name, value in network.state_dict().items():
        assert name.endswith("num_batches_tracked") or torch.equal(again.state_dict()[name], value), name


def test_initial_topology_sums_children_and_shares_parents():
    """Published: columns divided by their sums, A[target, source]; the chain's centre is joint 1 or 2."""
    topology = CTRGCN(CHAIN, 4, base_channels=8).layers[0].mix.adjacency.detach().numpy()
    np.testing.assert_array_equal(topology[0], np.eye(5))
    for k in (1, 2):
        sums = topology[k].sum(0)
        assert np.allclose(sums[sums > 0], 1)
    assert ((topology[1] > 0) == (topology[2] > 0).T).all()
