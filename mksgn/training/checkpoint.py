"""Checkpoints and trained networks as safetensors files, replaced whole; no pickle anywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from mksgn.errors import ConfigError, MksgnError, typed
from mksgn.networks.graph import GraphConfig
from mksgn.nn import SpikingGraphNet
from mksgn.nn.graph_projections import GraphConvProjection
from mksgn.nn.unfolding import unfolded
from mksgn.teachers.weights import save_tensors
from mksgn.training.shapes import check_tensors, shape_of, state_of, stated

CHECKPOINT, FLOAT, WEIGHTS, NET = "checkpoint.safetensors", "float.safetensors", "weights.safetensors", "mksgn.net"
"""What a run leaves: its state after every epoch, the floating-point network, the quantised one, and its integers."""
_HEADER_LIMIT = 100_000_000
"""The safetensors format's own bound, in bytes."""
_READABLE = "name the folder of a run that has written one; to begin a run, leave out --resume"
_DATA_OFFSETS, _METADATA = "data_offsets", "__metadata__"
_ADAM = {"step", "exp_avg", "exp_avg_sq"}
"""Without which Adam and AdamW cannot go on from states of theirs."""
_MODEL, _OPTIMISER, _RNG = "model.", "optimiser.", "rng"

RETIMED = ("frames", "temporal_kernel", "temporal_padding")
"""Choices that only change how many frames there are, and which of them a temporal convolution reads."""
FRAME_AXIS = 2
"""Of a convolution's weight in SLAYER: channels out and in, and a kernel over frames, joints and 1."""


def save_checkpoint(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer, state: dict[str, Any],
                    further_optimisers: Mapping[str, torch.optim.Optimizer] | None = None,
                    further_modules: Mapping[str, nn.Module] | None = None) -> None:
    """Write weights, the optimiser's state, torch's random generator and ``state`` (JSON values).

    The file is replaced whole.

    Parameters
    ----------
    further_optimisers : mapping, optional
        Other optimisers of the run, by name.
    further_modules : mapping, optional
        Modules, by name, that are trained or averaged beside the model.

    Raises
    ------
    OSError
        When it cannot be written; an earlier checkpoint is as it was.
    """
    tensors: dict[str, Tensor] = {_MODEL + name: value.contiguous() for name, value in model.state_dict().items()}
    for which, module in (further_modules or {}).items():
        tensors |= {f"{which}.{_MODEL}{name}": value.contiguous() for name, value in module.state_dict().items()}
    for prefix, each in _prefixed(optimiser, further_optimisers):
        for index, entries in each.state_dict()["state"].items():
            for name, value in entries.items():
                if value is not None:  # SGD without momentum has no buffer
                    tensors[f"{prefix}{index}.{name}"] = torch.as_tensor(value).contiguous()
    tensors[_RNG] = torch.get_rng_state()
    _write(path, tensors, state)


def _prefixed(optimiser: torch.optim.Optimizer,
              further: Mapping[str, torch.optim.Optimizer] | None) -> list[tuple[str, torch.optim.Optimizer]]:
    """Optimisers, each with what the names of its tensors begin with. The network's own optimiser has no name."""
    return [(_OPTIMISER, optimiser), *((f"{_OPTIMISER}{name}.", each) for name, each in (further or {}).items())]


