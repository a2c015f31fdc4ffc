"""What a teacher reads: one modality, or all of them. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Sequence

from mksgn.data.preprocess import MODALITIES

ALL, EARLY = "all", "early"
"""Beside the modalities, what train_teacher.py and train_mksgn.py take as ``--modality``: four networks read one
modality each, or one network reads all four as channels of one input (early fusion)."""


def streams_of(modality: str) -> tuple[str, ...]:
    """The networks that ``--modality`` asks for: four (``ALL``), or one."""
    return MODALITIES if modality == ALL else (modality,)


def modalities_of(stream: str) -> tuple[str, ...]:
    """What the network of a stream reads: the modality of its name, or all (``EARLY``)."""
    return MODALITIES if stream == EARLY else (stream,)


def stored_name(modalities: Sequence[str]) -> str:
    """What files call the input of a network, such as 'bone', or 'joint+bone'."""
    return "+".join(modalities)
