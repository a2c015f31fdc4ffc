"""What every kind of synapse can answer about itself; :mod:`mksgn.ir.synapses` lists the kinds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np

Shape = tuple[int, int, int]
"""Of a population: (C, F, V), which is channels, video frames, joints."""
Pair = tuple[int, int]
"""One number along the frames and one along the joints."""
_Self = TypeVar("_Self", bound="SynapseKind")


@dataclass(frozen=True, eq=False)
class SynapseKind(ABC):
    """A synapse: integer weights from ``sources`` to ``target``.

    Parameters
    ----------
    name : str
    sources : tuple of str
        Populations of one shape, which project through the *same* weights (netx `concat`), unless the kind multiplies
        them (``adds_sources``).
    target : str
        The population whose dendrites the synapse drives.
    weight : int ndarray
        Its axes are those of the kind.

    Attributes
    ----------
    kind : str
        The kind's word in files.
    weight_axes : int
    stores_zeros : bool
        A chip keeps weights that are 0. The other kinds are lists of what is not 0.
    flattens : bool
        Reads its source, and drives its target, as one row of neurons without frames and joints.
    sums_in_24_bits : bool
        Lava keeps the sum in 24 signed bits, which wrap; that of the other kinds is in 32 bits.
    adds_sources : bool
        The messages of the sources add up. False: each source has a part of its own, and sends spikes.
    hops : int
        Steps that a message takes to the target, at least.
    """

    name: str
    sources: tuple[str, ...]
    target: str
    weight: np.ndarray

    kind: ClassVar[str]
    weight_axes: ClassVar[int]
    stores_zeros: ClassVar[bool] = False
    flattens: ClassVar[bool] = False
    sums_in_24_bits: ClassVar[bool] = False
    adds_sources: ClassVar[bool] = True
    hops: ClassVar[int] = 1

    # -------------------------------------------------------------------------------------- how it is wired
    @property
    def geometry(self) -> dict[str, Any]:
        """Numbers, by field, that say which weight acts where."""
        return {}

    @property
    def wiring(self) -> dict[str, np.ndarray]:
        """Integer arrays, by what they hold, that say which weight acts where and when."""
        return {}

    @property
    def delay(self) -> np.ndarray | None:
        """Functional delays as they are stored; None for a kind that has none."""
        return None

    @property
    def mixes_channels(self) -> bool:
        """Whether a target channel can read more than one channel of a source."""
        return True

    @property
    def longest_delay(self) -> int:
        """Largest functional delay in time steps."""
        return 0

    @property
    def delayed(self) -> bool:
        """Whether messages can take longer than the hop itself, or differ in how long they take."""
        return self.longest_delay > 0

    @property
    def reads_ahead(self) -> int:
        """Steps, beyond the hop, by which the target has to work later than its sources (:mod:`mksgn.ir.streaming`)."""
        return 0

    def by_delay(self: _Self) -> list[tuple[int, _Self]]:
        """Pairs of a delay and a synapse without delays: all of them together are this synapse.

        A delay is counted in the populations' own time. It is below 0 where what a source sends later is read.
        """
        return [(0, self)]

    # -------------------------------------------------------------------------------------- shapes
    def output_shape(self, source: Shape, target: Shape) -> Shape:
        """The shape that the synapse makes of a source.

        Parameters
        ----------
        source : (C, F, V)
        target : (C, F, V)
            Of the population that it is to drive. Only what the synapse leaves open is taken from it: the joints of a
            :class:`GraphConv`, and how a :class:`Dense` arranges its neurons.

        Raises
        ------
        ValueError
            With a sentence, when the source cannot feed the synapse.
        """
        if self.weight.ndim != self.weight_axes or self.weight.size == 0:
            raise ValueError(f"weight {self.weight.shape} should have {self.weight_axes} axes, none of them empty")
        return self._output_shape(source, target)

    @abstractmethod
    def _output_shape(self, source: Shape, target: Shape) -> Shape:
        """:meth:`output_shape` of weights that have the right axes."""

    # -------------------------------------------------------------------------------------- counts
    @abstractmethod
    def fanout(self, source: Shape, target: Shape) -> np.ndarray:
        """Non-zero weights that one spike of each source neuron meets.

        A synaptic operation is one non-zero weight read and accumulated because of one spike. Summing
        ``spikes * fanout`` over the source's neurons therefore counts a run exactly: convolution borders,
        strides, dilation and groups, missing edges of the joint graph and zero weights all lie in the
        fan-out, none in an average.

        Parameters
        ----------
        source, target : (C, F, V)

        Returns
        -------
        int64 ndarray (C, F, V)
            In the source's shape. Every source of a `concat` has this same fan-out.
        """

    def connections(self, source: Shape, target: Shape) -> int:
        """Non-zero weights between the neurons of one source and those of the target, counted one by one."""
        return int(self.fanout(source, target).sum())

    def dense_macs(self, source: Shape, target: Shape) -> int:
        """Multiply-accumulates of the dense operation, for one source and one step: FLOPs(l) of the paper's Eq. 33.

        Zero weights and padding count, as in the usual formulas: Conv O F' V' (I / groups) kF kV;
        Dense O I; JointMix K V' V per channel and frame; GraphConv E O I per frame (only the edges that
        exist have weights); Attention C C/H per token. :meth:`dense_mask` says what is no part of the operation.
        """
        return int(self.dense_mask().sum(dtype=np.int64)) * self._uses(source, target)

    def dense_mask(self) -> np.ndarray:
        """1 for every weight of the dense operation, and 0 for the rest: int16, in the weights' shape."""
        return np.ones(self.weight.shape, np.int16)

    @abstractmethod
    def _uses(self, source: Shape, target: Shape) -> int:
        """How many times the dense operation uses each weight."""

    # -------------------------------------------------------------------------------------- one target neuron
    def row_bound(self) -> int:
        """Largest sum of absolute weights into one target neuron, over one source."""
        return int(self._into_one(np.abs(self.weight.astype(np.int64))).max())

    def fan_in(self) -> int:
        """Most synapses of one source that end at one target neuron, as a chip stores them (``stores_zeros``)."""
        stored = np.ones(self.weight.shape, bool) if self.stores_zeros else np.asarray(self.weight) != 0
        return int(self._into_one(stored.astype(np.int64)).max())

    @abstractmethod
    def _into_one(self, values: np.ndarray) -> np.ndarray:
        """Sums of ``values``, one for each weight, over the weights that a target neuron can meet at once."""
