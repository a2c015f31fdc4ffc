"""Messages that the host sends frame by frame, while the network lives."""

from __future__ import annotations

from lava.proc.io.injector import Injector


class FrameEntry(Injector):
    """Stock ``Injector`` that knows when messages are due: in the first ``length`` of every ``interval`` steps.

    In these steps it waits for a message (:meth:`send`) and passes it on. In all others it sends zeros at once.

    Parameters
    ----------
    shape : tuple of int
        Of a message; Lava's order: (V, F, C).
    interval, length : int
        As of :class:`mksgn.ir.lattice.Lattice`.
    name : str, optional

    Raises
    ------
    ValueError
        When frames would overlap, or the length is below 1.
    """

    def __init__(self, *, shape: tuple[int, ...], interval: int, length: int, name: str | None = None) -> None:
        super().__init__(shape=shape, buffer_size=length, interval=interval, length=length, name=name)
        if length > interval:
            raise ValueError(f"FrameEntry: frames of {length} steps overlap every {interval}")
