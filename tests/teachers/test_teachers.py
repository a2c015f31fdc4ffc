"""CTR-GCN and ST-GCN: the equations, the published names and checkpoints, weights, fusion, recipes."""

from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
import zipfile
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from published_weights import to_published
from torch import Tensor
from torch.nn import functional as fn

from mksgn.errors import ConfigError
from mksgn.skeleton import NTU25, UCLA20, body_of, spatial_partitions
from mksgn.teachers import CTRGCN, STGCN
from mksgn.teachers.checkpoints import from_published, load_published, published_names
from mksgn.teachers.pickles import _rebuild_tensor, read_pickled_tensors
from mksgn.teachers.scores import Scores, Stream, fuse, load_stream, save_stream, stream_accuracies
from mksgn.teachers.stack import LAYERS, unfold_persons
from mksgn.teachers.stgcn import STLayer, jointly_normalised
from mksgn.teachers.weights import TeacherConfig, load_teacher, save_teacher, trained_parameters
from mksgn.training.teacher_recipe import PRESETS, TeacherRecipe

CHAIN = body_of([(0, 1), (1, 2), (2, 3), (2, 4)], 5)


def shaken(network):
    """Values that no initialisation hides: alpha and all norms away from 0 and 1."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                low, high = (0.5, 1.5) if name.endswith(("running_var", "norm.weight")) else (-0.4, 0.4)
                tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)
    return network.eval()


# --- the published function, written out from the paper's equations over the published names -----------------------


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


# --- ST-GCN ---------------------------------------------------------------------------------------------------------


def test_stgcn_layer_equals_its_sums():
    adjacency = jointly_normalised(spatial_partitions(CHAIN))
    layer = shaken(STLayer(2, 3, adjacency, stride=2, residual=True, dropout=0.5))
    x = torch.randn(2, 2, 5, 6, generator=torch.Generator().manual_seed(4))
    weight = layer.mix.weight.view(3, 3, 2)  # (c, k, i)
    mixed = torch.zeros(2, 3, 5, 6)
    for k in range(3):
        for v in range(5):
            for w in range(5):
                support = layer.adjacency[k, v, w] * layer.importance[k, v, w]
                one = torch.einsum("ci,nif->ncf", weight[:, k], x[:, :, w]) + layer.mix.bias.view(3, 3)[:, k, None]
                mixed[:, :, v] += support * one
    y = layer.norm(layer.temporal(torch.relu(layer.mix_norm(mixed)))) + layer.shortcut(x)
    torch.testing.assert_close(layer(x), torch.relu(y))


def test_stgcn_averages_a_joint_and_its_neighbours():
    supports = jointly_normalised(spatial_partitions(CHAIN))
    linked = CHAIN.adjacency() + np.eye(5)
    np.testing.assert_allclose(supports.sum(0), linked / linked.sum(1, keepdims=True), rtol=1e-6)


# --- what both share ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [CTRGCN, STGCN])
def test_features_of_every_layer(kind):
    network = kind(UCLA20, 10, persons=2, base_channels=8).eval()
    logits, features = network(torch.randn(3, 3, 16, 20, 2))
    assert logits.shape == (3, 10)
    assert [tuple(f.shape) for f in features] == [
        (6, 8 * width, 16 // (1 if number < 5 else 2 if number < 8 else 4), 20)
        for number, (width, _) in enumerate(LAYERS, 1)]
    pooled = features[-1].mean((2, 3)).view(3, 2, -1).mean(1)
    torch.testing.assert_close(logits, network.classifier(pooled))


@pytest.mark.parametrize("kind", [CTRGCN, STGCN])
def test_half_precision_recognises_the_same(kind):
    torch.manual_seed(0)
    network = kind(UCLA20, 10, base_channels=16)
    x = torch.randn(32, 3, 16, 20, 1)
    exact = network(x).logits
    with torch.autocast("cpu", torch.bfloat16):
        near = network(x).logits
    assert near.dtype == torch.float32
    assert (near - exact).abs().max() < 0.1 * exact.std()


def test_batches_of_the_wrong_shape_are_refused():
    network = CTRGCN(UCLA20, 10, base_channels=8)
    for shape in ((2, 3, 16, 20), (2, 2, 16, 20, 1), (2, 3, 16, 25, 1), (2, 3, 16, 20, 2)):
        with pytest.raises(ConfigError, match="does not fit"):
            network(torch.zeros(shape))


@pytest.mark.parametrize("kind,width", [(CTRGCN, 12), (CTRGCN, 0), (CTRGCN, -8), (STGCN, 0)])
def test_impossible_widths_are_refused(kind, width):
    with pytest.raises(ConfigError, match="width"):
        kind(UCLA20, 10, base_channels=width)


def test_unfold_persons_takes_joint_m_v_plus_v_to_v_m():
    samples = np.random.default_rng(0).integers(-127, 128, (2, 3, 4, 10), dtype=np.int8)
    unfolded = unfold_persons(torch.from_numpy(samples), 2)
    assert unfolded.shape == (2, 3, 4, 5, 2)
    for v in range(5):
        for m in range(2):
            np.testing.assert_allclose(unfolded[..., v, m], samples[..., m * 5 + v] / 127, rtol=1e-6)


# --- checkpoints ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small() -> CTRGCN:
    torch.manual_seed(0)
    return shaken(CTRGCN(CHAIN, 4, base_channels=8))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("wrap", ["plain", "parallel", "nested"])
def test_checkpoints_of_both_layouts_load(small, tmp_path, zipped, wrap):
    state: dict = OrderedDict(to_published(small))
    if wrap == "parallel":
        state = OrderedDict((f"module.{name}", value) for name, value in state.items())
    if wrap == "nested":
        state = {"state_dict": state, "epoch": 65}
    torch.save(state, tmp_path / "runs-65.pt", _use_new_zipfile_serialization=zipped)
    loaded = load_published(tmp_path / "runs-65.pt", CHAIN)
    assert not loaded.training
    x = torch.randn(2, 3, 8, 5, 1)
    assert torch.equal(loaded(x).logits, small(x).logits)


@pytest.mark.parametrize("zipped", [True, False])
def test_pickled_tensors_are_read_to_the_bit(tmp_path, zipped):
    base = torch.arange(24, dtype=torch.float32).view(4, 6)
    state = {"view": base[1:3, ::2], "transposed": base.T, "same": base, "half": base.half(), "empty": base[:0],
             "bool": base > 3, "scalar": torch.tensor(7), "parameter": torch.nn.Parameter(base + 1)}
    torch.save(state, tmp_path / "t.pt", _use_new_zipfile_serialization=zipped)
    loaded = read_pickled_tensors(tmp_path / "t.pt")
    assert list(loaded) == list(state)
    for name, value in state.items():
        assert loaded[name].dtype == value.dtype and torch.equal(loaded[name], value.detach()), name
    loaded["same"].zero_()
    assert loaded["view"].sum() != 0, "tensors share memory"


class Gadget:
    """Pickles to a call of any importable function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def hostile_archive(path: Path, pickled: bytes, entries: dict[str, bytes] | None = None,
                    compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickled)
        for name, data in (entries or {}).items():
            archive.writestr(f"archive/{name}", data)
    return path


