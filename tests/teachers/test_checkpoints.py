"""Published checkpoints: both layouts are read to the bit, and hostile or damaged files run nothing."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from published_weights import to_published
from shaken import CHAIN, shaken

from mksgn.errors import ConfigError
from mksgn.skeleton import UCLA20
from mksgn.teachers import CTRGCN
from mksgn.teachers.checkpoints import from_published, load_published
from mksgn.teachers.pickles import _rebuild_tensor, read_pickled_tensors


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
