"""The populations of a network, added one after the other in the order in which spikes reach them.

A network (:mod:`mksgn.networks`) says with a :class:`PopulationBuilder` which populations it has and what each reads.
Their names follow the paper's Table 6: ``block2.sgsa.q`` is its SG-SA2_lifq
(:func:`mksgn.energy.printed.table6_name`). Everything that is added performs spike-driven operations only, so that
:func:`mksgn.nn.lowering.to_graph` can write it as integers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mksgn.errors import ConfigError
from mksgn.nn.config import DataShape, NetworkConfig
from mksgn.nn.fused_projection import FUSED, FusedProjection
from mksgn.nn.fusion import Fusion
from mksgn.nn.gates import GatePopulation
from mksgn.nn.graph_projections import GraphConvProjection, JointMixProjection
from mksgn.nn.lif import Surrogate
from mksgn.nn.population import NeuronParameters, SpikingPopulation
from mksgn.nn.product import ProductPopulation
from mksgn.nn.projections import ConvProjection, IdentityProjection, PoolProjection, Projection
from mksgn.nn.shortcut import ShortcutPopulation
from mksgn.nn.spike_coding import KERNEL, PADDING, ModalityProjection, SpikeCoder, coder_name
from mksgn.nn.tokens import TokenBroadcast, TokenSumPopulation

INPUT = "input"
"""Name of the population of graded coordinates that every network reads."""
MIX_GAIN = 2.2
"""Threshold units per row of a joint-mixing partition: one of two neighbours fires the neuron, of three two must."""
MIX_SURROGATE = Surrogate(width=4.0, height=0.5)
"""A mixing neuron sits far from its threshold, where the paper's window passes no gradient."""
Shape = tuple[int, int, int]
"""Channels, frames and joints (C, F, V)."""