def stream(*parts: object) -> bytes:
    return b"".join(pickle.dumps(part, protocol=2) for part in parts)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_no_pickle_runs_anything(tmp_path, protocol):
    victim = tmp_path / "written"
    calls: list[tuple] = [
        (os.mkdir, str(victim)), (eval, f"__import__('os').mkdir({str(victim)!r})"), (getattr, {}, "pop"),
        (torch.load, str(victim)), (torch.hub.load, str(victim), "x"), (np.load, str(victim))]
    for number, (function, *arguments) in enumerate(calls):
        pickled = pickle.dumps({"l1": Gadget(function, *arguments)}, protocol)
        inside = hostile_archive(tmp_path / f"zip{number}.pt", pickled)
        bare = tmp_path / f"bare{number}.pt"
        bare.write_bytes(pickled)
        later = tmp_path / f"later{number}.pt"
        later.write_bytes(stream(0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}) + pickled)
        for path in (inside, bare, later):
            with pytest.raises(ConfigError, match="no tensors can be read"):
                load_published(path, CHAIN)
    assert not victim.exists()


def test_names_hidden_in_dotted_paths_are_refused(tmp_path):
    """GLOBAL 'torch' 'FloatStorage.__init__.__globals__' and the like: names are compared whole."""
    for module, name in (("torch", "FloatStorage.__class__"), ("collections", "OrderedDict.__init__"),
                         ("torch._utils", "os.system"), ("torch", "os")):
        pickled = b"\x80\x04" + b"".join(b"\x8c" + bytes([len(t)]) + t.encode() for t in (module, name)) + b"\x93."
        with pytest.raises(ConfigError, match="no tensor"):
            read_pickled_tensors(hostile_archive(tmp_path / "x.pt", pickled))


def test_a_state_cannot_be_set_on_anything(tmp_path):
    """BUILD sets attributes: of functions and classes that later loads would use."""
    target = b"ctorch._utils\n_rebuild_tensor_v2\n"
    state = b"N}X\x0c\x00\x00\x00__defaults__(K\x01ts\x86b."
    for pickled in (b"\x80\x02" + target + state, b"\x80\x02ctorch\nFloatStorage\n" + state):
        with pytest.raises(ConfigError, match="state"):
            read_pickled_tensors(hostile_archive(tmp_path / "x.pt", pickled))
    assert _rebuild_tensor.__defaults__ is None


