"""Decide at every frame of a stream of skeletons: ``mksgn stream`` in a checkout.

    python deploy/stream.py --help
"""

from __future__ import annotations

import sys

from mksgn.commands.stream import main

if __name__ == "__main__":
    sys.exit(main(command="python deploy/stream.py"))
