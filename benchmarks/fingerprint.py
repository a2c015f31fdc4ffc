"""Print fingerprints of everything that a change of structure must leave as it is.

    python benchmarks/fingerprint.py --data nw_ucla.npz --json before.json
    python benchmarks/fingerprint.py --data nw_ucla.npz --against before.json

Every preset trains for one epoch in floating point and one as integers, with one thread and seed 0. So do a teacher,
a network that it teaches, and one that weighs its modalities by mutual information. Two networks are joined into one.
The programs of this folder's repository are used as a user would type them.

A fingerprint is the start of a SHA-256 sum:
  weights   over all tensors of the run, whatever their names are
  net       over all arrays of mksgn.net, with their names
  log       over the figures of every epoch, without the seconds
  run       over the predictions, readouts and event counts that the emulator reports
Weights depend on the processor and on the version of torch: compare runs of one machine.
"""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from mksgn.commit import describe_commit
from mksgn.programs.console import exit_on_error
from mksgn.programs.options import parse

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Options:
    """Print fingerprints of everything that a change of structure must leave as it is."""

    data: Path
    """The NW-UCLA pack."""
    only: tuple[str, ...] = ()
    """Names of the rows to make, such as 'demo mksgn'; default: all."""
    json: Path | None = None
    """Write the fingerprints here."""
    against: Path | None = None
    """A file that --json wrote: say which fingerprints differ, and exit with 1 if any does."""


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)

import h5py
import numpy as np
from safetensors import safe_open

SHORT = ("--epochs", "1", "--tune-epochs", "1", "--threads", "1", "--seed", "0")
SMALL = ("--frames", "8", "--batch", "40")
"""For presets that are too large for a CPU; on synthetic skeletons."""


def digest(parts: Iterator[bytes] | list[bytes]) -> str:
    """The first 16 hexadecimal digits of the SHA-256 sum of ``parts``."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.hexdigest()[:16]


def of_weights(path: Path) -> str:
    """Of the tensors of a safetensors file: their values, types and shapes, in no order and without names."""
    with safe_open(path, "np") as file:
        tensors = [file.get_tensor(name) for name in file.keys()]  # noqa: SIM118
    return digest(sorted(hashlib.sha256(f"{t.dtype}{t.shape}".encode() + t.tobytes()).digest() for t in tensors))


def of_net(path: Path) -> str:
    """Of the arrays of a .net file, with their names."""
    found: list[bytes] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            value = np.asarray(item)
            found.append(f"{name}{value.dtype}{value.shape}".encode() + (value.tobytes() if value.dtype != object
                                                                         else repr(value.tolist()).encode()))

    with h5py.File(path) as file:
        file.visititems(visit)
    return digest(sorted(found))


def of_log(path: Path) -> str:
    """Of the figures of every epoch, without the seconds they took."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    rows = [sorted((key, repr(value)) for key, value in line.items() if "seconds" not in key and key != "time")
            for line in lines]
    return digest([repr(rows).encode()])


def of_run(path: Path) -> str:
    """Of what deploy/run_lava.py --json says of predictions, readouts and events."""
    said = json.loads(path.read_text())
    kept = {key: value for key, value in said.items() if not (isinstance(value, float) and math.isnan(value))
            and key in ("predictions", "top5", "scores", "counts", "populations", "synapses", "spikes", "synops",
                        "macs", "accuracy", "out_shape", "events", "labels")}
    return digest([json.dumps(kept, sort_keys=True).encode()])


def program(console: Console, *words: object) -> None:
    """Run a program of this repository."""
    done = subprocess.run([sys.executable, *map(str, words)], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        console.print(done.stdout + done.stderr, markup=False)
        raise SystemExit(f"failed: {' '.join(map(str, words))}")


def main(options: Options) -> int:
    console = Console(highlight=False)
    console.print(describe_commit())
    found: dict[str, str] = {}
    data = options.data.resolve()
    known = json.loads(options.against.read_text()) if options.against else {}

    def note(name: str, value: str) -> None:
        found[name] = value
        same = "" if name not in known else "  as before" if known[name] == value else f"  DIFFERS from {known[name]}"
        console.print(f"{name:<40} {value}{same}", markup=False, soft_wrap=True)

    with tempfile.TemporaryDirectory(prefix="mksgn-fingerprint-") as temporary:
        runs = Path(temporary)

        def trained(name: str, *words: object, program_name: str = "train/train_slayer.py") -> None:
            if options.only and name not in options.only:
                return
            out = runs / name
            program(console, program_name, *words, "--out", out)
            for kind, pattern, of in (("weights", "*.safetensors", of_weights), ("net", "*.net", of_net),
                                      ("log", "metrics.jsonl", of_log)):
                for path in sorted(out.rglob(pattern)):
                    note(f"{name} {path.relative_to(out)} ({kind})", of(path))

        def ran(name: str, *words: object) -> None:
            if options.only and name not in options.only:
                return
            said = runs / f"{name.replace('/', '-')}.json"
            program(console, "deploy/run_lava.py", *words, "--backend", "emulator", "--json", said)
            note(f"{name} (run)", of_run(said))

        for net in ("nw-ucla", "nw-ucla-joint"):
            path = ROOT / "models" / net / "mksgn.net"
            note(f"models/{net} (net)", of_net(path))
            ran(f"models/{net}", "--net", path, "--data", data)
        trained("demo", "--preset", "demo", *SHORT)
        for preset in ("mksgn", "base-sgn", "mksgn-4", "spike-driven", "spikformer"):
            trained(preset, "--preset", preset, "--data", data, *SHORT)
        trained("smf", "--preset", "mksgn-4", "--data", data, *SHORT, "--fusion", "smf", "--time-steps", "2",
                "--synop-weight", "0")
        teacher = ("--data", data, "--preset", "nw-ucla", "--epochs", "2", "--threads", "1", "--seed", "0")
        trained("teacher", *teacher, "--modality", "joint", program_name="train/train_teacher.py")
        if not options.only or "taught" in options.only:
            trained("taught", "--preset", "mksgn", "--data", data, *SHORT, "--teacher", runs / "teacher")
        if not options.only:
            trained("second", "--preset", "mksgn", "--data", data, *SHORT[:-1], "1")
            trained("joined", "--run", runs / "mksgn", runs / "second", "--data", data,
                    program_name="train/join_runs.py")
        for preset in ("ntu60", "ntu120", "spikformer-256", "spike-driven-256"):
            trained(preset, "--preset", preset, *SHORT, *SMALL)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    differing = [name for name, value in known.items() if name in found and found[name] != value]
    if options.against:
        console.print(f"{len(found)} fingerprints, {len(known.keys() - found.keys())} of before not made again, "
                      f"{len(differing)} differ")
    return int(bool(differing))


if __name__ == "__main__":
    with exit_on_error():
        status = main(given)
    sys.exit(status)
