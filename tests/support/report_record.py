"""A record of a run for tests of the report: the shipped network's real shapes, drawn figures."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from mksgn.ir import Conv, Dense, Graph, GraphConv, Synapse
from mksgn.netx import read_net

SHIPPED = Path(__file__).resolve().parent.parent.parent / "models" / "nw-ucla-joint" / "mksgn.net"
SAMPLES = 464
CORES_PER_CHIP = 120
NEURONS_PER_CORE = 4096
TERMS = ("synops", "active updates", "idle updates", "messages", "memory", "static")


def shipped_record(seed: int = 0) -> dict[str, Any]:
    """A record as the energy benchmark writes it for the shipped network; every figure but the shapes is drawn."""
    return record_of(read_net(SHIPPED), np.random.default_rng(seed))


def record_of(graph: Graph, rng: np.random.Generator) -> dict[str, Any]:
    """A record for any graph, with every section filled."""
    classes = list(graph.meta.get("labels", [])) or [f"class {i}" for i in range(graph.output.size)]
    steps = graph.time_steps or 1
    populations = [_population(p, steps, rng) for p in graph.populations]
    rates = {row["name"]: row["rate"] for row in populations}
    synapses = [_synapse(graph, s, rates, steps, rng) for s in graph.synapses]
    layers = list(dict.fromkeys(row["layer"] for row in populations))
    synops, macs = sum(s["synops"] for s in synapses), sum(s["macs"] for s in synapses)
    correct = rng.random(SAMPLES) < 0.87
    return {
        "net": {"name": "nw-ucla-joint/mksgn.net", "title": "MK-SGN, joint, T = 2",
                "preset": str(graph.meta.get("preset", "")), "classes": classes,
                "time_steps": steps, "parameters": sum(int(s.weight.size) for s in graph.synapses),
                "commit": "mksgn 0.1.0 (0123456789ab)"},
        "run": {"command": "python benchmarks/energy.py --net models/nw-ucla-joint/mksgn.net --data nw_ucla.npz "
                           "--report report.html",
                "backend": "emulator", "samples": SAMPLES, "date": "2026-11-22 17:30",
                "hardware": "2 CPU cores, 24 GiB",
                "versions": {"mksgn": "0.1.0", "python": "3.10.14", "lava-nc": "0.10.0", "torch": "2.3.1"},
                "seconds": 9.13, "data": "nw_ucla.npz", "split": "test", "accuracy": 0.87069,
                "subsets": {"clean": {"accuracy": 0.85366, "samples": 369}}},
        "totals": {"spikes": sum(p["spikes"] for p in populations[1:]), "synops": synops, "macs": macs,
                   "updates_active": sum(p["updates_active"] for p in populations),
                   "updates_idle": sum(p["updates_idle"] for p in populations), "mean_rate": 0.155,
                   "neurons": sum(p["neurons"] for p in populations[1:])},
        "populations": populations, "synapses": synapses,
        "layers": [_layer(layer, populations, synapses) for layer in layers[1:]],
        "paper": {"energy_mj": 0.187, "energy_all_steps_mj": 0.194, "sops": 1.8e8, "first_layer_macs": 552960.0},
        "cost_models": _models(layers, rng), "mapping": _mapping(populations, rng),
        "samples": {"synops": rng.normal(1.52e8, 1.1e7, SAMPLES).tolist(), "correct": correct.tolist()},
        "confusion": {"labels": classes, "matrix": _confusion(len(classes), rng)},
        "example": _example(populations, rng),
    }


def _population(population: Any, steps: int, rng: np.random.Generator) -> dict[str, Any]:
    role = {"readout": "output"}.get(population.role, population.role)
    rate = 0.0 if role == "output" else round(float(rng.uniform(0.02, 0.35)), 5)
    updates = population.size * steps
    in_paper = role == "hidden" and ".stc" not in population.name
    return {"name": population.name, "layer": population.name.split(".")[0], "shape": list(population.shape),
            "role": role, "neurons": population.size, "spikes": rate * updates, "rate": rate,
            "table6_rate": round(float(rng.uniform(0.007, 0.02)), 4) if in_paper else None,
            "table6_name": f"name of {population.name}" if in_paper else None,
            "updates_active": 0.7 * updates, "updates_idle": 0.3 * updates}


def _synapse(graph: Graph, synapse: Synapse, rates: dict[str, float], steps: int, rng: np.random.Generator
             ) -> dict[str, Any]:
    source = graph[synapse.sources[0]]
    kind = "conv" if isinstance(synapse, Conv) else "dense" if isinstance(synapse, Dense) else \
        "graphconv" if isinstance(synapse, GraphConv) else "jointmix"
    flops = synapse.dense_macs(source.shape, graph[synapse.target].shape) * len(synapse.sources)
    rate = float(np.mean([rates[name] for name in synapse.sources]))
    graded = source.message_bits > 0
    theory = 0.0 if graded else rate * steps * flops
    causes = {"zero weights": round(float(rng.uniform(0.75, 0.99)), 3),
              "borders": round(float(rng.uniform(0.9, 1.0)), 3),
              "uneven firing": round(float(rng.uniform(0.9, 1.25)), 3)}
    ratio = math.prod(causes.values())
    return {"name": synapse.name, "layer": synapse.target.split(".")[0], "kind": kind, "sources": list(synapse.sources),
            "target": synapse.target, "flops": flops, "rate": rate, "theoretical_sops": theory,
            "synops": theory * ratio, "macs": 0.9 * flops * steps if graded else 0.0,
            "ratio": None if graded else ratio, "causes": {} if graded else causes}


def _layer(layer: str, populations: list[dict[str, Any]], synapses: list[dict[str, Any]]) -> dict[str, Any]:
    inside = [row for row in populations if row["layer"] == layer]
    arriving = [row for row in synapses if row["layer"] == layer]
    expected = sum(row["theoretical_sops"] or row["flops"] for row in arriving)
    counted = sum(row["synops"] + row["macs"] for row in arriving)
    return {"layer": layer, "neurons": sum(row["neurons"] for row in inside), "rate": inside[0]["rate"],
            "table6_rate": inside[0]["table6_rate"], "graded": any(row["macs"] for row in arriving),
            "expected": expected, "counted": counted, "ratio": counted / expected,
            "updates_active": sum(row["updates_active"] for row in inside),
            "updates_idle": sum(row["updates_idle"] for row in inside)}


def _models(layers: list[str], rng: np.random.Generator) -> list[dict[str, Any]]:
    models = []
    for name, title, total, static in (
            ("horowitz-fp32", "45 nm, 32-bit float (the paper's)", 0.146, None),
            ("horowitz-int8", "45 nm, 8-bit integers", 0.0055, None),
            ("loihi1", "Loihi 1, per event", 4.31, 1.2),  # constants of this one come as ranges
            ("memory", "45 nm with memory access", 2.06, None)):
        shares = rng.dirichlet(np.ones(len(TERMS) - (static is None))) if name in ("loihi1", "memory") else np.ones(1)
        dynamic = total - (static or 0.0)
        terms = {term: float(s) * total for term, s in zip(TERMS, shares)}
        by_layer = dict(zip(layers, (float(s) * dynamic for s in rng.dirichlet(2 * np.ones(len(layers))))))
        timed = name == "loihi1"
        models.append({"name": name, "title": title, "source": f"the table that {name} is taken from, with its page",
                       "breakdown_mj": terms, "by_layer_mj": by_layer, "dynamic_mj": dynamic, "static_mj": static,
                       "total_mj": [0.8 * total, 1.7 * total] if timed else total,
                       "latency_ms": [0.92, 3.1] if timed else None, "single_shot_ms": 14.1 if timed else None,
                       "samples_per_s": 1087.0 if timed else None, "edp_mj_ms": 3.97 if timed else None})
    return models


def _mapping(populations: list[dict[str, Any]], rng: np.random.Generator) -> dict[str, Any]:
    cores: list[dict[str, Any]] = []
    for row in populations[1:]:
        left = row["neurons"]
        while left > 0:
            here = min(left, NEURONS_PER_CORE)
            left -= here
            load = float(rng.gamma(4, 5e3))
            cores.append({"index": len(cores), "chip": len(cores) // CORES_PER_CHIP, "populations": [row["name"]],
                          "neurons": here, "neuron_utilisation": here / NEURONS_PER_CORE,
                          "memory_utilisation": float(rng.uniform(0.1, 0.95)), "load": load, "synops": load * 10,
                          "messages_in": load})
    busiest = max(cores, key=lambda core: core["load"])
    return {"board": "Loihi 2, 8-chip board", "objective": "time", "chips": cores[-1]["chip"] + 1, "cores": len(cores),
            "limits": {"neurons": NEURONS_PER_CORE, "cores_per_chip": CORES_PER_CHIP, "core_mesh": [8, 15],
                       "sources": {"neurons": "the page it is printed on"}, "assumed": {"core_mesh": "not public"}},
            "core_list": cores, "busiest": {"index": busiest["index"], "why": "its convolution meets most spikes"},
            "problems": [], "traffic": {"spikes": 5.8e5, "messages": 3.1e6, "between_chips": 2.2e5, "from_host": 3747.5,
                                        "hops_ew": 8.8e6, "hops_ns": 1e6}}


def _confusion(classes: int, rng: np.random.Generator) -> list[list[int]]:
    matrix = rng.poisson(0.6, (classes, classes))
    matrix[np.diag_indices(classes)] = rng.integers(30, 50, classes)
    return [[int(n) for n in row] for row in matrix]


def _example(populations: list[dict[str, Any]], rng: np.random.Generator) -> dict[str, Any]:
    """Kinect's 20 joints, one arm waving."""
    rest = np.array([(0, 0, 0), (0, .2, 0), (0, .5, 0), (0, .7, 0), (-.2, .45, 0), (-.3, .2, 0), (-.35, 0, 0),
                     (-.36, -.08, 0), (.2, .45, 0), (.3, .2, 0), (.35, 0, 0), (.36, -.08, 0), (-.1, -.05, 0),
                     (-.12, -.45, 0), (-.13, -.85, 0), (-.15, -.9, .1), (.1, -.05, 0), (.12, -.45, 0), (.13, -.85, 0),
                     (.15, -.9, .1)])
    edges = [[0, 1], [1, 2], [3, 2], [4, 2], [5, 4], [6, 5], [7, 6], [8, 2], [9, 8], [10, 9], [11, 10], [12, 0],
             [13, 12], [14, 13], [15, 14], [16, 0], [17, 16], [18, 17], [19, 18]]
    frames = populations[0]["shape"][1]
    skeleton = []
    for f in range(frames):
        body = rest.copy()
        lift = math.sin(2 * math.pi * f / max(frames, 2))
        body[9:12, 1] += np.array([.15, .5, .62]) * (1 + lift) / 2
        body[9:12, 2] += 0.2 * lift
        skeleton.append(body.round(4).tolist())
    raster = {}
    for row in populations:
        channels, own, joints = row["shape"]
        if row["role"] == "hidden":
            wave = 1 + 0.6 * np.sin(np.linspace(0, 6, own))
            each = rng.gamma(1.0, 1.0, (channels, 1)) * wave * row["rate"] * joints * 4
            raster[row["name"]] = np.minimum(rng.poisson(each), joints * 4).tolist()
    return {"name": "a09_s03_e02_v03", "label": "throw", "prediction": "throw", "sample": 17, "edges": edges,
            "skeleton": skeleton, "raster": raster}