def _write(path: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    save_tensors(path, tensors, {"state": json.dumps(state)})


def save_network(path: Path, net: SpikingGraphNet, meta: dict[str, Any] | None = None, *,
                 compact: bool = False) -> None:
    """Write a network's shape, scales and (float master) weights, enough to rebuild or fine-tune it.

    ``meta`` is what an mksgn.net says of its training, for networks that have none. ``compact`` writes a quantised
    network's trained weights as the integers that they are, halved, as int8: a quarter of the size, the same integers,
    and what the masters had beyond them is gone.
    """
    tensors = net.state_dict() | (_rounded(net) if compact else {})
    _write(path, {_MODEL + name: value for name, value in tensors.items()},
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
                read = {key[len(_MODEL):]: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
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


def read_state(path: Path, **needed: type) -> dict[str, Any]:
    """The JSON state of a checkpoint or of a network's file.

    Parameters
    ----------
    path : Path
    **needed : type
        Entries that it must have, and of which type.

    Raises
    ------
    ConfigError
        When there is none at ``path``, it is cut short, or the file is something else.
    """
    with typed(ConfigError, "no checkpoint can be read here", str(path), fix=_READABLE):
        # Read the header in one open: safe_open maps the file in a second one, and a run may replace it in between.
        with open(path, "rb") as file:
            found = os.fstat(file.fileno()).st_size
            size = int.from_bytes(file.read(8), "little")
            if size > _HEADER_LIMIT:
                raise ValueError("not a safetensors file")
            header = json.loads(file.read(size))
            state = json.loads(header[_METADATA]["state"])
        if type(state) is not dict:
            raise ValueError("its state is no JSON object")
        promised = 8 + size + max((entry[_DATA_OFFSETS][1] for name, entry in header.items() if name != _METADATA),
                                  default=0)
        if found != promised:
            raise ConfigError("this file is cut short or damaged", where=str(path), got=f"{found:,} bytes",
                              allowed=f"{promised:,} bytes", fix="copy it again from where it is whole, or train anew")
    for name, kind in needed.items():
        if type(state.get(name)) is not kind:
            raise ConfigError("this checkpoint is of another program, or of an older version of this one", str(path),
                              f"{name} is {state.get(name)!r:.60}", f"{name} is of type {kind.__name__}",
                              "resume it with what wrote it, or start anew with --overwrite")
    return state


def load_checkpoint(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer,
                    further_optimisers: Mapping[str, torch.optim.Optimizer] | None = None,
                    further_modules: Mapping[str, nn.Module] | None = None) -> None:
    """Restore what :func:`save_checkpoint` wrote into objects of the same shape.

    Raises
    ------
    ConfigError
        When the file is damaged, or of other objects.
    """
    with typed(ConfigError, "this checkpoint cannot be continued", str(path),
               fix="start without --resume, or name the folder of an earlier run with --out"):
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        for prefix, module in [(_MODEL, model),
                               *((f"{which}.{_MODEL}", each) for which, each in (further_modules or {}).items())]:
            weights = {k[len(prefix):]: v for k, v in tensors.items() if k.startswith(prefix)}
            check_tensors(weights, module.state_dict())
            module.load_state_dict(weights)
        for prefix, each in _prefixed(optimiser, further_optimisers):
            entries: dict[int, dict[str, Tensor]] = {}
            for name, value in tensors.items():
                if name.startswith(prefix):
                    index, key = name[len(prefix):].split(".", 1)
                    if index.isdigit():
                        entries.setdefault(int(index), {})[key] = value
            _check_entries(each, entries)
            each.load_state_dict({"state": entries, "param_groups": each.state_dict()["param_groups"]})
        torch.set_rng_state(tensors[_RNG])


def _check_entries(optimiser: torch.optim.Optimizer, entries: dict[int, dict[str, Tensor]]) -> None:
    """An optimiser takes states of any name, shape and type, and fails at its first step."""
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    needed = _ADAM if isinstance(optimiser, (torch.optim.Adam, torch.optim.AdamW)) else set()
    for index, states in entries.items():
        if index >= len(parameters) or needed - states.keys():
            raise ValueError(f"states {', '.join(states)} of parameter {index} of {len(parameters)}")
        for name, value in states.items():
            expected = () if name == "step" else parameters[index].shape
            if value.shape != expected or not value.is_floating_point() or not value.isfinite().all():
                raise ValueError(f"{name} of parameter {index} has shape {tuple(value.shape)}, type {value.dtype}, or "
                                 "numbers that are not finite")
