"""Evaluation protocols: which sequences train, validate and test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mksgn.data.own_splits import is_own, named_protocols, own_halves
from mksgn.data.pack import Pack
from mksgn.data.synthetic import ACTIONS
from mksgn.errors import DataError

#: Training subjects of NTU RGB+D 60, cross-subject (Shahroudy et al., CVPR 2016, section 3.2).
NTU60_TRAIN_SUBJECTS = (1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38)
#: Training subjects of NTU RGB+D 120, cross-subject (Liu et al., TPAMI 2019, section 3.2).
NTU120_TRAIN_SUBJECTS = NTU60_TRAIN_SUBJECTS + (
    45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94,
    95, 97, 98, 100, 103)


@dataclass(frozen=True)
class Split:
    """Index arrays (int64, increasing) into a pack; ``train``, ``val`` and ``test`` are disjoint.

    Parameters
    ----------
    train, val, test : int64 ndarray
        ``val`` holds whole subjects of the protocol's training half; model selection uses it, never ``test``.
    clean : int64 ndarray or None
        ``test`` without copies of training sequences; None where the pack does not mark them for this split.
    protocol : str
    val_subjects : tuple of int
        Subjects whose training sequences were held out.
    words : str
        What the protocol means, where its name does not tell.
    """

    train: np.ndarray
    val: np.ndarray
    test: np.ndarray
    clean: np.ndarray | None
    protocol: str
    val_subjects: tuple[int, ...]
    words: str = ""

    @property
    def line(self) -> str:
        """Which split this is, in one line."""
        held = f" (subjects {', '.join(map(str, self.val_subjects))})" if self.val_subjects else ""
        validation = f", {len(self.val)} validate{held}" if len(self.val) else ""
        return (f"protocol {self.protocol}{': ' + self.words if self.words else ''}; {len(self.train)} sequences train"
                f"{validation}, {len(self.test)} test")


@dataclass(frozen=True)
class _Rule:
    """A published split: ``train`` and ``test`` values of one id; ``unused`` ones are in no half."""

    id_name: str
    train: tuple[int, ...]
    test: tuple[int, ...]
    classes: int | None
    unused: tuple[int, ...] = ()


def _others(train: tuple[int, ...], last: int) -> tuple[int, ...]:
    return tuple(i for i in range(1, last + 1) if i not in train)


_RULES = {
    "nw-ucla-xview": _Rule("view", (1, 2), (3,), 10),
    # Ours, to choose recipes by: a view never seen in training, inside the training half of the published split.
    "nw-ucla-dev": _Rule("view", (1,), (2,), 10, unused=(3,)),
    "ntu60-xsub": _Rule("subject", NTU60_TRAIN_SUBJECTS, _others(NTU60_TRAIN_SUBJECTS, 40), 60),
    "ntu60-xview": _Rule("camera", (2, 3), (1,), 60),
    "ntu120-xsub": _Rule("subject", NTU120_TRAIN_SUBJECTS, _others(NTU120_TRAIN_SUBJECTS, 106), 120),
    "ntu120-xset": _Rule("setup", tuple(range(2, 33, 2)), tuple(range(1, 33, 2)), 120),
    "synthetic": _Rule("view", (1, 2), (3,), None),
}
_WITHOUT = ("when training, give --val-subjects without numbers: then nobody is held out; when running a net, choose "
            "--split test or all")
#: Uses the pack's own `test` mask, for releases without ids in their names.
AS_PACKED = "as-packed"
PROTOCOLS = (*_RULES, AS_PACKED)


def evenly_spaced(rows: np.ndarray, at_most: int) -> np.ndarray:
    """``at_most`` of ``rows``, spread evenly from the first to the last; all of them where they are fewer, or for 0."""
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), at_most or len(rows))).astype(int)]


def default_protocol(pack: Pack) -> str:
    """Name the protocol that the pack's ids and joints speak for.

    Raises
    ------
    DataError
        When the pack has neither known ids nor a `test` mask.
    """
    if {"setup", "camera", "subject"} <= set(pack.ids):
        return "ntu120-xsub" if len(pack.class_names) > 60 else "ntu60-xsub"
    if {"view", "env"} <= set(pack.ids):
        return "nw-ucla-xview"
    if "view" in pack.ids and pack.class_names == ACTIONS:
        return "synthetic"
    if pack.test is not None:
        return AS_PACKED
    named = list(named_protocols(pack))
    if len(named) == 1:
        return named[0]
    raise DataError("No protocol is known for this pack", "pack",
                    f"ids {sorted(pack.ids)}, no test mask, " + (f"several named splits: {', '.join(named)}" if named
                                                                 else "no named splits"),
                    "ids of a published set, a test mask, or one named split",
                    "describe the test half with --test-subjects, --test-views or --test-ratio, or name a protocol: "
                    + ", ".join((*PROTOCOLS, *named)))


def has_protocol(pack: Pack) -> bool:
    """Whether :func:`default_protocol` finds one."""
    try:
        default_protocol(pack)
    except DataError:
        return False
    return True


def split(pack: Pack, protocol: str | None = None, *, val_subjects: Sequence[int] | None = None,
          val_fraction: float = 0.2, seed: int = 0) -> Split:
    """Split a pack by a named protocol; validation subjects are held out of its training half.

    Parameters
    ----------
    protocol : str, optional
        One of ``PROTOCOLS``, a named split of the pack (:func:`~mksgn.data.own_splits.named_protocols`), or a
        description of the test half (:func:`~mksgn.data.own_splits.protocol_of`); by default what
        :func:`default_protocol` says.
    val_subjects : sequence of int, optional
        Training subjects to hold out; an empty sequence holds out none.
    val_fraction : float
        Without ``val_subjects``: share of the training subjects to hold out, chosen by ``seed``, at least one of
        them when above 0; 0 holds out none.
    seed : int

    Raises
    ------
    DataError
        Unknown protocol; a pack without the ids it needs, or with values it does not know; a `test` mask that
        disagrees with it; validation subjects that are not training subjects or leave nothing to train on.
    """
    protocol = default_protocol(pack) if protocol is None else protocol
    named = named_protocols(pack)
    if protocol not in (*PROTOCOLS, *named) and not is_own(protocol):
        raise DataError("Unknown protocol", "--protocol", repr(protocol), ", ".join((*PROTOCOLS, *named)),
                        "name one of them, or describe the test half: test-subjects=3,7; test-views=2; test-ratio=0.2")
    words = ""
    if protocol in named and protocol not in PROTOCOLS:
        return _named(pack, protocol, named[protocol], val_subjects, val_fraction, seed)
    if is_own(protocol):
        in_train, in_test, words = own_halves(pack, protocol)
        if val_subjects is None and "subject" not in pack.ids:
            val_subjects = ()  # nobody told who is who
    else:
        in_train, in_test = _halves(pack, protocol)
    held_out = _validation_subjects(pack, in_train, val_subjects, val_fraction, seed)
    in_val = in_train & np.isin(pack.ids["subject"], held_out) if held_out else np.zeros(len(pack), dtype=bool)
    if held_out and not (in_train & ~in_val).any():
        raise DataError("Validation takes every training sequence", "--val-subjects", " ".join(map(str, held_out)),
                        "fewer subjects than the training half has", "hold out fewer subjects")
    clean = None
    if pack.test_dup_of_train is not None and (pack.test is None or np.array_equal(pack.test, in_test)):
        clean = np.flatnonzero(in_test & ~pack.test_dup_of_train)
    return Split(np.flatnonzero(in_train & ~in_val), np.flatnonzero(in_val), np.flatnonzero(in_test), clean, protocol,
                 held_out, words)


def _named(pack: Pack, protocol: str, parts: tuple[str, str, str], val_subjects: Sequence[int] | None,
           val_fraction: float, seed: int) -> Split:
    """A split that the pack names: its own validation part where it has one, else subjects, else nobody."""
    train, val, test = parts
    in_test = pack.splits[test]
    in_train = pack.splits[train] if train else ~in_test
    both = np.flatnonzero(in_train & in_test)
    if both.size:
        raise DataError("A sequence is in both halves of a named split", f"protocol {protocol}, sequence "
                        f"{pack.names[both[0]]}", f"{both.size} sequences in {train} and in {test}", "none")
    held_out: tuple[int, ...] = ()
    if val and val_subjects is None:
        in_val = pack.splits[val] & ~in_train & ~in_test
    else:
        held_out = (_validation_subjects(pack, in_train, val_subjects, val_fraction, seed)
                    if val_subjects is not None or "subject" in pack.ids else ())
        in_val = in_train & np.isin(pack.ids["subject"], held_out) if held_out else np.zeros(len(pack), dtype=bool)
    words = f"the pack's own split {f'{train} / {test}' if train else test}"
    return Split(np.flatnonzero(in_train & ~in_val), np.flatnonzero(in_val), np.flatnonzero(in_test), None, protocol,
                 held_out, words)


def training_split(pack: Pack, protocol: str | None = None, *, val_subjects: Sequence[int] | None = None,
                   seed: int = 0) -> tuple[Split, int]:
    """As :func:`split`, for training: without the sequences whose label is unknown.

    Returns
    -------
    found : Split
    unlabelled : int
        Sequences that were left out.

    Raises
    ------
    DataError
        As :func:`split`; also when there is nothing to train on, or nothing to test.
    """
    found = split(pack, protocol, val_subjects=val_subjects, seed=seed)
    parts = {name: indices[pack.labels[indices] >= 0] for name in ("train", "val", "test", "clean")
             if (indices := getattr(found, name)) is not None}
    unlabelled = sum(len(getattr(found, name)) - len(parts[name]) for name in ("train", "val", "test"))
    for name, title in (("train", "training"), ("test", "test")):
        if not len(parts[name]):
            labels = f", {unlabelled} of them without a label" if unlabelled else ""
            raise DataError(f"The split has no {title} sequences", f"protocol {found.protocol}",
                            f"{len(pack)} sequences in all{labels}", "one or more",
                            "name the folder or file of the whole data set with --data, or another --protocol")
    return replace(found, **parts), unlabelled


def _halves(pack: Pack, protocol: str) -> tuple[np.ndarray, np.ndarray]:
    if protocol == AS_PACKED:
        if pack.test is None:
            raise DataError("The pack has no test mask", f"protocol {protocol}", "test is None", "a bool per sequence",
                            "choose another --protocol, one that goes by ids")
        return ~pack.test, pack.test
    rule = _RULES[protocol]
    if rule.id_name not in pack.ids:
        raise DataError("The pack lacks the ids of the protocol", f"protocol {protocol}", f"ids {sorted(pack.ids)}",
                        f"'{rule.id_name}'", "choose a --protocol that the pack has ids for")
    if rule.classes is not None and pack.labels.max(initial=-1) >= rule.classes:
        i = int(np.argmax(pack.labels))
        raise DataError("The pack has classes outside the protocol", f"protocol {protocol}, sequence {pack.names[i]}",
                        f"label {pack.labels[i]}", f"0..{rule.classes - 1}",
                        "leave those sequences out with --leave-out FILE, or choose another --protocol")
    ids = pack.ids[rule.id_name]
    in_train, in_test = np.isin(ids, rule.train), np.isin(ids, rule.test)
    neither = np.flatnonzero(~in_train & ~in_test & ~np.isin(ids, rule.unused))
    if neither.size:
        i = int(neither[0])
        raise DataError(f"A sequence has a {rule.id_name} that the protocol does not know",
                        f"protocol {protocol}, sequence {pack.names[i]}", f"{rule.id_name} {ids[i]}",
                        f"{rule.id_name}s {sorted(rule.train + rule.test + rule.unused)}")
    if pack.test is not None and not rule.unused and not np.array_equal(pack.test, in_test):
        i = int(np.flatnonzero(pack.test != in_test)[0])
        raise DataError("The pack's test mask disagrees with the protocol",
                        f"protocol {protocol}, sequence {pack.names[i]}",
                        f"test = {bool(pack.test[i])}, {rule.id_name} {ids[i]}", f"test exactly for {rule.id_name}s "
                        f"{list(rule.test)}", f"give --protocol {AS_PACKED} if the mask is right")
    return in_train, in_test


def _validation_subjects(pack: Pack, in_train: np.ndarray, given: Sequence[int] | None, fraction: float,
                         seed: int) -> tuple[int, ...]:
    if given is None and not 0 <= fraction < 1:
        raise DataError("The validation share is impossible", "val_fraction", str(fraction), "0 <= fraction < 1")
    if (given is not None and len(given) == 0) or (given is None and fraction == 0):
        return ()
    if "subject" not in pack.ids:
        raise DataError("Validation needs subject ids, and the pack has none", "split", f"ids {sorted(pack.ids)}",
                        "'subject'", _WITHOUT)
    known = np.unique(pack.ids["subject"][in_train])
    if given is not None:
        chosen = tuple(sorted({int(s) for s in given}))
        strangers = [s for s in chosen if s not in known]
        if strangers:
            raise DataError("A validation subject is not a training subject", "--val-subjects",
                            " ".join(map(str, strangers)), " ".join(map(str, known.tolist())),
                            "name training subjects: validation never comes from the test half")
        return chosen
    if len(known) < 2:
        raise DataError("One training subject cannot be split into training and validation", "split",
                        f"subjects {known.tolist()}", "two or more training subjects", _WITHOUT)
    count = min(max(1, round(fraction * len(known))), len(known) - 1)
    picked = np.random.default_rng(seed).choice(known, size=count, replace=False)
    return tuple(sorted(int(s) for s in picked))
