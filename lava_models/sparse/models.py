"""Stock ``Sparse``, event by event: only the columns of neurons that sent something are touched."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.sparse.models import PySparseModelBitAcc
from lava.proc.sparse.process import Sparse
from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights
from scipy.sparse import csr_matrix

from mksgn.events import kernels


@implements(proc=Sparse, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt", "fast")
class PySparseModelEvent(PySparseModelBitAcc):
    """Drop-in for ``PySparseModelBitAcc``: the same weights, clipped and truncated alike, and the same sums."""

    weights: Any = LavaPyType(csr_matrix, np.int32, precision=8)
    a_buff: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=16)
    weights_set: bool

    def run_spk(self) -> None:
        """Send what the last step summed up; sum up what arrives now."""
        if not self.weights_set:
            sign_mode = self.proc_params.get("sign_mode") or determine_sign_mode(self.weights)
            clipped = clip_weights(self.weights, sign_mode, num_bits=8)
            # By column: the rows of one sender lie together.
            self.weights = truncate_weights(clipped, sign_mode, self.proc_params.get("num_weight_bits", 8)).tocsc()
            self.weight_exp = self.proc_params.get("weight_exp", 0)
            self.weights_set = True
        self.a_out.send(self.a_buff)
        messages = self.s_in.recv()
        if not self.num_message_bits.item():
            messages = messages.astype(bool)
        total = np.zeros(self.weights.shape[0], np.int32)
        kernels.add_columns(np.ascontiguousarray(messages, np.int32), self.weights.indptr, self.weights.indices,
                            self.weights.data.astype(np.int32, copy=False), total)
        if self.weight_exp > 0:
            total <<= self.weight_exp
        else:
            total >>= -self.weight_exp
        self.a_buff = total