def test_operations_that_torch_does_not_write_are_refused(tmp_path):
    for pickled in (b"(ios\nsystem\n.", b"\x80\x02\x82\x01.", b"\x80\x02ctorch\nFloatStorage\n)\x81.", b"S'a'\n."):
        with pytest.raises(ConfigError, match="operation that torch"):
            read_pickled_tensors(hostile_archive(tmp_path / "x.pt", pickled))


def forged(offset: int, shape: tuple, strides: tuple, length: int) -> bytes:
    """A pickle of one tensor whose numbers are our choice."""
    def tuple_of(values: tuple) -> bytes:
        return b"(" + b"".join(b"J" + int(v).to_bytes(4, "little", signed=True) for v in values) + b"t"

    storage = (b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuJ"
               + length.to_bytes(4, "little") + b"tQ")
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"J" + offset.to_bytes(4, "little", signed=True) \
        + tuple_of(shape) + tuple_of(strides) + b"\x89}tR"
    return b"\x80\x02}X\x01\x00\x00\x00a" + tensor + b"s."


def test_a_forged_tensor_cannot_leave_its_storage(tmp_path):
    data = {"data/0": np.arange(4, dtype=np.float32).tobytes()}
    good = read_pickled_tensors(hostile_archive(tmp_path / "x.pt", forged(1, (3,), (1,), 4), data))
    assert good["a"].tolist() == [1, 2, 3]
    for case in ((2, (3,), (1,), 4), (-1, (2,), (1,), 4), (0, (2, 2), (4, 1), 4), (0, (2,), (-1,), 4),
                 (0, (1 << 30,), (0,), 4), (0, (1 << 30,) * 4, (0,) * 4, 4), (0, (2,), (1, 1), 4), (0, (4,), (1,), 5)):
        with pytest.raises(ConfigError, match=r"a (tensor|storage) "):
            read_pickled_tensors(hostile_archive(tmp_path / "x.pt", forged(*case), data))


def test_damaged_files_give_one_error(small, tmp_path):
    torch.save(to_published(small), tmp_path / "good.pt")
    torch.save(to_published(small), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    path = tmp_path / "bad.pt"
    contents = [b"", b"PK\x03\x04", pickle.dumps(3), stream(0x1950A86A20F9469CFC6C, 1001, {}, {}, []),
                (tmp_path / "good.pt").read_bytes()[:5000], (tmp_path / "old.pt").read_bytes()[:-10],
                b"\x80\x02" + b"(" * 100_000, b"\x80\x04r\xff\xff\xff\x7f."]
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(ConfigError) as caught:
            load_published(path, CHAIN)
        assert str(path) in str(caught.value)
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("pickle"), io.BytesIO())
    with pytest.raises(ConfigError):
        load_published(path, CHAIN)
    bomb = hostile_archive(path, pickle.dumps({"a": "b" * 10_000_000}), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ConfigError, match="compressed"):
        load_published(bomb, CHAIN)
    with pytest.raises(ConfigError):
        load_published(tmp_path / "absent.pt", CHAIN)


def test_other_networks_are_refused(small):
    state = to_published(small)
    with pytest.raises(ConfigError, match="another body"):
        from_published(state, UCLA20)
    with pytest.raises(ConfigError, match="not a CTR-GCN"):
        from_published({"fc.weight": torch.zeros(2, 2)}, CHAIN)
    with pytest.raises(ConfigError, match="names in the checkpoint"):
        from_published({**state, "l11.gcn1.PA": torch.zeros(1)}, CHAIN)
    with pytest.raises(ConfigError, match="names in the checkpoint"):
        from_published({n: v for n, v in state.items() if n != "l7.gcn1.alpha"}, CHAIN)
    with pytest.raises(ConfigError, match="wrong shape"):
        from_published({**state, "l3.gcn1.alpha": torch.zeros(2)}, CHAIN)
    counters = [n for n in state if n.endswith("num_batches_tracked")]
    from_published({n: v for n, v in state.items() if n not in counters}, CHAIN)


# --- weights, streams, recipes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", ["ctr-gcn", "st-gcn"])
def test_weights_survive_the_file(tmp_path, network):
    config = TeacherConfig(network=network, body=UCLA20, classes=10, persons=2, base_channels=8, dropout=0.1)
    made = shaken(config.build())
    save_teacher(tmp_path / "w.safetensors", made, config, {"modality": "bone", "test": {"accuracy": 0.5}})
    loaded, meta = load_teacher(tmp_path / "w.safetensors")
    assert meta["modality"] == "bone" and meta["test"]["accuracy"] == 0.5
    assert TeacherConfig.from_dict(meta["config"]) == config
    assert not loaded.training and list(tmp_path.iterdir()) == [tmp_path / "w.safetensors"]
    x = torch.randn(2, 3, 8, 20, 2)
    assert torch.equal(loaded(x).logits, made(x).logits)


