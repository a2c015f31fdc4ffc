"""Which ProcessModel runs each Process on the CPU. Imports Lava: only the host process imports this module."""

from __future__ import annotations

from lava.proc.conv.models import PyConvModelFixed
from lava.proc.conv.process import Conv as ConvProcess
from lava.proc.graded.models import PyGradedVecModelFixed
from lava.proc.graded.process import GradedVec
from lava.proc.io.extractor import Extractor, PyLoihiExtractorModel
from lava.proc.io.source import PySendModelFixed, RingBuffer
from lava.proc.lif.models import PyLifModelBitAcc, PyLifResetModelBitAcc
from lava.proc.lif.process import LIF, LIFReset
from lava.proc.prodneuron.models import PyProdNeuronModelFixed
from lava.proc.prodneuron.process import ProdNeuron
from lava.proc.sparse.models import PyDelaySparseModelBitAcc, PySparseModelBitAcc
from lava.proc.sparse.process import DelaySparse, Sparse

from lava_models.block.models import PyBlockModel
from lava_models.block.process import Block
from lava_models.clocked_lif.models import PyClockedLIFModel
from lava_models.clocked_lif.process import ClockedLIF
from lava_models.conv.models import PyConvModelEvent
from lava_models.delay.models import PyDelayModel
from lava_models.delay.process import Delay
from lava_models.delay_sparse.models import PyDelaySparseResetModel
from lava_models.delay_sparse.process import DelaySparseReset
from lava_models.frame_entry.models import PyFrameEntryModel
from lava_models.frame_entry.process import FrameEntry
from lava_models.lif.models import PyLifModelOnePass, PyLifResetModelOnePass
from lava_models.sparse.models import PySparseModelEvent

STOCK: dict[type, type] = {
    LIF: PyLifModelBitAcc, LIFReset: PyLifResetModelBitAcc, ConvProcess: PyConvModelFixed, Sparse: PySparseModelBitAcc,
    DelaySparse: PyDelaySparseModelBitAcc, RingBuffer: PySendModelFixed, Extractor: PyLoihiExtractorModel,
    ClockedLIF: PyClockedLIFModel, Delay: PyDelayModel, DelaySparseReset: PyDelaySparseResetModel,
    ProdNeuron: PyProdNeuronModelFixed, GradedVec: PyGradedVecModelFixed,
}
"""What ``Loihi2SimCfg(select_tag="fixed_pt")`` selects on the CPU.

Named here because Lava's search executes every file beside a Process's own, once per Process: two of
the three seconds that compiling 38 Processes took. (The stock ``Extractor``'s model carries no tag, so
selection by tag would not find it at all.)
"""
FAST: dict[type, type] = {
    **STOCK, LIF: PyLifModelOnePass, LIFReset: PyLifResetModelOnePass, ConvProcess: PyConvModelEvent,
    Sparse: PySparseModelEvent, Block: PyBlockModel,
    FrameEntry: PyFrameEntryModel,
}
"""The same with our ProcessModels."""
