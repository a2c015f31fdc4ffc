"""How :class:`DelaySparseReset` behaves on a CPU: event by event, one matrix per delay."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights
from scipy.sparse import csr_matrix

from lava_models.delay_sparse.process import DelaySparseReset
from mksgn.events import kernels


@implements(proc=DelaySparseReset, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyDelaySparseResetModel(PyLoihiProcessModel):
    """The weights and sums of ``PyDelaySparseModelBitAcc``, and a reset."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=16)
    a_buff: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=16)
    weights: Any = LavaPyType(csr_matrix, np.int32, precision=8)
    delays: Any = LavaPyType(csr_matrix, np.int32, precision=6)
    num_message_bits: np.ndarray = LavaPyType(np.ndarray, int, precision=5)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self._interval = proc_params["reset_interval"]
        self._phase = proc_params["reset_offset"] % self._interval
        self._columns: dict[int, Any] = {}

    def _by_delay(self) -> dict[int, Any]:
        """The weights of each delay that occurs, by column: those of one sender lie together."""
        sign_mode = self.proc_params.get("sign_mode") or determine_sign_mode(self.weights)
        clipped = clip_weights(self.weights, sign_mode, num_bits=8)
        weights = truncate_weights(clipped, sign_mode, self.proc_params.get("num_weight_bits", 8)).tocoo()
        if not weights.nnz:
            return {}
        waits = np.asarray(self.delays.tocsr()[weights.row, weights.col]).ravel()
        return {int(wait): csr_matrix((weights.data[waits == wait],
                                       (weights.row[waits == wait], weights.col[waits == wait])), weights.shape).tocsc()
                for wait in np.unique(waits)}

    def run_spk(self) -> None:
        """Send what is due, which belongs to the sample that ends; forget what waits longer; sum up what arrives."""
        if self.time_step == 1:
            self._columns = self._by_delay()
            self._pending = np.zeros(self.a_buff.T.shape, np.int32)
        slots = len(self._pending)
        slot = self.time_step % slots
        self.a_out.send(self._pending[slot])
        self._pending[slot] = 0
        if self.time_step % self._interval == self._phase:
            self._pending[:] = 0
        messages = self.s_in.recv()
        if not self.num_message_bits.item():
            messages = messages.astype(bool)
        x = np.ascontiguousarray(messages, np.int32)
        for wait, matrix in self._columns.items():
            kernels.add_columns(x, matrix.indptr, matrix.indices, matrix.data.astype(np.int32, copy=False),
                                self._pending[(slot + 1 + wait) % slots])
