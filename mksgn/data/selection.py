"""Samples that a net runs on, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Selection:
    """Samples to run, preprocessed as the net says.

    Parameters
    ----------
    x : int8 ndarray (N, C, F, V)
    labels : int64 ndarray (N,)
        -1 where unknown, or where the net does not know the data's classes.
    names : tuple of str
    class_names : tuple of str
        The net's.
    clean : bool ndarray (N,) or None
        Samples that are no copy of a training sequence; None where the data does not mark them.
    data, protocol, split : str
        ``protocol`` is empty for the whole data.
    available : int
        Samples in the split.
    unlabelled : str
        Why there is no accuracy; empty when there is.
    words : str
        What the protocol means, where its name does not tell.
    """

    x: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    class_names: tuple[str, ...]
    clean: np.ndarray | None
    data: str
    protocol: str
    split: str
    available: int
    unlabelled: str
    words: str = ""

    @property
    def part(self) -> str:
        """The split and its protocol, in words."""
        means = f" ({self.words})" if self.words else ""
        return f"split {self.split}" + (f" of {self.protocol}{means}" if self.protocol else "")

    def __len__(self) -> int:
        return len(self.labels)
