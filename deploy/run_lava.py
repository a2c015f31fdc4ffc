"""Run a spiking graph network (.net) on skeletons or tensors: ``mksgn run`` in a checkout.

    python deploy/run_lava.py --help
"""

from __future__ import annotations

import sys

from mksgn.commands.run import main

if __name__ == "__main__":
    sys.exit(main(command="python deploy/run_lava.py"))
