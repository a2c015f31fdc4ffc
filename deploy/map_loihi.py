"""Place a spiking graph network (.net) on the neurocores of a Loihi board: ``mksgn map`` in a checkout.

    python deploy/map_loihi.py --help
"""

from __future__ import annotations

import sys

from mksgn.commands.map import main

if __name__ == "__main__":
    sys.exit(main(command="python deploy/map_loihi.py"))
