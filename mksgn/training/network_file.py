"""Networks as safetensors files: written, read, and given to a network that starts from them; no pickle anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from mksgn.errors import ConfigError, MksgnError, typed
from mksgn.networks.graph import GraphConfig
from mksgn.nn import SpikingGraphNet
from mksgn.nn.graph_projections import GraphConvProjection
from mksgn.nn.unfolding import unfolded
from mksgn.training.run_files import MODEL, read_state, write_state
from mksgn.training.shapes import check_tensors, shape_of, state_of, stated

RETIMED = ("frames", "temporal_kernel", "temporal_padding", "frame_state")
"""Choices that only change how many frames there are, which a temporal convolution reads, and what they leave."""
FRAME_AXIS = 2
"""Of a convolution's weight in SLAYER: channels out and in, and a kernel over frames, joints and 1."""


def save_network(path: Path, net: SpikingGraphNet, meta: dict[str, Any] | None = None, *,
                 compact: bool = False) -> None:
    """Write a network's shape, scales and (float master) weights, enough to rebuild or fine-tune it.

    ``meta`` is what an mksgn.net says of its training, for networks that have none. ``compact`` writes a quantised
    network's trained weights as the integers that they are, halved, as int8: a quarter of the size, the same integers,
    and what the masters had beyond them is gone.
    """
    tensors = net.state_dict() | (_rounded(net) if compact else {})
    write_state(path, {MODEL + name: value for name, value in tensors.items()},
           {"config": stated(net.config, net.data), "scales": net.scales(), "quantized": net.quantized,
            "meta": meta or {}})


def _rounded(net: SpikingGraphNet) -> dict[str, Tensor]:
    """The trained weights of a quantised network as halves of their even integers, by their names in its state dict.

    Those that are multiplied before they are rounded (weights of modalities, partitions of ``fused``) are left out, and
    so is the classifier, which an ensemble rounds anew.
    """
    assert net.quantized, "only integers are compact"
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    found = {}
    for population in net.populations:
        for projection in population.projections:
            inner = getattr(projection, "inner", projection)
            weight = inner.synapse.weight
            plain = not isinstance(inner, GraphConvProjection) and set(getattr(projection, "weights", (1.0,))) == {1.0}
            if weight.requires_grad and plain:
                even = population.neuron.quantize_8bit(weight.detach(), descale=True)
                found[names[id(weight)]] = (even / 2).to(torch.int8)
    return found


def _in_thresholds(name: str, value: Tensor, scales: list[int]) -> Tensor:
    """What :func:`_rounded` made an integer, as a weight again; anything else as it is."""
    if value.dtype != torch.int8:
        return value
    return value.float() * 2 / scales[int(name.split(".")[1])]


def read_meta(path: Path) -> dict[str, Any]:
    """What :func:`save_network` was told of the training.

    Raises
    ------
    ConfigError
        When the file is none of a finished run.
    """
    meta = read_state(path).get("meta")
    if not meta or not isinstance(meta, dict):
        raise ConfigError("this file does not say how its network was trained", where=str(path),
                          fix="name the weights.safetensors of a finished run")
    return meta


def holds_network(path: Path) -> bool:
    """Whether :func:`save_network` wrote this file; what is wrong with one that it did not write, its reader says."""
    try:
        return "config" in read_state(path)
    except ConfigError:
        return False


