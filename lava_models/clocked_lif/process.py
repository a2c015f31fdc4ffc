"""A LIF neuron for frames that come one after the other: between them it rests."""

from __future__ import annotations

from typing import Any

from lava.proc.lif.process import LIF

from mksgn.ir.lattice import Lattice


class ClockedLIF(LIF):
    r"""Stock ``LIF`` that works only at the steps of its lattice.

    With :math:`t' = (t - p) \bmod R`, the step of a sample that step t is:

    - where a frame of the lattice begins at t', u and v are set to 0 first;
    - where t' belongs to a frame, the neuron is a ``LIF``;
    - everywhere else it rests: u and v stay, no bias is added, nothing is sent, and what arrives is lost.

    Parameters
    ----------
    lattice : Lattice
    reset_interval : int
        R, the steps of a sample.
    reset_offset : int
        p: a sample begins at the steps t = p modulo R, as with ``LIFReset``.
    largest_input : int
        No summed synaptic input exceeds this in absolute value. Only the sub-process model needs it.
    **options
        As for ``LIF``.

    Raises
    ------
    ValueError
        When the last frame ends after the sample does.
    """

    def __init__(self, *, lattice: Lattice, reset_interval: int, reset_offset: int, largest_input: int = 0,
                 **options: Any) -> None:
        if lattice.end > reset_interval:
            raise ValueError(f"ClockedLIF: the last frame ends after {lattice.end} steps, a sample after "
                             f"{reset_interval}")
        super().__init__(lattice=lattice, reset_interval=reset_interval, reset_offset=reset_offset,
                         largest_input=largest_input, **options)
