"""The data of a run: which sequences it trains, validates and tests on, and how a network reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mksgn.data.compatibility import missing_share
from mksgn.data.pack import Pack
from mksgn.data.preprocess import Preprocess
from mksgn.data.splits import Split, evenly_spaced, training_split
from mksgn.training.batches import preprocessed

LEAST_MISSING = 0.001
"""Share of missing joints from which it is worth a line."""
COMPARED_SAMPLES = 2048
"""Training samples, at most, on which networks are compared without asking the test split."""


@dataclass(frozen=True, eq=False)
class RunData:
    """A pack, its split, and the preprocessing of one network.

    Parameters
    ----------
    pack : Pack
    name : str
        Of the file or folder it was read from, as a run's files state it.
    split : Split
        Without sequences that have no label.
    preprocess : Preprocess
    unlabelled : int
        Number of sequences that were left out because they have no label.
    """

    pack: Pack
    name: str
    split: Split
    preprocess: Preprocess
    unlabelled: int = 0

    @classmethod
    def prepared(cls, pack: Pack, name: str, preprocess: Preprocess, *, protocol: str | None,
                 val_subjects: Sequence[int] | None, seed: int) -> RunData:
        """The data of a run that begins; the options are those of :func:`~mksgn.data.splits.training_split`.

        Raises
        ------
        DataError
            When the pack cannot be split by the protocol, or a part that is needed is empty.
        """
        split, unlabelled = training_split(pack, protocol, val_subjects=val_subjects, seed=seed)
        return cls(pack, name, split, preprocess, unlabelled)

    @classmethod
    def of_run(cls, pack: Pack, name: str, meta: dict[str, Any]) -> RunData:
        """The data that a finished run was trained on, from what its files say of it."""
        return cls(pack, name, split_of(pack, meta), Preprocess.from_json(meta["preprocess"]))

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.pack.class_names)

    def samples(self, indices: np.ndarray) -> np.ndarray:
        """Sequences without augmentation, int8 (N, C, F, V); an empty array for none."""
        return preprocessed(self.pack, indices, self.preprocess) if len(indices) else np.empty((0,), np.int8)

    def labels(self, indices: np.ndarray) -> np.ndarray:
        """Classes of sequences, int64 (N,)."""
        return self.pack.labels[indices]

    def compared(self) -> np.ndarray:
        """Training sequences to compare networks on: at most ``COMPARED_SAMPLES``, evenly spaced."""
        return evenly_spaced(self.split.train, COMPARED_SAMPLES)

    def lines(self) -> list[str]:
        """What a program says of the data before it trains: which split it used, and joints that are missing."""
        said, share = [self.split.line] if self.split.words else [], missing_share(self.pack)
        if share >= LEAST_MISSING and not self.preprocess.missing:
            fix = "--missing interpolate fills them" if self.pack.scores is not None else (
                "the data has no scores that mark them")
            said.append(f"{share:.1%} of the joints are missing and taken to be at 0: {fix}")
        return said

    def describe(self) -> str:
        """Protocol and sizes of the parts, for the first line of a run."""
        split = self.split
        return f"{split.protocol}: {len(split.train)} train, {len(split.val)} val, {len(split.test)} test"


def split_of(pack: Pack, meta: dict[str, Any]) -> Split:
    """The split of ``pack`` that a finished run was trained on, from what its files say of it."""
    recipe = json.loads(meta["recipe"])
    subjects = recipe["val_subjects"]
    return training_split(pack, meta["protocol"], val_subjects=None if subjects is None else tuple(subjects),
                          seed=recipe["seed"])[0]
