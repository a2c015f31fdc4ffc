"""`.nir` files: written whole or not at all, read with everything checked."""

from __future__ import annotations

import io
import os
from collections import Counter
from pathlib import Path
from typing import Any

import nir
import numpy as np

from mksgn.files import replacing
from mksgn.ir import Graph
from mksgn.limits import MAX_BYTES
from mksgn.nir.budget import Budget
from mksgn.nir.errors import NirError, unexpected
from mksgn.nir.exporter import to_nir
from mksgn.nir.foreign import Assumptions, from_foreign
from mksgn.nir.hdf5 import read_tree
from mksgn.nir.manifest import decode, is_ours
from mksgn.nir.units import DT

NODE_TYPES = frozenset({"Affine", "AvgPool2d", "Conv1d", "Conv2d", "CubaLI", "CubaLIF", "Delay", "Flatten", "I", "IF",
                        "Input", "LI", "LIF", "Linear", "NIRGraph", "Output", "Scale", "SumPool2d", "Threshold"})
NIR_VERSIONS = ("0", "1")
NODES_MAX, EDGES_MAX = 4096, 8192
TOLERANCE = 2.0 ** -20
"""Relative: a parameter may have been stored again in float32. The smallest change of an integer is larger."""
_FOREIGN = "read the parameters alone with --foreign (foreign=True in Python)"


def write_nir(graph: Graph, path: str | os.PathLike[str], dt: float = DT, max_bytes: int = MAX_BYTES) -> nir.NIRGraph:
    """Write ``graph`` to ``path`` as NIR, completely or not at all.

    Parameters
    ----------
    graph : Graph
    path : path
    dt : float
        Seconds per algorithmic step.
    max_bytes : int
        Limit on the parameters of all nodes and the integers beside them.

    Returns
    -------
    nir.NIRGraph
        What was written.

    Raises
    ------
    NirError
        When NIR cannot hold the graph, when it would be too large, or when ``path`` cannot be written.
    """
    made = to_nir(graph, dt, max_bytes)
    image = io.BytesIO()
    nir.write(image, made, compression="gzip", compression_opts=1)
    if not os.path.basename(os.fspath(path)) or os.path.isdir(path):
        raise NirError("not a file name to write to", where=os.fspath(path))
    try:
        with replacing(Path(path)) as temporary:
            temporary.write_bytes(image.getbuffer())
    except OSError as error:
        raise NirError("the network could not be written", where=os.fspath(path), got=error.strerror or str(error),
                       fix="check that the folder exists, can be written to and has space") from None
    return made


def read_nir(path: str | os.PathLike[str], assumptions: Assumptions | None = None, foreign: bool = False,
             max_bytes: int = MAX_BYTES) -> Graph:
    """Read a `.nir` file as a spiking graph.

    A file of ours gives back the graph that it was written from, and is an error where parameters and metadata
    disagree. Any other is read where its parameters are integers of ours times a power of two per population.

    Parameters
    ----------
    path : path
    assumptions : Assumptions, optional
        What a foreign file does not say.
    foreign : bool
        Leave the metadata of a file of ours aside.
    max_bytes : int
        Limit on the data that the file declares.

    Raises
    ------
    NirError
        Naming the node: the file is damaged or hostile, or holds what our integers cannot.
    GraphError
        When the nodes are readable and describe an impossible network.
    """
    where = os.fspath(path)
    with unexpected(where):
        return _read(path, where, assumptions, foreign, max_bytes)


def _read(path: str | os.PathLike[str], where: str, assumptions: Assumptions | None, foreign: bool,
          max_bytes: int) -> Graph:
    budget = Budget(max_bytes, "if the file is trusted, allow more with --max-mb (max_bytes in Python)")
    tree = read_tree(path, budget)
    version, root = tree.get("version"), tree.get("node")
    if not isinstance(version, str) or version.split(".")[0] not in NIR_VERSIONS:
        raise NirError("unknown version of NIR", where=where, got=repr(version)[:60],
                       allowed=" or ".join(f"{major}.x" for major in NIR_VERSIONS))
    if not isinstance(root, dict) or _text(root, "type") != "NIRGraph":
        raise NirError("the file holds no NIR graph", where=where, got=", ".join(tree) or "nothing",
                       allowed="a group named node of type NIRGraph")
    nodes, edges = _nodes(root, where), _edges(root, where)
    metadata = root.get("metadata", {})
    if isinstance(metadata, dict) and is_ours(metadata) and not foreign:
        if assumptions is not None:
            raise NirError("a file of ours says everything itself: assumptions have no effect", where=where,
                           got=str(assumptions), fix=f"leave them out, or {_FOREIGN}")
        metadata = {**metadata, "format_version": _scalar(metadata.get("format_version"))}
        graph, dt = decode(metadata, len(nodes), len(edges), where)
        _verify(graph, dt, nodes, edges, budget.spent, where)
        return graph
    return from_foreign(nodes, edges, assumptions or Assumptions(), budget, where)