def test_other_files_are_no_weights(tmp_path):
    path = tmp_path / "w.safetensors"
    for content in (b"", b"\xff" * 64, json.dumps({"a": 1}).encode()):
        path.write_bytes(content)
        with pytest.raises(ConfigError):
            load_teacher(path)
    half = Scores(np.zeros((2, 3), np.float32), np.zeros(2, np.int64), np.arange(2), np.ones(2, bool))
    save_stream(path, Stream("joint", "d", "p", half, half))
    with pytest.raises(ConfigError, match="does not hold a teacher"):
        load_teacher(path)
    config = TeacherConfig(network="st-gcn", body=CHAIN, classes=2, base_channels=8)
    save_teacher(path, config.build(), config, {})
    with pytest.raises(ConfigError, match="does not hold a stream"):
        load_stream(path)


def scores(logits: np.ndarray, labels: np.ndarray, clean: np.ndarray | None = None) -> Scores:
    count = len(labels)
    return Scores(np.asarray(logits, np.float32), labels, np.arange(count) + 5,
                  np.ones(count, bool) if clean is None else clean)


def test_fusion_by_hand():
    """Softmax of (ln 3, 0) is (3/4, 1/4): the surer stream decides, and weights can turn it."""
    labels = np.array([1, 0])
    one = scores(np.log([[3, 1], [3, 1]]), labels, np.array([True, False]))
    two = scores(np.log([[1, 9], [1, 9]]), labels, np.array([True, False]))
    np.testing.assert_allclose(fuse([one, two]), [[(0.75 + 0.1) / 2, (0.25 + 0.9) / 2]] * 2, rtol=1e-6)
    np.testing.assert_allclose(fuse([one, two], (3, 1)), [[(2.25 + 0.1) / 4, (0.75 + 0.9) / 4]] * 2, rtol=1e-6)
    assert stream_accuracies(fuse([one, two]), one) == {
        "accuracy": 0.5, "samples": 2, "accuracy_clean": 1.0, "samples_clean": 1}
    assert stream_accuracies(fuse([one, two], (3, 1)), one)["accuracy_clean"] == 0.0


@given(st.integers(1, 4), st.floats(-50, 50), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_soft_labels_are_distributions(count, shift, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, 6)
    streams = [scores(rng.normal(0, 30, (6, 5)), labels) for _ in range(count)]
    soft = fuse(streams)
    np.testing.assert_allclose(soft.sum(1), 1)
    moved = [replace(s, logits=(s.logits + np.float32(shift)).astype(np.float32)) for s in streams]
    np.testing.assert_allclose(fuse(moved), soft, atol=1e-4)
    np.testing.assert_allclose(fuse(streams[::-1]), soft)


def test_fusion_refuses_what_does_not_fit():
    one = scores(np.zeros((2, 3)), np.zeros(2, np.int64))
    for other in (replace(one, indices=one.indices + 1), replace(one, labels=one.labels + 1),
                  replace(one, logits=np.zeros((2, 4), np.float32))):
        with pytest.raises(ConfigError, match="streams 1 and 2"):
            fuse([one, other])
    for weights in ((1,), (1, -1), (0, 0), (1, float("nan"))):
        with pytest.raises(ConfigError, match="weights"):
            fuse([one, one], weights)
    with pytest.raises(ConfigError):
        fuse([])


def test_learning_rates():
    step = TeacherRecipe(lr=0.1, warm_up=5, epochs=65, milestones=(35, 55))
    assert [step.learning_rate(e) for e in (0, 2.5, 5, 34.9, 35, 55)] == pytest.approx([0, 0.05, 0.1, 0.1, 0.01, 1e-3])
    cosine = TeacherRecipe(lr=0.2, warm_up=10, epochs=110, schedule="cosine", milestones=())
    assert [cosine.learning_rate(e) for e in (5, 10, 60, 110)] == pytest.approx([0.1, 0.2, 0.1, 0])
    assert TeacherRecipe(lr=0.1, warm_up=0).learning_rate(0) == pytest.approx(0.1)


def test_recipes_survive_json_and_refuse_nonsense():
    for recipe in PRESETS.values():
        assert TeacherRecipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    for values in ({"network": "gcn"}, {"schedule": "linear"}, {"epochs": 0}, {"batch": 1}, {"lr": 0.0},
                   {"dropout": 1.0}, {"label_smoothing": -0.1}):
        with pytest.raises(ConfigError):
            TeacherRecipe(**values)
    with pytest.raises(ConfigError, match="milestones have no effect"):
        PRESETS["nw-ucla"].with_options({"milestones": (3,)})
    assert PRESETS["nw-ucla"].with_options({"milestones": (3,), "schedule": "step"}).milestones == (3,)
