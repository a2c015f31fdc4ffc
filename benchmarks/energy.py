"""Count what a spiking network really does, and model its energy and time: ``mksgn energy`` in a checkout.

    python benchmarks/energy.py --help
"""

from __future__ import annotations

import sys

from mksgn.commands.energy import main

if __name__ == "__main__":
    sys.exit(main(command="python benchmarks/energy.py"))
