"""Spiking graph convolutional networks: from SLAYER training to Loihi 2, exact on every spike.

Importing this package before torch or numba sets how their threads wait for each other: they spin for some
microseconds and then sleep. By default they spin for milliseconds, which takes the cores from every other program: two
trainings side by side on two cores then cost several times what they need. What the environment says in
``OMP_WAIT_POLICY``, ``GOMP_SPINCOUNT`` (libgomp) or ``KMP_BLOCKTIME`` (Intel's and LLVM's OpenMP) goes first.
"""

import os

__version__ = "0.1.0"

if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    os.environ.setdefault("KMP_BLOCKTIME", "0")
