"""Convert a spiking graph network between .net and NIR: ``mksgn convert`` in a checkout.

    python deploy/convert_nir.py --help
"""

from __future__ import annotations

import sys

from mksgn.commands.convert import main

if __name__ == "__main__":
    sys.exit(main(command="python deploy/convert_nir.py"))
