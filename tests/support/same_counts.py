"""Two runs counted the same events."""

from __future__ import annotations

from mksgn.counts import TABLES, Counts


def assert_same_counts(one: Counts, other: Counts, lacking: tuple[str, ...] = ()) -> None:
    """Everything is counted by both and equal; tables in ``lacking`` may be missing from one of them."""
    assert (one.samples, one.steps, one.neurons) == (other.samples, other.steps, other.neurons)
    for table in (*TABLES, "sent"):
        names = set(getattr(one, table)), set(getattr(other, table))
        assert names[0] == names[1] or (table in lacking and set() in names), f"{table}: {names[0] ^ names[1]}"
    assert one.shared(other) and one.differences(other) == {}
