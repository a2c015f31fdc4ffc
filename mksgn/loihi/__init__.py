"""Loihi 2: running a graph on the chip, and measuring its power, time, memory and activity there.

Nothing in this package has run on silicon. The chip's compiler comes with Intel's Lava extension for
Loihi, which is not public; what is public is Lava's side of the interface (``lava.utils.loihi``,
``Loihi2HwCfg``) and tutorials that use the extension. The tests run this code against a fake of it.
docs/loihi2.md lists what only a chip can verify.

- :mod:`~mksgn.loihi.extension`: the only module that names hardware modules;
- :mod:`~mksgn.loihi.checks`: what can be refused before anything starts;
- :mod:`~mksgn.loihi.backend`: the backend ``loihi2``, and :mod:`~mksgn.loihi.chip_builder` its Processes;
- :mod:`~mksgn.loihi.session`: one run under probes, in the host process;
- :mod:`~mksgn.loihi.measure`: the measurement, :mod:`~mksgn.loihi.analysis` its arithmetic and
  :mod:`~mksgn.loihi.result` its outcome.
"""

from mksgn.loihi.backend import Loihi2Backend
from mksgn.loihi.checks import Procedure
from mksgn.loihi.extension import LoihiStatus, loihi_status
from mksgn.loihi.measure import measure
from mksgn.loihi.result import BELOW, MEASURED, CoreReading, Figure, LoihiMeasurement, RunReading

__all__ = ["BELOW", "MEASURED", "CoreReading", "Figure", "Loihi2Backend", "LoihiMeasurement", "LoihiStatus",
           "Procedure", "RunReading", "loihi_status", "measure"]