def load_network(path: Path, quantized: bool = True) -> SpikingGraphNet:
    """The network that :func:`save_network` wrote, quantised or still in floating point.

    Raises
    ------
    ConfigError
        When the file is not one.
    """
    state = read_state(path)
    kind, name = ("quantised", "weights") if quantized else ("floating-point", "float")
    what, fix = f"this file does not hold a {kind} network", f"name the {name}.safetensors of a finished run"
    try:
        with typed(ConfigError, what, str(path), fix):
            if state.get("quantized", True) != quantized:
                raise ValueError("it holds floating-point weights" if quantized else "it holds integers")
            if "network" not in state["config"]:
                raise ConfigError("an older version of mksgn wrote this network", str(path),
                                  fix="use the version that wrote it, or train the network anew")
            config, data = shape_of(state["config"])
            with safe_open(path, "pt") as file:
                read = {key[len(MODEL):]: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            tensors = {name: _in_thresholds(name, value, state["scales"]) for name, value in read.items()}
            check_tensors(tensors, state_of(config, data))  # before memory is taken for the network
            net = SpikingGraphNet(config, data)
            if quantized:
                net.quantize()
            net.load_state_dict(tensors)
            net.set_scales(state["scales"])
    except MksgnError as error:
        if error.where == str(path):
            raise
        # A body or a network that cannot be does not know which file it stands in.
        raise ConfigError(what, str(path), " ".join(filter(None, (error.what, error.got))), error.allowed,
                          fix) from error
    return net.eval()


def load_weights(net: SpikingGraphNet, path: Path) -> None:
    """Give ``net``, in floating point, the weights of the network at ``path``: :func:`give_weights`.

    Raises
    ------
    ConfigError
        When the file is not one, or of another network.
    """
    give_weights(net, floating_network(path), path)


def floating_network(path: Path) -> SpikingGraphNet:
    """The network at ``path`` in floating point; one of integers is unfolded (:mod:`mksgn.nn.unfolding`).

    Raises
    ------
    ConfigError
        When the file is not one.
    """
    quantized = read_state(path).get("quantized", True)
    found = load_network(path, quantized)
    return unfolded(found) if quantized else found


def give_weights(net: SpikingGraphNet, found: SpikingGraphNet, path: Path) -> None:
    """Give ``net`` the weights of ``found``, which ``path`` holds; both in floating point.

    T, dropout, the number of synapses of a residual and the frames of a sample may differ, and so may temporal padding
    and kernel: a shorter kernel takes those taps of the longer that read the same frames beside the residual's.

    Raises
    ------
    ConfigError
        When they are different networks.
    """
    convolves = isinstance(net.config, GraphConfig) and isinstance(found.config, GraphConfig)
    free = {"time_steps", "dropout", "residual_synapses", "body", *(RETIMED if convolves else ())}
    here, there = ({"network": each.config.name, **vars(each.data), **vars(each.config)} for each in (net, found))
    for name in sorted(here.keys() - free, key=lambda name: (name != "network", name)):
        if here[name] != there.get(name):
            raise ConfigError("these weights are another network's", where=str(path), got=f"{name} {there.get(name)}",
                              allowed=f"{name} {here[name]}", fix="start with the options of that run")
    tensors = _with_kernels_of(net, found, path) if convolves else found.state_dict()
    shapes = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    if shapes != {name: tuple(value.shape) for name, value in tensors.items()}:
        raise ConfigError("these weights are of another body", where=str(path), got=f"{found.data.body.num_joints} "
                          "joints", allowed=f"{net.data.body.num_joints}", fix="start from a run on the same data")
    net.load_state_dict(tensors)


def retimed(net: SpikingGraphNet, found: SpikingGraphNet) -> bool:
    """Whether ``net`` looks at other frames than ``found``, whose weights it takes."""
    return any(getattr(shape, name, None) != getattr(other, name, None) for name in RETIMED
               for shape, other in ((net.data, found.data), (net.config, found.config)))


def _with_kernels_of(net: SpikingGraphNet, found: SpikingGraphNet, path: Path) -> dict[str, Tensor]:
    """The tensors of ``found`` with the taps of their temporal kernels that ``net`` has.

    Raises
    ------
    ConfigError
        When ``net`` reads a frame that ``found`` does not.
    """
    ours, theirs = net.config, found.config
    assert isinstance(ours, GraphConfig) and isinstance(theirs, GraphConfig)
    first = theirs.residual_tap - ours.residual_tap
    last = first + ours.temporal_kernel
    if first < 0 or last > theirs.temporal_kernel:
        raise ConfigError("the kernels of these weights lack frames", where=str(path),
                          got=f"kernel {theirs.temporal_kernel}, padding {theirs.temporal_padding}",
                          allowed=f"all frames of kernel {ours.temporal_kernel}, padding {ours.temporal_padding}",
                          fix="give a smaller --temporal-kernel")
    trained = {name for name, value in net.named_parameters() if value.requires_grad}
    tensors = found.state_dict()
    for name, own in net.state_dict().items():
        value = tensors.get(name, own)
        if [at for at, sizes in enumerate(zip(own.shape, value.shape)) if sizes[0] != sizes[1]] == [FRAME_AXIS]:
            tensors[name] = value[:, :, first:last] if name in trained else own  # the head averages its own frames
    return tensors
