"""Layer tables, by formula: what every floating-point network of the paper's Tables 1-3 multiplies and stores.

Written from the networks' publications, without looking at our modules: _counting.py counts those,
and the two must agree. Letters: C channels, F frames, V joints, K adjacency partitions, M persons.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mksgn.energy.printed import TABLE7

K = 3
"""Partitions of the adjacency in ST-GCN, 2s-AGCN and CTR-GCN."""


@dataclass(frozen=True)
class Layer:
    """One operation of a network.

    Parameters
    ----------
    name : str
    kind : str
        'conv' (also 1 x 1 and linear layers inside), 'linear' (the classifier), 'mix' (joints by a trained or fixed
        adjacency), 'pair' (two computed tensors multiplied: an adjacency of the sample, attention), or 'other'
        (batch norm, masks, offsets: parameters, but no multiply-accumulates that the usual counters know).
    shape : tuple of int
        What one person's forward pass makes, (C, F, V).
    macs : int
        Multiply-accumulates of all persons, one stream, one time step.
    parameters : int
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    macs: int
    parameters: int


@dataclass(frozen=True)
class Setting:
    """Sizes of the input and the output, from which those of a network follow.

    Parameters
    ----------
    frames, joints, persons, classes : int
    """

    frames: int = 64
    joints: int = 25
    persons: int = 2
    classes: int = 60


NTU60 = Setting()
NTU60_300 = Setting(frames=300)
NW_UCLA = Setting(frames=52, joints=20, persons=1, classes=10)
"""CTR-GCN's published preprocessing of NW-UCLA resizes every sequence to 52 frames."""


def total(layers: list[Layer], kinds: str = "conv linear mix pair") -> int:
    """Multiply-accumulates of the given kinds."""
    return sum(layer.macs for layer in layers if layer.kind in kinds.split())


def parameters(layers: list[Layer]) -> int:
    """Trained numbers."""
    return sum(layer.parameters for layer in layers)


