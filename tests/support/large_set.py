"""A generated set of any size, to measure memory: makes it, converts it, and takes batches from the map.

    python tests/support/large_set.py make OUT.npz 114480     # a CTR-GCN archive of NTU RGB+D 120's size
    python tests/support/large_set.py convert OUT.npz OUT.pack
    python tests/support/large_set.py batches OUT.pack 20

Each prints the peak of its memory: all of it, and the part that is not pages of a file that is mapped.
"""

from __future__ import annotations

import re
import resource
import sys
import time
import zipfile
from pathlib import Path

import numpy as np

FRAMES, VALUES, CLASSES = 300, 150, 120
ROWS = 64


def make(path: Path, sequences: int, frames: int = FRAMES) -> Path:
    """A CTR-GCN archive: two thirds train, the others test; about 80 frames of noise each, then zeros."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(4 * ROWS, frames, VALUES)).astype(np.float32).round(2)
    train = 2 * sequences // 3
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for half, count in (("train", train), ("test", sequences - train)):
            with archive.open(f"x_{half}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False,
                                                              "shape": (count, frames, VALUES)})
                for start in range(0, count, ROWS):
                    rows = noise[rng.integers(0, len(noise), min(ROWS, count - start))].copy()
                    for row in rows:
                        row[int(rng.integers(frames // 10, frames // 2)):] = 0
                    stream.write(rows.tobytes())
            with archive.open(f"y_{half}.npy", "w", force_zip64=True) as stream:
                labels = np.eye(CLASSES, dtype=np.float32)[np.arange(count) % CLASSES]
                np.lib.format.write_array(stream, labels)
    return path


def batches(path: Path, steps: int) -> None:
    """The first batches of an epoch, augmented, as training takes them."""
    from mksgn.data.preprocess import Augment, Preprocess
    from mksgn.data.readers import read
    from mksgn.training.batches import Batches

    pack = read(path)
    train = np.flatnonzero(~pack.test) if pack.test is not None else np.arange(len(pack))
    made = Batches(pack, train, Preprocess(frames=64, persons=2), Augment(), batch=64)
    for _, (samples, labels) in zip(range(steps), made.epoch(0)):
        assert samples.shape == (64, 3, 64, 50) and len(labels) == 64
    print(f"{len(pack):,} sequences, {len(pack.data):,} frames, {pack.data.nbytes / 1e9:.2f} GB mapped")


def peak() -> str:
    """Peak of the resident memory, and of what of it is the process's own now."""
    status = Path("/proc/self/status").read_text() if Path("/proc/self/status").exists() else ""
    own = re.search(r"RssAnon:\s+(\d+)", status)
    unit = 1 if sys.platform == "darwin" else 1024
    return (f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6:,.0f} MB"
            + (f", of its own at the end {int(own[1]) * 1024 / 1e6:,.0f} MB" if own else ""))


def main(action: str, *arguments: str) -> None:
    begin = time.perf_counter()
    if action == "make":
        make(Path(arguments[0]), int(arguments[1]))
    elif action == "convert":
        from mksgn.data.streaming import convert

        convert(arguments[0], arguments[1])
    else:
        batches(Path(arguments[0]), int(arguments[1]))
    print(f"{action}: {time.perf_counter() - begin:.1f} s, {peak()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