def _text(group: dict[str, Any], field: str) -> str:
    """Text of a group; empty where it is missing or something else."""
    value = group.get(field)
    return value if isinstance(value, str) else ""


def _nodes(root: dict[str, Any], where: str) -> dict[str, dict[str, Any]]:
    nodes = root.get("nodes")
    if not isinstance(nodes, dict) or not 0 < len(nodes) <= NODES_MAX:
        raise NirError("the graph has no nodes, or too many", where=where, allowed=f"1..{NODES_MAX}",
                       got=str(len(nodes)) if isinstance(nodes, dict) else "no group named nodes")
    for name, node in nodes.items():
        kind = _text(node, "type") if isinstance(node, dict) else ""
        if kind not in NODE_TYPES:
            raise NirError("unknown node type", where=f"{where}: node {name!r}", got=repr(kind)[:60],
                           allowed=", ".join(sorted(NODE_TYPES)))
    return nodes


def _edges(root: dict[str, Any], where: str) -> list[tuple[str, str]]:
    edges = root.get("edges")
    if not isinstance(edges, np.ndarray) or edges.dtype.kind != "O" or edges.ndim != 2 or edges.shape[1] != 2:
        raise NirError("edges are not pairs of node names", where=where,
                       got=str(getattr(edges, "shape", type(edges).__name__)))
    if len(edges) > EDGES_MAX:
        raise NirError("the graph has too many edges", where=where, got=str(len(edges)), allowed=str(EDGES_MAX))
    pairs = [(str(a), str(b)) for a, b in edges]
    for a, b in pairs:
        for end in (a, b):
            if end not in root["nodes"]:
                raise NirError("an edge names a node that does not exist", where=f"{where}: edge {a!r} -> {b!r}",
                               got=repr(end))
    if len(set(pairs)) != len(pairs):
        raise NirError("an edge stands twice", where=where, got=" -> ".join(Counter(pairs).most_common(1)[0][0]))
    return pairs


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.ndarray) and value.shape == () else value


def _verify(graph: Graph, dt: float, nodes: dict[str, dict[str, Any]], edges: list[tuple[str, str]], size: int,
            where: str) -> None:
    """Raise :class:`NirError` unless exporting ``graph`` gives these nodes and edges again."""
    try:
        # What the file does not hold need not be made; float32 in the place of float64 is half of it.
        expected = to_nir(graph, dt, 2 * size)
    except NirError as error:
        raise NirError("parameters and metadata disagree", where=where, got=f"{error.what} ({error.where})",
                       fix=_FOREIGN) from None
    odd = set(expected.nodes) ^ set(nodes)
    if odd:
        raise NirError("parameters and metadata disagree", where=f"{where}: node {min(odd)!r}",
                       got="missing" if min(odd) in expected.nodes else "unexpected", fix=_FOREIGN)
    missing = set(expected.edges) ^ set(edges)
    if missing:
        raise NirError("parameters and metadata disagree", where=f"{where}: edge {' -> '.join(min(missing))}",
                       got="missing" if min(missing) in set(expected.edges) else "unexpected", fix=_FOREIGN)
    for name, node in expected.nodes.items():
        field = _first_difference(node.to_dict(), nodes[name])
        if field:
            raise NirError("parameters and metadata disagree", where=f"{where}: node {name!r}, {field}",
                           fix=f"export the network again, or {_FOREIGN}")


def _first_difference(expected: dict[str, Any], found: dict[str, Any]) -> str:
    """Name of a field that differs, or an empty string; nodes have no metadata of their own."""
    for field in sorted((set(expected) | set(found)) - {"metadata"}):
        if field not in expected or field not in found:
            return field
        left, right = expected[field], found[field]
        if isinstance(left, str) or isinstance(right, (str, dict)):
            if not isinstance(left, str) or not isinstance(right, str) or left != right:
                return field
            continue
        left, right = np.asarray(left), np.asarray(right)
        if left.shape != right.shape or right.dtype.kind not in "iufb":
            return field
        if not np.allclose(left, right, rtol=TOLERANCE, atol=0):
            return field
    return ""
