"""Splits of own data: protocols that a line of text describes, so that a net that was trained by one names it whole.

``test-subjects=3,7``, ``test-views=2`` (and any other id), ``test-ratio=0.25,seed=0``, or the name of a named split.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from mksgn.data.pack import ID_NAMES, Pack
from mksgn.errors import ConfigError, DataError

_RATIO = re.compile(r"test-ratio=(0?\.\d+|\d(?:\.\d+)?(?:e-\d+)?)(?:,seed=(\d{1,9}))?")
_IDS = re.compile(r"test-([a-z_]+)s=(-?\d{1,18}(?:,-?\d{1,18})*)")
_TRAIN, _TESTS = "train", ("test", "val")
ALONE = "split"
"""Protocol of a pack whose named splits are just ``train`` and ``test`` or ``val``."""


def protocol_of(*, test_subjects: Sequence[int] | None = None, test_views: Sequence[int] | None = None,
                test_ratio: float | None = None, seed: int = 0, named: str | None = None) -> str | None:
    """The protocol that the options of a program describe; None where none is given.

    Raises
    ------
    ConfigError
        When several are given, or one is impossible.
    """
    given = {"--test-subjects": test_subjects, "--test-views": test_views, "--test-ratio": test_ratio,
             "--protocol": named}
    used = [name for name, value in given.items() if value is not None]
    if len(used) > 1:
        raise ConfigError("the test half is described more than once", got=" ".join(used), allowed="one of them")
    for name, values in (("subject", test_subjects), ("view", test_views)):
        if values is not None:
            if not values:
                raise ConfigError("no test half is named", where=f"--test-{name}s", allowed="one number or more")
            return f"test-{name}s={','.join(str(int(v)) for v in sorted(set(values)))}"
    if test_ratio is not None:
        if not 0 < test_ratio < 1:
            raise ConfigError("the test ratio is impossible", where="--test-ratio", got=str(test_ratio),
                              allowed="between 0 and 1")
        return f"test-ratio={test_ratio:g},seed={seed}"
    return named


def named_protocols(pack: Pack) -> dict[str, tuple[str, str, str]]:
    """Protocols that the named splits of a pack make: name -> (training, validation or '', test split).

    ``xsub_train`` and ``xsub_val`` (or ``xsub_test``) are the protocol ``xsub``; ``train1`` and ``test1`` are ``1``;
    ``train`` and ``test`` are ``split``. A split without a partner is the test half of a protocol of its own name,
    and every other sequence trains. Where there is a test part, a part ``val`` validates.
    """
    found: dict[str, tuple[str, str, str]] = {}
    used: set[str] = set()
    for name in pack.splits:
        if _TRAIN not in name:
            continue
        partners = [name.replace(_TRAIN, other) for other in _TESTS if name.replace(_TRAIN, other) in pack.splits]
        if partners:
            protocol = name.replace(_TRAIN, "").strip("_-. ") or ALONE
            found[protocol] = (name, partners[1] if len(partners) > 1 else "", partners[0])
            used |= {name, *partners}
    return found | {name: ("", "", name) for name in pack.splits if name not in used and name not in found}


def is_own(protocol: str) -> bool:
    """Whether a protocol is a description of a test half."""
    return bool(_RATIO.fullmatch(protocol) or _IDS.fullmatch(protocol))


def own_halves(pack: Pack, protocol: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Masks of the training and the test half of a described protocol, and what it means in words.

    Raises
    ------
    DataError
        When the pack lacks the ids, or a half is empty.
    """
    ratio = _RATIO.fullmatch(protocol)
    in_test, words = _by_ratio(pack, float(ratio[1]), int(ratio[2] or 0)) if ratio else _by_ids(pack, protocol)
    if in_test.all() or not in_test.any():
        raise DataError("A half of the split is empty", f"protocol {protocol}",
                        f"{int(in_test.sum())} of {len(pack)} sequences for the test", "some for each half",
                        "name another test half")
    return ~in_test, in_test, words


def _by_ids(pack: Pack, protocol: str) -> tuple[np.ndarray, str]:
    match = _IDS.fullmatch(protocol)
    assert match is not None
    name, values = match[1], [int(value) for value in match[2].split(",")]
    if name not in ID_NAMES or name not in pack.ids:
        raise DataError("The pack lacks the ids of the protocol", f"protocol {protocol}", f"ids {sorted(pack.ids)}",
                        f"'{name}'", "give them in an index of the recordings, or choose --test-ratio")
    known = np.unique(pack.ids[name])
    strangers = [value for value in values if value not in known]
    if strangers:
        raise DataError(f"A test {name} is not in the data", f"protocol {protocol}", " ".join(map(str, strangers)),
                        " ".join(map(str, known[:200].tolist())))
    return np.isin(pack.ids[name], values), f"{name}s {', '.join(map(str, values))} test"


def _by_ratio(pack: Pack, ratio: float, seed: int) -> tuple[np.ndarray, str]:
    """Whole subjects until the share is reached as nearly as may be; without subjects a share of each class."""
    if not 0 < ratio < 1:
        raise DataError("The test ratio is impossible", f"test-ratio={ratio:g}", str(ratio), "between 0 and 1")
    rng = np.random.default_rng(seed)
    if "subject" in pack.ids:
        subjects, counts = np.unique(pack.ids["subject"], return_counts=True)
        if len(subjects) < 2:
            raise DataError("One subject cannot be split", f"test-ratio={ratio:g}", f"subject {subjects[0]}",
                            "two or more", "leave the subject out of the index: then each class is split")
        order = rng.permutation(len(subjects))
        share = np.cumsum(counts[order]) / len(pack)
        number = int(np.argmin(np.abs(share[:-1] - ratio))) + 1
        chosen = np.sort(subjects[order[:number]])
        in_test = np.isin(pack.ids["subject"], chosen)
        return in_test, (f"subjects {', '.join(map(str, chosen.tolist()))} test, {in_test.mean():.0%} of the sequences "
                         f"for the ratio {ratio:g} (seed {seed})")
    in_test = np.zeros(len(pack), dtype=bool)
    for label in np.unique(pack.labels):
        rows = rng.permutation(np.flatnonzero(pack.labels == label))
        in_test[rows[:max(1, round(ratio * len(rows)))] if len(rows) > 1 else rows[:0]] = True
    return in_test, (f"{in_test.mean():.0%} of each class test (seed {seed}); the data has no subject ids, so that a "
                     "person may be in both halves")
