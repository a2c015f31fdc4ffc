"""Convert recordings into a pack: ``mksgn data convert`` in a checkout.

    python deploy/make_pack.py --help
"""

from __future__ import annotations

import sys

from mksgn.commands.data_convert import main

if __name__ == "__main__":
    sys.exit(main(command="python deploy/make_pack.py"))
