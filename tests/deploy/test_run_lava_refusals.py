"""Everything about deploy/run_lava.py's options, nets and data that can be wrong is one error and exit code 2."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from programs import Program, graph_for

from mksgn.data.pack import Pack, save_pack
from mksgn.data.synthetic import synthetic_pack
from mksgn.ir import Graph
from mksgn.netx import write_net
from mksgn.skeleton import NTU25

PROGRAM = "deploy/run_lava.py"

OPTIONS: dict[str, tuple[tuple[object, ...], str]] = {
    "no input for dump": (("--dump", "o.npz"), "--dump"),
    "no input for reset": (("--reset-interval", 4), "--reset-interval"),
    "no input for its shape": (("--input-shape", 3, 8, 20), "--input-shape"),
    "another input shape": (("--input", "x.npy", "--input-shape", 3, 8, 21), "input of another shape"),
    "no input for layers": (("--num-layers", 2), "--num-layers"),
    "all without dump": (("--input", "x.npy", "--all"), "--all"),
    "split of a tensor": (("--input", "x.npy", "--split", "test"), "--split"),
    "samples of a tensor": (("--input", "x.npy", "--samples", 0), "--samples"),
    "data and a tensor": (("--input", "x.npy", "--data", "synthetic"), "--data"),
    "protocol of a tensor": (("--input", "x.npy", "--protocol", "as-packed"), "--protocol"),
    "timeout of the emulator": (("--backend", "emulator", "--timeout", 3), "--timeout"),
    "layout of the emulator": (("--backend", "emulator", "--layout", "stock"), "--layout"),
    "layout of a chip": (("--backend", "loihi2", "--layout", "blocks"), "no effect on this backend"),
    "emulator's batch on Lava": (("--batch-size", 4), "--batch-size"),
    "processes of the emulator": (("--backend", "emulator", "--max-processes", 9), "--max-processes"),
    "negative samples": (("--samples", -1), "negative"),
    "protocol of everything": (("--split", "all", "--protocol", "synthetic"), "--protocol"),
    "unknown protocol": (("--protocol", "nonsense"), "Unknown protocol"),
    "no folder": (("--json", "no/such/r.json"), "does not exist"),
    "a folder": (("--json", "."), "is a folder"),
    "no data": (("--data", "nowhere.npz"), "nowhere.npz"),
    "too few processes": (("--samples", 1, "--max-processes", 3), "more OS processes than allowed"),
    "no timeout": (("--samples", 1, "--timeout", 0), "must be positive"),
}


@pytest.mark.parametrize("kind", OPTIONS)
def test_options_without_effect_or_sense(program: Program, net: Path, kind: str) -> None:
    arguments, message = OPTIONS[kind]
    outcome = program("--net", net, *arguments)
    assert outcome.code == 2 and outcome.err.startswith("error: ") and message in outcome.err


def test_unknown_backend_and_missing_net(program: Program, net: Path) -> None:
    outcome = program("--net", net, "--backend", "cloud")
    assert outcome.code == 2 and "cloud" in outcome.err
    outcome = program()
    assert outcome.code == 2 and "--net" in outcome.err


def test_unreadable_nets(program: Program, net: Path, stock: Path) -> None:
    content = net.read_bytes()
    Path("truncated.net").write_bytes(content[:len(content) // 2])
    Path("empty.net").write_bytes(b"")
    Path("text.net").write_text("not a net")
    for name in ("truncated.net", "empty.net", "text.net", "missing.net", "."):
        outcome = program("--net", name)
        assert outcome.code == 2 and outcome.err.startswith("error: "), name
    outcome = program("--net", stock / "tiny.net")
    assert outcome.code == 2 and "--input x.npy" in outcome.err


def test_nets_that_contradict_themselves(program: Program, pack_path: Path) -> None:
    pack = synthetic_pack(12)
    good = graph_for(pack, "synthetic")
    bones = good.meta["edges"]
    preprocess = json.loads(good.meta["preprocess"])
    for changes, message in (
            ({"joints": 25}, "does not make its input"), ({"joints": "20"}, "'joints'"),
            ({"edges": [*bones[:-2], 0, 19]}, "other bones"), ({"edges": bones[:-2]}, "other bones"),
            ({"edges": bones[:-1]}, "not pairs"), ({"labels": ["one"]}, "more or fewer classes"),
            ({"labels": list(range(12))}, "a list of str"), ({"preprocess": "{"}, "cannot be read"),
            ({"preprocess": json.dumps({**preprocess, "frames": 10**9})}, "does not make its input"),
            ({"preprocess": json.dumps({**preprocess, "lateral": [[4, 99]]})}, "joint that does not exist"),
            ({"preprocess": json.dumps({**preprocess, "persons": 1.0})}, "does not make its input"),
            ({"preprocess": json.dumps({**preprocess, "shear": 1})}, "cannot be read")):
        write_net(Graph(good.populations, good.synapses, good.time_steps, {**good.meta, **changes}), "bad.net")
        outcome = program("--net", "bad.net", "--backend", "emulator", "--data", pack_path)
        assert outcome.code == 2 and message in outcome.err, (changes, outcome)
    changes = {"recipe": "[]", "data": pack_path.name}
    write_net(Graph(good.populations, good.synapses, good.time_steps, {**good.meta, **changes}), "bad.net")
    outcome = program("--net", "bad.net", "--backend", "emulator", "--split", "train", "--data", pack_path)
    assert outcome.code == 2 and "recipe" in outcome.err


def test_bad_skeletons(program: Program, net: Path) -> None:
    pack = synthetic_pack(36)
    save_pack(pack.subset(pack.ids["view"] < 3), Path("train.npz"))
    outcome = program("--net", net, "--data", "train.npz")
    assert outcome.code == 2 and "no samples in this split" in outcome.err
    arrays = {"data": np.full_like(pack.data, np.nan), "offsets": pack.offsets, "labels": pack.labels,
              "names": pack.names, "joint_names": np.array(pack.joint_names), "edges": pack.edges}
    np.savez("nan.npz", **arrays)
    outcome = program("--net", net, "--data", "nan.npz")
    assert outcome.code == 2 and "not a finite number" in outcome.err and pack.names[0] in outcome.err
    data = np.ones((2, 1, 25, 3), np.float32)
    save_pack(Pack(data, np.array([0, 2]), np.array([0]), np.array(["a"]), ("c",), NTU25.joint_names or (),
                   NTU25.edges), Path("ntu.npz"))
    outcome = program("--net", net, "--data", "ntu.npz", "--split", "all")
    assert outcome.code == 2 and "25 joints" in outcome.err and "20 joints" in outcome.err
    Path("empty.skeleton").write_text("")
    assert program("--net", net, "--data", "empty.skeleton").code == 2