class PopulationBuilder:
    """Collects the populations of one network.

    The order of the calls is the order of the populations, of the random numbers that their weights begin with, and
    of the parameters.

    Parameters
    ----------
    config : NetworkConfig
        For what all populations share: decays and surrogate.
    data : DataShape

    Attributes
    ----------
    names : list of str
    populations : list of SpikingPopulation
    coders : tuple of str
        Names of the spike coders.
    fusion : Fusion or None
        The module that weighs several coders.
    """

    def __init__(self, config: NetworkConfig, data: DataShape) -> None:
        self.data = data
        width = config.surrogate_width
        self.neuron: NeuronParameters = {"current_decay": config.current_decay, "voltage_decay": config.voltage_decay,
                                         "surrogate": Surrogate(width=width, height=1 / width),
                                         "carried": config.frame_state == "carried"}
        self.names: list[str] = []
        self.populations: list[SpikingPopulation] = []
        self.coders: tuple[str, ...] = ()
        self.fusion: Fusion | None = None

    def __getitem__(self, name: str) -> SpikingPopulation:
        """The population of this name."""
        return self.populations[self.names.index(name)]

    def shape(self, source: str) -> Shape:
        """(C, F, V) of what ``source`` sends."""
        return self[self.coders[0] if source == FUSED else source].shape

    def sends_spikes(self, source: str) -> bool:
        """Whether ``source`` is a spike train. P_fuse is none: it is a weighted sum of several."""
        return source != FUSED

    # ------------------------------------------------------------------ populations
    def append(self, name: str, population: SpikingPopulation) -> str:
        """Make ``population`` the next one; returns its name."""
        self.names.append(name)
        self.populations.append(population)
        return name

    def population(self, name: str, shape: Shape, projections: Sequence[Projection], *, norm: bool = True,
                   surrogate: Surrogate | None = None) -> str:
        """Add SN(BN(sum of ``projections``)), or without BN; returns its name."""
        neuron = self.neuron if surrogate is None else NeuronParameters({**self.neuron, "surrogate": surrogate})
        reading = [self._fused(p) if p.sources == (FUSED,) else p for p in projections]
        return self.append(name, SpikingPopulation(shape, reading, norm=norm, **neuron))

    def linear(self, name: str, sources: tuple[str, ...], width: int) -> str:
        """Add SN(BN(W x)) at every joint of every frame, x the sum of ``sources``' spikes; returns its name."""
        channels, frames, joints = self.shape(sources[0])
        return self.population(name, (width, frames, joints), [ConvProjection(sources, channels, width)])

    def gate(self, name: str, kind: str, shape: Shape, projections: Sequence[Projection]) -> str:
        """Add the logical ``and`` or ``or`` of two spike trains; returns its name."""
        return self.append(name, GatePopulation(kind, shape, list(projections)))

    def both(self, name: str, left: str, right: str) -> str:
        """Add ``left`` AND ``right``, two populations of one shape; returns its name."""
        return self.gate(name, "and", self.shape(left), [self.one_to_one((side,)) for side in (left, right)])

    def either(self, name: str, left: str, right: str) -> str:
        """Add ``left`` OR ``right``, two populations of one shape; returns its name."""
        return self.gate(name, "or", self.shape(left), [self.one_to_one((left, right))])

    # ------------------------------------------------------------------ projections
    def conv(self, sources: tuple[str, ...], width: int, *, kernel: int = 1, stride: int = 1, padded: bool = True,
             last_of: int = 1) -> ConvProjection:
        """A trained convolution over ``kernel`` frames of the sum of ``sources``, ``padded`` to keep their number.

        With a kernel of one frame, ``last_of`` frames may be a window of which the last alone is read. From the first
        stride on, populations carry no state from frame to frame: in a stream, which decides at every frame, a neuron
        behind a stride works on frames of several clips in turn.
        """
        channels = self.shape(sources[0])[0]
        if stride > 1:
            self._carry_no_further()
        return ConvProjection(sources, channels, width, (kernel, 1), (stride, 1), (kernel // 2 if padded else 0, 0),
                              last_of=last_of)

    def one_to_one(self, sources: tuple[str, ...], *, parallel: int = 1, last_of: int = 1) -> IdentityProjection:
        """Every spike of ``sources``, as much as the threshold, to the neuron at its place.

        ``last_of``: to that of the windows of so many frames whose last it is.
        """
        return IdentityProjection(sources, self.shape(sources[0])[0], parallel=parallel, last_of=last_of)

    def graph_conv(self, source: str, width: int, partitions: np.ndarray) -> GraphConvProjection:
        """Trained weights along the edges of ``partitions``, float32 (K, V, V), in one synapse."""
        return GraphConvProjection((source,), self.shape(source)[0], width, partitions)

    def mix_joints(self, name: str, source: str, partitions: np.ndarray, *, trained: bool) -> str:
        """Add a population per partition, float32 (K, V, V), that fires where enough neighbours do; returns its name.

        ``trained`` begins with these weights, and trains them and a bias.
        """
        channels, frames, joints = self.shape(source)
        projection = JointMixProjection((source,), partitions * MIX_GAIN, trained=trained)
        self.population(name, (channels * len(partitions), frames, joints), [projection], norm=False,
                        surrogate=MIX_SURROGATE)
        self[name].bias.requires_grad_(trained)
        return name

    # ------------------------------------------------------------------ attention
    def queries(self, name: str, sources: tuple[str, ...], width: int) -> tuple[str, str, str]:
        """Add q, k and v, each SN(BN(W x)), x the sum of ``sources``' spikes; returns their names."""
        q, k, v = (self.linear(f"{name}.{letter}", sources, width) for letter in "qkv")
        return q, k, v

    def masked_queries(self, name: str, x: str, width: int) -> tuple[str, str]:
        """Add q, k and v, each SN(BN(W x)), and k AND v; returns the names of q and k AND v."""
        q, k, v = self.queries(name, (x,), width)
        return q, self.both(f"{name}.k_and_v", k, v)

    def sum_joints(self, name: str, source: str) -> str:
        """Add SN(BN(sum of a channel over the joints of a frame)); returns its name."""
        channels, frames, joints = self.shape(source)
        return self.population(name, (channels, frames, 1), [PoolProjection((source,), channels, (1, joints))])

    def mask_joints(self, name: str, q: str, mask: str) -> str:
        """Add q AND ``mask``, whose neurons each meet all joints of their frame; returns its name."""
        joints = self.shape(q)[2]
        spread = JointMixProjection((mask,), np.ones((1, joints, 1), np.float32))
        return self.gate(name, "and", self.shape(q), [self.one_to_one((q,)), spread])

    def sum_tokens(self, name: str, source: str) -> str:
        """Add SN(BN(sum of a channel over the joints of all frames)); returns its name."""
        return self.append(name, TokenSumPopulation(source, self.shape(source), self.neuron))

    def mask_tokens(self, name: str, q: str, mask: str) -> str:
        """Add q AND ``mask``, whose neurons each meet the joints of all frames; returns its name."""
        return self.gate(name, "and", self.shape(q), [self.one_to_one((q,)), TokenBroadcast((mask,), self.shape(q))])

    def product(self, name: str, sources: tuple[str, str, str], heads: int, *, across_frames: bool) -> str:
        """Add SN(BN(Q K^T V)) of ``sources`` q, k and v (:mod:`mksgn.nn.product`); returns its name.

        Each joint attends to the joints of its frame, or of all frames.
        """
        return self.append(name, ProductPopulation(sources, self.shape(sources[0]), heads, across_frames, self.neuron))

    def shortcut(self, name: str, branch: str, start: str, width: int, gain: float) -> str:
        """Add LIF(U + BN(W branch)) (:mod:`mksgn.nn.shortcut`); returns its name.

        U is the membrane shortcut so far: the spikes of ``start`` and the branches of all shortcuts added before.
        ``gain`` is batch norm's first scale of this branch, in thresholds.
        """
        channels, frames, joints = self.shape(branch)
        before = [each for each in self.populations if isinstance(each, ShortcutPopulation)]
        projection = ConvProjection((branch,), channels, width)
        return self.append(name, ShortcutPopulation(name, (width, frames, joints), projection,
                                                    before[-1] if before else start, gain, self.neuron))

    # ------------------------------------------------------------------ the two ends of every network
    def spike_coders(self, width: int, fusion: str = "sum", weights: tuple[float, ...] | None = None,
                     padded: bool = True) -> str:
        """Add a spike coder (Eq. 3-4) for each modality; returns P, or P_fuse (Eq. 24), for the first layer.

        Parameters
        ----------
        width : int
            Channels of each coder.
        fusion : 'smf', 'fixed' or 'sum'
            How several coders become one (:mod:`mksgn.nn.fusion`).
        weights : tuple of float, optional
            For 'fixed', one per modality.
        padded : bool
            Whether the frames are padded, so that the coders have as many.
        """
        padding = PADDING if padded else (0, PADDING[1])
        modalities, channels = self.data.modalities, self.data.channels_in
        if len(modalities) == 1:
            self.coders = (self._coder("sc", ConvProjection((INPUT,), channels, width, KERNEL, padding=padding)),)
            return self.coders[0]
        for index, modality in enumerate(modalities):
            total = channels * len(modalities)
            reads = ModalityProjection(INPUT, total, index * channels, channels, width, padding)
            self.coders += (self._coder(coder_name(modality), reads),)
        self.fusion = Fusion(len(modalities), width, fusion, weights)
        return FUSED

    def _coder(self, name: str, projection: ConvProjection) -> str:
        padding = projection.synapse.padding[0]
        frames = self.data.frames + 2 * padding - (KERNEL[0] - 1)
        shape = (projection.synapse.out_channels, frames, self.data.joints)
        return self.append(name, SpikeCoder(shape, [projection], **self.neuron))

    def _fused(self, projection: Projection) -> FusedProjection:
        assert self.fusion is not None
        return FusedProjection(self.coders, projection, self.fusion.fixed_weights)

    def _carry_no_further(self) -> None:
        """Populations that are added from now on begin each frame at 0."""
        self.neuron = NeuronParameters({**self.neuron, "carried": False})

    def average_pool(self, name: str, features: tuple[str, ...], segments: int) -> str:
        """Add SN(GAP(T)) of the head (Eq. 14; Table 6: FC_lif1), over each segment of the frames; returns its name.

        Raises
        ------
        ConfigError
            When ``segments`` does not divide the frames.
        """
        channels, frames, joints = self.shape(features[0])
        if frames % segments:
            raise ConfigError("segments must divide the frames that are left before the head", "--segments",
                              str(segments), f"divisors of {frames}", "give other --segments or --frames")
        self._carry_no_further()
        pool = PoolProjection(features, channels, (frames // segments, joints), windows=segments)
        return self.population(name, (channels, segments, 1), [pool])
