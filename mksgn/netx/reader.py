"""Reading a `.net` file as a spiking graph (docs/net-format.md)."""

from __future__ import annotations

import os
from typing import Any

from mksgn.errors import NetFileError
from mksgn.ir import Graph
from mksgn.ir.synapses import Shape
from mksgn.limits import MAX_BYTES
from mksgn.netx import metadata
from mksgn.netx.layers import LayerReader
from mksgn.netx.store import open_net, unexpected

_STOCK_ROOT = {"layer", "simulation"}


def read_net(path: str | os.PathLike[str], num_layers: int | None = None, max_bytes: int = MAX_BYTES,
             input_shape: Shape | None = None) -> Graph:
    """Read a `.net` file: one of ours, or a stock netx file of a sequential CUBA network.

    Populations of a stock file are named ``input`` and ``layer_<i>``, its synapses ``synapse_<i>``. A
    stock input layer with neurons becomes two populations, ``input`` (which takes the bias values that
    the host would write, weight and offset in ``meta``) and ``layer_0``. One without an input layer gets
    an ``input`` of spikes that its first conv or dense layer reads.

    Parameters
    ----------
    path : path
    num_layers : int, optional
        Read only the first layers of a stock file, as stock netx's argument of this name.
    max_bytes : int
        Limit on what the file may declare: the data read (8 bytes a number) and u and v of its neurons.
    input_shape : (C, F, V), optional
        Shape of the input where the file has no input layer: needed when a conv layer is the first; a
        dense layer takes (I, 1, 1) unless told otherwise. Without effect on a file that says it itself.

    Returns
    -------
    Graph
        Its ``meta["origin"]`` is ``"netx"`` for a stock file.

    Raises
    ------
    NetFileError
        When the file is missing, damaged, hostile, of an unknown version, or holds what we do not run;
        the message names the layer, what was found and what is allowed.
    GraphError
        When the layers are readable and make an impossible network.
    """
    where = os.fspath(path)
    with unexpected(where), open_net(path, max_bytes) as root:
        ours = root.has_attribute("format")
        attributes = root.attributes() if ours else {}
        version = metadata.check_version(attributes, where) if ours else 0
        if not ours and root.has_attribute("format_version"):
            raise NetFileError("the file has a format version and no format", where=where,
                               allowed=f"format = {metadata.FORMAT!r}")
        if "layer" not in root:
            raise NetFileError("the file holds no network", where=where, got=", ".join(root.names) or "nothing",
                               allowed="a group named layer")
        layers = root.child("layer")
        count = len(layers.names)
        if num_layers is not None:
            if ours or not 1 <= num_layers <= count:
                raise NetFileError("num_layers does not apply", where=where, got=str(num_layers),
                                   allowed="none for a mksgn file" if ours else f"1..{count}")
            count = num_layers
        if input_shape is not None and (len(input_shape) != 3 or min(input_shape) < 1):
            raise NetFileError("an impossible input shape", where=where, got=str(input_shape),
                               allowed="(C, F, V), each at least 1")
        reader = LayerReader(ours, input_shape, version == metadata.STREAMED_VERSION)
        meta: dict[str, Any]
        if ours:
            root.only({"layer"}, where)
            meta = {key: metadata.decode(key, value, where) for key, value in attributes.items()
                    if key not in metadata.RESERVED}
        else:
            root.only(_STOCK_ROOT, where)
            meta = reader.meta
            meta["origin"] = "netx"
        reader.read(layers, count)
        steps = metadata.time_steps(attributes, where)
        return Graph(tuple(reader.populations), tuple(reader.synapses), steps, meta)
