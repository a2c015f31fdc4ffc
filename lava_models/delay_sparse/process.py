"""A sparse synapse with delays whose messages do not reach the next sample."""

from __future__ import annotations

from typing import Any

from lava.proc.sparse.process import DelaySparse
from scipy.sparse import csr_matrix


class DelaySparseReset(DelaySparse):
    r"""Stock ``DelaySparse`` that drops what is still on its way when the next sample begins.

    .. math:: a_{out}[t + 1] = \sum_d W_d\, s_{in}[t - d], \quad d \le (t - p) \bmod R

    with the reset interval R and the offset p. A message counts only for the sample in which it was sent: it is lost
    where its delay carries it past that sample's end. So a sample does not depend on the one before it, nor on what
    neurons do on their bias before the first one arrives. Stock ``DelaySparse`` keeps both kinds of message.

    Parameters
    ----------
    weights : csr_matrix (target neurons, source neurons)
    delays : csr_matrix of int (target neurons, source neurons)
    reset_interval : int
        R, the steps of a sample.
    reset_offset : int
        p: a sample's first messages arrive in the steps t = p modulo R. With ``LIFReset(reset_offset=p + 1)`` as the
        target they reach neurons that have just been reset.
    **options
        As for ``DelaySparse``.

    Raises
    ------
    ValueError
        When the interval is below 1, or a weight exponent is given, which this Process does not have.
    """

    def __init__(self, *, weights: csr_matrix, delays: csr_matrix, reset_interval: int, reset_offset: int,
                 **options: Any) -> None:
        if reset_interval < 1:
            raise ValueError(f"DelaySparseReset: reset_interval must be at least 1, got {reset_interval}")
        if options.get("weight_exp"):
            raise ValueError(f"DelaySparseReset: weights have no exponent, got {options['weight_exp']}")
        super().__init__(weights=weights, delays=delays, reset_interval=reset_interval, reset_offset=reset_offset,
                         **options)
