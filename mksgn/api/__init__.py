"""The Python interface: load a network, read recordings, run, map, estimate energy, write the report.

    import mksgn

    net = mksgn.load("nw-ucla")                     # a .net file, or the name of a folder in runs/ or models/
    result = net.run(mksgn.read("nw_ucla.npz"))     # the test split, preprocessed as the net says
    print(result.accuracy, result.predicted[:5])
    print(net.energy(result))
    net.report("report.html", result)

What is here rests on the rooms below, which do the work: :mod:`mksgn.run`, :mod:`mksgn.mapping`, :mod:`mksgn.energy`
and :mod:`mksgn.report`. Everything that a user can do wrong raises a :class:`mksgn.errors.MksgnError`.
"""

from mksgn.api.net import Net, load
from mksgn.api.recordings import Recordings, read
from mksgn.api.result import Result

__all__ = ["Net", "Recordings", "Result", "load", "read"]