class _Table:
    """Collects the layers of one network."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.layers: list[Layer] = []

    def add(self, name: str, kind: str, shape: tuple[int, ...], macs: int = 0, parameters: int = 0) -> None:
        self.layers.append(Layer(name, kind, shape, macs * self.setting.persons, parameters))

    def conv(self, name: str, inputs: int, outputs: int, places: tuple[int, int], taps: int = 1, groups: int = 1,
             bias: bool = True) -> None:
        """A convolution whose output has ``places`` (F, V)."""
        weights = outputs * (inputs // groups) * taps
        self.add(name, "conv", (outputs, *places), weights * places[0] * places[1],
                 weights + (outputs if bias else 0))

    def norm(self, name: str, channels: int) -> None:
        self.add(f"{name}.norm", "other", (channels,), parameters=2 * channels)

    def shortcut(self, name: str, inputs: int, outputs: int, frames: int, stride: int = 1) -> None:
        """1 x 1 convolution and batch norm where a residual changes shape; nothing where it does not."""
        if inputs != outputs or stride > 1:
            self.conv(name, inputs, outputs, (frames // stride, self.setting.joints))
            self.norm(name, outputs)

    def classifier(self, channels: int) -> list[Layer]:
        """The last layer, once for all persons: their features are averaged before it."""
        classes = self.setting.classes
        self.layers.append(Layer("fc", "linear", (classes,), channels * classes, (channels + 1) * classes))
        return self.layers


def _plan(setting: Setting) -> Iterator[tuple[str, int, int, int, int]]:
    """Name, inputs, outputs, frames before and stride of the ten layers that the GCNs share (paper, Table 7)."""
    inputs, frames = 3, setting.frames
    for number, (outputs, stride) in enumerate(zip(TABLE7["GCN"]["widths"], TABLE7["GCN"]["strides"]), start=1):
        yield f"layer{number}", inputs, outputs, frames, stride
        inputs, frames = outputs, frames // stride


def st_gcn(setting: Setting = NTU60, partitions: int = K, taps: int = 9, shortcuts: bool = True,
           importance: bool = True) -> list[Layer]:
    """ST-GCN (Yan et al. 2018): W for every partition, then the adjacency, then 9 x 1 over time.

    ``partitions``, ``taps``, ``shortcuts`` (strided 1 x 1 residuals) and ``importance`` (trained edge weights) are
    there to look for the network the paper calls ST-GCN: see _readings.py.
    """
    table, v = _Table(setting), setting.joints
    table.norm("data", 3 * v)
    for name, inputs, outputs, f, stride in _plan(setting):
        table.conv(f"{name}.W", inputs, partitions * outputs, (f, v))
        table.add(f"{name}.A", "mix", (outputs, f, v), partitions * v * v * outputs * f,
                  partitions * v * v if importance else 0)
        table.norm(f"{name}.A", outputs)
        table.conv(f"{name}.temporal", outputs, outputs, (f // stride, v), taps)
        table.norm(f"{name}.temporal", outputs)
        if name != "layer1" and shortcuts:
            table.shortcut(f"{name}.shortcut", inputs, outputs, f, stride)
    return table.classifier(256)


def agcn(setting: Setting = NTU60) -> list[Layer]:
    """One stream of 2s-AGCN (Shi et al. 2019): A + B + softmax(theta x phi x) mixes the joints, then W."""
    table, v = _Table(setting), setting.joints
    table.norm("data", 3 * v * setting.persons)
    for name, inputs, outputs, f, stride in _plan(setting):
        embedding = outputs // 4
        table.conv(f"{name}.theta, phi", inputs, 2 * K * embedding, (f, v))
        table.add(f"{name}.C", "pair", (K, v, v), K * v * v * embedding * f)
        table.add(f"{name}.A + B + C", "mix", (K * inputs, f, v), K * v * v * inputs * f, K * v * v)
        for k in range(K):
            table.conv(f"{name}.W{k}", inputs, outputs, (f, v))
        table.norm(f"{name}.W", outputs)
        table.shortcut(f"{name}.mix shortcut", inputs, outputs, f)
        table.conv(f"{name}.temporal", outputs, outputs, (f // stride, v), 9)
        table.norm(f"{name}.temporal", outputs)
        if name != "layer1":
            table.shortcut(f"{name}.shortcut", inputs, outputs, f, stride)
    return table.classifier(256)


def shift_gcn(setting: Setting = NTU60) -> list[Layer]:
    """One stream of Shift-GCN (Cheng et al. 2020): shifts and 1 x 1 convolutions; the stride is in the last shift."""
    table, v = _Table(setting), setting.joints
    table.norm("data", 3 * v * setting.persons)
    for name, inputs, outputs, f, stride in _plan(setting):
        table.add(f"{name}.mask", "other", (inputs, f, v), parameters=inputs * v)
        table.conv(f"{name}.spatial", inputs, outputs, (f, v))
        table.norm(f"{name}.spatial", outputs * v)
        table.shortcut(f"{name}.mix shortcut", inputs, outputs, f)
        table.norm(f"{name}.shift in", outputs)
        table.add(f"{name}.offsets", "other", (2 * outputs,), parameters=2 * outputs)
        table.conv(f"{name}.temporal", outputs, outputs, (f, v))
        table.norm(f"{name}.shift out", outputs)
        if name != "layer1":
            table.shortcut(f"{name}.shortcut", inputs, outputs, f, stride)
    return table.classifier(256)


def ctr_gcn(setting: Setting = NTU60, pooled_first: bool = False) -> list[Layer]:
    """One stream of CTR-GCN (Chen et al. 2021).

    The published code compares joints in every frame and then takes the mean over frames (``pooled_first`` False);
    the mean first gives the same numbers for 1/F of the work, which is what our module does.
    """
    table, v = _Table(setting), setting.joints
    table.norm("data", 3 * v * setting.persons)
    for name, inputs, outputs, f, stride in _plan(setting):
        relations, part = 8 if inputs == 3 else inputs // 8, outputs // 4
        table.conv(f"{name}.W1, W2", inputs, 2 * K * relations, (1 if pooled_first else f, v))
        table.conv(f"{name}.W4", K * relations, K * outputs, (v, v), groups=K)
        table.conv(f"{name}.W3", inputs, K * outputs, (f, v))
        table.add(f"{name}.topology", "pair", (outputs, f, v), K * v * v * outputs * f, K * v * v + 1)
        table.norm(f"{name}.topology", outputs)
        table.shortcut(f"{name}.mix shortcut", inputs, outputs, f)
        table.conv(f"{name}.reduce", outputs, 3 * part, (f, v))
        table.norm(f"{name}.reduce", 3 * part)
        for dilation in (1, 2):
            table.conv(f"{name}.temporal, dilation {dilation}", part, part, (f // stride, v), 5)
        table.conv(f"{name}.point", outputs, part, (f // stride, v))
        table.norm(f"{name}.temporal", outputs)
        if name != "layer1":
            table.shortcut(f"{name}.shortcut", inputs, outputs, f, stride)
    return table.classifier(256)


def ms_g3d(setting: Setting = NTU60) -> list[Layer]:
    """One stream of MS-G3D (Liu et al. 2020): 13 scales in space; 6 scales in windows of 3 and of 5 frames."""
    table, v = _Table(setting), setting.joints
    table.norm("data", 3 * v * setting.persons)

    def scales(name: str, inputs: int, outputs: int, f: int, nodes: int, count: int) -> None:
        table.add(f"{name}.A", "mix", (count * inputs, f, nodes), count * nodes * nodes * inputs * f,
                  count * nodes * nodes)
        table.conv(f"{name}.W", count * inputs, outputs, (f, nodes))
        table.norm(f"{name}.W", outputs)

    def temporal(name: str, inputs: int, outputs: int, f: int, stride: int = 1) -> None:
        part = outputs // 6
        table.conv(f"{name}.reduce", inputs, 5 * part, (f, v))
        table.norm(f"{name}.reduce", 5 * part)
        for dilation in (1, 2, 3, 4):
            table.conv(f"{name}.dilation {dilation}", part, part, (f // stride, v), 3)
        table.conv(f"{name}.point", inputs, part, (f // stride, v))
        table.norm(name, outputs)
        table.shortcut(f"{name}.shortcut", inputs, outputs, f, stride)

    inputs, f = 3, setting.frames
    for number, (outputs, stride) in enumerate(((96, 1), (192, 2), (384, 2)), start=1):
        name, hidden = f"layer{number}", 96 if number == 1 else inputs
        for window in (3, 5):
            scales(f"{name}.window{window}", inputs, hidden, f // stride, window * v, 6)
            table.conv(f"{name}.window{window}.collapse", hidden, outputs, (f // stride, v), window)
            table.norm(f"{name}.window{window}.collapse", outputs)
        scales(f"{name}.spatial", inputs, hidden, f, v, 13)
        temporal(f"{name}.spatial.temporal1", hidden, outputs, f, stride)
        temporal(f"{name}.spatial.temporal2", outputs, outputs, f // stride)
        temporal(f"{name}.temporal", outputs, outputs, f // stride)
        inputs, f = outputs, f // stride
    return table.classifier(384)


def spikformer(setting: Setting = NTU60, spike_driven: bool = False, width: int = 256) -> list[Layer]:
    """Spikformer (Zhou et al. 2022), or Spike-driven Transformer (Yao et al. 2023), as the paper adapts them.

    One SPS: a 3 x 3 convolution from the coordinates to ``width`` and no down-sampling; every joint of every frame
    is a token; six blocks of attention and of an MLP four times as wide. Spikformer multiplies Q K^T V; the other
    masks and adds (K * V summed over tokens, then * Q), has no bias in Q, K and V, and keeps 8 x 8 unused weights
    ("talking heads") in every block of the published code.
    """
    table, v, f = _Table(setting), setting.joints, setting.frames
    table.conv("SPS", 3, width, (f, v), 9, bias=False)
    table.norm("SPS", width)
    for number in range(1, len(TABLE7["Spikformer"]["widths"]) + 1):
        for part in ("q", "k", "v", "proj"):
            table.conv(f"block{number}.{part}", width, width, (f, v), bias=part == "proj" or not spike_driven)
            table.norm(f"block{number}.{part}", width)
        if spike_driven:
            table.add(f"block{number}.talking heads", "other", (8, 8), parameters=64)
        else:
            table.add(f"block{number}.q k^T", "pair", (f * v, f * v), (f * v) ** 2 * width)
            table.add(f"block{number}.attention v", "pair", (width, f, v), (f * v) ** 2 * width)
        table.conv(f"block{number}.mlp1", width, 4 * width, (f, v))
        table.norm(f"block{number}.mlp1", 4 * width)
        table.conv(f"block{number}.mlp2", 4 * width, width, (f, v))
        table.norm(f"block{number}.mlp2", width)
    return table.classifier(width)
