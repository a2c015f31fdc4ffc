"""Train a spiking graph network on skeletons and export it as mksgn.net: ``mksgn train`` in a checkout.

    python train/train_slayer.py --help
"""

from __future__ import annotations

import sys

from mksgn.commands.train import main

if __name__ == "__main__":
    sys.exit(main(command="python train/train_slayer.py"))
