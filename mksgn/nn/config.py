"""The choices that all kinds of networks share, and the shape of the data that a network reads.

The kinds of networks, and the choices that only they have, are in :mod:`mksgn.networks`. Nothing here imports torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mksgn.errors import ConfigError
from mksgn.limits import check_limits
from mksgn.skeleton import Body

if TYPE_CHECKING:
    from typing_extensions import Self

    from mksgn.nn.builder import PopulationBuilder


CODER_FRAMES = 3
"""Frames of the convolution of a spike coder (paper, below Eq. 4)."""


@dataclass(frozen=True, kw_only=True)
class DataShape:
    """The part of a network's shape that the data and their preprocessing determine.

    Parameters
    ----------
    body : Body
        Joint graph of one person.
    classes : int
        Output classes.
    frames : int
        Video frames of a sample.
    persons : int
        Persons of a sample; they are folded into the joint axis.
    modalities : tuple of str
        Modalities of the input, which follow each other on its channel axis.
    channels_in : int
        Coordinates per joint and modality.

    Raises
    ------
    ConfigError
        When a number is outside its limit (:mod:`mksgn.limits`), or a modality is named twice.
    """

    body: Body
    classes: int
    frames: int
    persons: int = 1
    modalities: tuple[str, ...] = ("joint",)
    channels_in: int = 3

    def __post_init__(self) -> None:
        check_limits(self, options=False)
        if not self.modalities or len(set(self.modalities)) < len(self.modalities):
            raise ConfigError("modalities must be different, and at least one", got=str(self.modalities))

    @property
    def joints(self) -> int:
        """V: joints of all persons."""
        return self.body.num_joints * self.persons

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, F, V) of a sample."""
        return self.channels_in * len(self.modalities), self.frames, self.joints


@dataclass(frozen=True, kw_only=True)
class NetworkConfig(ABC):
    """The choices that all networks share; each kind adds its own.

    Parameters
    ----------
    widths : tuple of int
        Channels of each layer.
    time_steps : int
        Algorithmic time steps T; a power of two if the net is to run on Loihi 2.
    surrogate_width : float
        a of the rectangular surrogate gradient, in thresholds (paper Table 4: 1); its height is 1 / a. Training only.
    current_decay : float
        Part of the synaptic current that a neuron loses per step; 1 makes the chip's CUBA neuron the paper's LIF.
    voltage_decay : float
        Part of the voltage that a neuron loses per step; 0.75 is the paper's tau = 0.25.
    frame_state : 'reset' or 'carried'
        What a neuron's current and voltage do from one frame to the next, in a network of one time step: they begin
        each frame at 0, or are carried on and decay once per frame, up to the first stride. A network that carries
        them runs as a stream.
    dropout : float
        Part of the spikes before the classifier that is left out in training.
    segments : int
        Parts of the sequence, of equal length, that the head averages one by one, so that the classifier knows when
        something happened; the paper has 1.

    Raises
    ------
    ConfigError
        When a number is outside its limit (:mod:`mksgn.limits`), or choices contradict each other. It names options.
    """

    name: ClassVar[str]
    """What presets, files and errors call this kind of network."""

    widths: tuple[int, ...] = (32, 32, 64, 64, 128, 128)
    time_steps: int = 4
    surrogate_width: float = 1.0
    current_decay: float = 1.0
    voltage_decay: float = 0.75
    frame_state: Literal["reset", "carried"] = "reset"
    dropout: float = 0.1
    segments: int = 1

    def __post_init__(self) -> None:
        check_limits(self)
        if not self.widths:
            raise ConfigError("a network needs at least one layer", "--widths", "none", "one number per layer")
        if self.frame_state == "carried" and self.time_steps != 1:
            raise ConfigError("states are carried from frame to frame at one time step only",
                              "--frame-state carried, --time-steps", str(self.time_steps), "1",
                              "give --time-steps 1, or leave out --frame-state")

    @abstractmethod
    def populate(self, builder: PopulationBuilder) -> tuple[str, ...]:
        """Add all populations before the head; returns those whose spikes, added up, the head averages."""

    @abstractmethod
    def check_modalities(self, modalities: tuple[str, ...]) -> None:
        """Refuse modalities that this network cannot read, or cannot read with these choices.

        Raises
        ------
        ConfigError
        """

    @property
    def fewest_steps(self) -> int:
        """The time steps that training needs at least."""
        return 1

    def with_fusion_weights(self, weights: tuple[float, ...]) -> Self:
        """A copy whose modalities have these fixed weights.

        Raises
        ------
        ConfigError
            When this kind of network fuses nothing.
        """
        raise ConfigError("this network fuses no modalities", got=f"network {self.name}")

    def changed(self, **given: Any) -> Self:
        """A copy with every choice that is not None replaced."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    @classmethod
    def choices(cls) -> tuple[str, ...]:
        """Names of the choices that this kind of network has."""
        return tuple(each.name for each in fields(cls))
