"""Published CTR-GCN checkpoints: their names of every parameter, and the way to our stacked modules.

Names as in github.com/Uason-Chen/CTR-GCN, model/ctrgcn.py (``Model``): ``data_bn``, ``l1`` ... ``l10``, ``fc``. A
layer has ``gcn1`` (``PA`` the topologies, ``alpha``, ``convs.K.conv1`` ... ``conv4`` of subset K, ``bn``, ``down`` the
shortcut) and ``tcn1.branches`` 0 and 1 (dilated), 2 (maximum), 3 (1 x 1); layers 5 and 8 have ``residual``.

The networks in these checkpoints expect their authors' preprocessing; see :func:`load_published`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from mksgn.errors import ConfigError
from mksgn.skeleton import Body
from mksgn.teachers.ctrgcn import CTRGCN, CTRLayer
from mksgn.teachers.pickles import read_pickled_tensors

_NORM = ("weight", "bias", "running_mean", "running_var")
_COUNTER = "num_batches_tracked"
_CONV = ("weight", "bias")


def load_published(path: str | os.PathLike[str], body: Body) -> CTRGCN:
    """A published CTR-GCN checkpoint (``.pt``), in evaluation mode.

    Parameters
    ----------
    path : path
        Read without running anything in it, see :mod:`mksgn.teachers.pickles`.
    body : Body
        Joint graph of one person; only its number of joints matters, the trained topologies are in the file.

    Notes
    -----
    The input is (N, 3, F, V, M) as its authors prepare it: NTU: 64 frames, both persons minus the first's spine
    middle in the first frame, metres; NW-UCLA: 52 frames, minus the spine in the first frame, each axis scaled to
    -1..1 over the sequence. Bones are in their order of joints, with the spine-shoulder joint as the root.

    Raises
    ------
    ConfigError
        When the file cannot be read, is not a CTR-GCN, or is one of another body.
    """
    return from_published(read_pickled_tensors(path), body, str(path))


def from_published(state: Mapping[str, Tensor], body: Body, where: str = "state dict") -> CTRGCN:
    """Our network with the weights of a published state dict; see :func:`load_published`."""
    try:
        classes, channels = state["fc.weight"].shape[0], state["l1.gcn1.convs.0.conv1.weight"].shape[1]
        joints, base = state["l1.gcn1.PA"].shape[-1], state["l1.gcn1.bn.weight"].shape[0]
        persons = len(state["data_bn.weight"]) // (channels * joints)
    except (KeyError, IndexError, ZeroDivisionError) as error:
        raise ConfigError("this is not a CTR-GCN", where, f"no usable {error}", "names of the published model",
                          "name a checkpoint of github.com/Uason-Chen/CTR-GCN") from None
    if joints != body.num_joints:
        raise ConfigError("the checkpoint is for another body", where, f"{joints} joints",
                          f"{body.num_joints}, as the body given")
    network = CTRGCN(body, classes, channels=channels, persons=max(persons, 1), base_channels=base)
    _check_names(state, published_names(network), where)
    with torch.no_grad():
        for ours, names, axis in published_parts(network):
            parts = [_to_ours(state[name].to(ours.dtype)) for name in names]
            joined = torch.stack(parts, 1) if axis == 1 else torch.cat(parts)
            ours.copy_(joined.reshape(ours.shape))
    return network.eval()


def published_names(network: CTRGCN) -> dict[str, tuple[int, ...]]:
    """Name and shape of everything in the published state dict of a network of this size."""
    joints, channels = network.joints, network.channels
    names = dict(_norm_names("data_bn", network.persons * joints * channels))
    inputs = channels
    for number, layer in enumerate(network.layers, 1):
        assert isinstance(layer, CTRLayer)
        names |= _layer_names(f"l{number}", inputs, layer, joints)
        inputs = layer.mix.outputs
    classes = network.classifier.out_features
    return names | {"fc.weight": (classes, inputs), "fc.bias": (classes,)}


def _layer_names(layer_name: str, inputs: int, layer: CTRLayer, joints: int) -> dict[str, tuple[int, ...]]:
    outputs, relations, part = layer.mix.outputs, layer.mix.relations, layer.mix.outputs // 4
    gcn, tcn = f"{layer_name}.gcn1", f"{layer_name}.tcn1.branches"
    names = {f"{gcn}.PA": (layer.mix.subsets, joints, joints), f"{gcn}.alpha": (1,),
             **_norm_names(f"{gcn}.bn", outputs)}
    for k in range(layer.mix.subsets):
        for conv, shape in (("conv1", (relations, inputs)), ("conv2", (relations, inputs)),
                            ("conv3", (outputs, inputs)), ("conv4", (outputs, relations))):
            names |= _conv_names(f"{gcn}.convs.{k}.{conv}", *shape)
    if inputs != outputs:
        names |= _conv_names(f"{gcn}.down.0", outputs, inputs) | _norm_names(f"{gcn}.down.1", outputs)
    for branch in range(4):
        names |= _conv_names(f"{tcn}.{branch}.0", part, outputs) | _norm_names(f"{tcn}.{branch}.1", part)
    for branch in range(2):
        names |= _conv_names(f"{tcn}.{branch}.3.conv", part, part, 5) | _norm_names(f"{tcn}.{branch}.3.bn", part)
    names |= _norm_names(f"{tcn}.2.4", part)
    if layer.temporal.stride != 1:
        residual = f"{layer_name}.residual"
        names |= _conv_names(f"{residual}.conv", outputs, inputs) | _norm_names(f"{residual}.bn", outputs)
    return names


def _conv_names(name: str, outputs: int, inputs: int, kernel: int = 1) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs, kernel, 1), f"{name}.bias": (outputs,)}


def _norm_names(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    return {**{f"{name}.{field}": (channels,) for field in _NORM}, f"{name}.{_COUNTER}": ()}


def published_parts(network: CTRGCN) -> Iterator[tuple[Tensor, list[str], int]]:
    """Each of our tensors, the published names it is made of, and how.

    Axis 0: they follow each other; axis 1: channel c of subset k becomes channel c K + k.
    """
    yield from _pairs(network.data_norm, ["data_bn"], _NORM)
    for number, layer in enumerate(network.layers, 1):
        assert isinstance(layer, CTRLayer)
        mix, gcn, tcn = layer.mix, f"l{number}.gcn1", f"l{number}.tcn1.branches"
        convs = [f"{gcn}.convs.{k}" for k in range(mix.subsets)]
        yield mix.adjacency, [f"{gcn}.PA"], 0
        yield mix.alpha, [f"{gcn}.alpha"], 0
        yield from _pairs(mix.compare, [f"{c}.conv1" for c in convs] + [f"{c}.conv2" for c in convs], _CONV)
        yield from _pairs(mix.expand, [f"{c}.conv4" for c in convs], _CONV)
        yield from _pairs(mix.value, [f"{c}.conv3" for c in convs], _CONV, axis=1)
        yield from _pairs(layer.mix_norm, [f"{gcn}.bn"], _NORM)
        yield from _shortcut_pairs(layer.mix_shortcut, f"{gcn}.down.0", f"{gcn}.down.1")
        temporal = layer.temporal
        yield from _pairs(temporal.reduce, [f"{tcn}.{b}.0" for b in range(3)], _CONV)
        yield from _pairs(temporal.reduce_norm, [f"{tcn}.{b}.1" for b in range(3)], _NORM)
        for branch, dilated in enumerate(temporal.dilated):
            yield from _pairs(dilated, [f"{tcn}.{branch}.3.conv"], _CONV)
        yield from _pairs(temporal.point, [f"{tcn}.3.0"], _CONV)
        yield from _pairs(temporal.norm, [f"{tcn}.0.3.bn", f"{tcn}.1.3.bn", f"{tcn}.2.4", f"{tcn}.3.1"], _NORM)
        yield from _shortcut_pairs(layer.shortcut, f"l{number}.residual.conv", f"l{number}.residual.bn")
    yield from _pairs(network.classifier, ["fc"], _CONV)


def _pairs(module: torch.nn.Module, names: list[str], fields: tuple[str, ...],
           axis: int = 0) -> Iterator[tuple[Tensor, list[str], int]]:
    for field in fields:
        yield getattr(module, field), [f"{name}.{field}" for name in names], axis


def _shortcut_pairs(shortcut: torch.nn.Module | None, conv: str,
                    norm: str) -> Iterator[tuple[Tensor, list[str], int]]:
    if isinstance(shortcut, torch.nn.Sequential):
        yield from _pairs(shortcut[0], [conv], _CONV)
        yield from _pairs(shortcut[1], [norm], _NORM)


def _to_ours(published: Tensor) -> Tensor:
    """Their kernels are (frames, joints), ours (joints, frames)."""
    return published.transpose(2, 3) if published.dim() == 4 else published


def _check_names(state: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]], where: str) -> None:
    missing = [n for n in expected if n not in state and not n.endswith(_COUNTER)]
    unknown = [n for n in state if n not in expected]
    if missing or unknown:
        raise ConfigError("the names in the checkpoint are not those of a CTR-GCN", where,
                          f"missing {missing[:3]}, unknown {unknown[:3]}", "the published model's names",
                          "models with other layers than the published CTR-GCN cannot be loaded")
    wrong = [n for n in state if tuple(state[n].shape) != expected[n]]
    if wrong:
        raise ConfigError("a tensor in the checkpoint has the wrong shape", f"{where}: {wrong[0]}",
                          str(tuple(state[wrong[0]].shape)), str(expected[wrong[0]]))
