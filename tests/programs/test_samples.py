"""Which samples a program chooses."""

from __future__ import annotations

import numpy as np

from mksgn.programs.samples import spread_over_classes


def test_chosen_samples_cover_all_classes() -> None:
    labels = np.arange(492) % 12  # every 12th sample is of one class
    for limit in (12, 20, 41):
        chosen = spread_over_classes(labels, limit)
        assert len(chosen) == len(set(chosen)) == limit and (np.diff(chosen) > 0).all()
        counts = np.bincount(labels[chosen], minlength=12)
        assert counts.max() - counts.min() <= 1
    for limit in (0, 999):
        assert np.array_equal(spread_over_classes(labels, limit), np.arange(492))
