"""Print fingerprints of everything that a change of structure must leave as it is.

    python benchmarks/fingerprint.py --data nw_ucla.npz --json before.json
    python benchmarks/fingerprint.py --data nw_ucla.npz --against before.json

Every preset trains for one epoch in floating point and one as integers, with one thread and seed 0. So do a teacher,
a network that it teaches, and one that weighs its modalities by mutual information. Two networks are joined into one.
The programs of the repository are used as a user would type them.

A fingerprint is the start of a SHA-256 sum:
  weights   over all tensors of the run, whatever their names are
  net       over all arrays of mksgn.net, with their names
  log       over the figures of every epoch, without the seconds
  run       over the predictions, readouts and event counts that the emulator reports
Weights depend on the processor and on the version of torch: compare runs of one machine.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

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
    """Names of the rows to make, such as 'demo mksgn'; default: all. 'taught' needs 'teacher', and 'joined' needs
    'mksgn' and 'second'."""
    json: Path | None = None
    """Write the fingerprints here."""
    against: Path | None = None
    """A file that --json wrote: say which fingerprints differ, and exit with 1 if any does."""


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)

from _digests import of_log, of_net, of_run, of_weights

from mksgn.errors import BackendError
from mksgn.programs.kept import read_kept
from mksgn.programs.outputs import check_writable, write_json

SHORT = ("--epochs", "1", "--tune-epochs", "1", "--threads", "1", "--seed", "0")
SMALL = ("--frames", "8", "--batch", "40")
"""For presets that are too large for a CPU; on synthetic skeletons."""
KINDS = (("weights", "*.safetensors", of_weights), ("net", "*.net", of_net), ("log", "metrics.jsonl", of_log))
"""Kinds of files that a run leaves: name, pattern, and the function that makes their fingerprint."""


@dataclass
class Fingerprints:
    """Makes fingerprints of runs in a scratch folder and holds them against those of before.

    Parameters
    ----------
    console : Console
    runs : Path
        The scratch folder.
    only : tuple of str
        Names of the rows to make; empty: all.
    before : dict of str to str
        Fingerprints to compare with.
    """

    console: Console
    runs: Path
    only: tuple[str, ...]
    before: dict[str, str]
    found: dict[str, str] = field(default_factory=dict)

    def note(self, name: str, value: str) -> None:
        """Keep a fingerprint, and print how it compares."""
        self.found[name] = value
        before = self.before.get(name, "")
        same = "" if not before else "  as before" if before == value else f"  DIFFERS from {before}"
        self.console.print(f"{name:<40} {value}{same}", markup=False, soft_wrap=True)

    def program(self, *words: object) -> None:
        """Run a program of this repository."""
        done = subprocess.run([sys.executable, *map(str, words)], cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise BackendError("a program failed", where=" ".join(map(str, words)), got=(done.stdout + done.stderr))

    def trained(self, name: str, *words: object, script: str = "train/train_slayer.py") -> None:
        """Train into RUNS/name; weights, nets and logs get a fingerprint each."""
        if self.only and name not in self.only:
            return
        out = self.runs / name
        self.program(script, *words, "--out", out)
        for kind, pattern, of in KINDS:
            for path in sorted(out.rglob(pattern)):
                self.note(f"{name} {path.relative_to(out)} ({kind})", of(path))

    def shipped(self, net: str, data: Path) -> None:
        """A net of models/: its arrays, and what it does on all test samples."""
        name, path = f"models/{net}", ROOT / "models" / net / "mksgn.net"
        self.note(f"{name} (net)", of_net(path))
        if self.only and name not in self.only:
            return
        said = self.runs / f"{net}.json"
        self.program("deploy/run_lava.py", "--net", path, "--data", data, "--backend", "emulator", "--json", said)
        self.note(f"{name} (run)", of_run(said))

    def everything(self, data: Path) -> None:
        """All rows, each by a program as a user would type it."""
        given = ("--data", data)
        for net in ("nw-ucla", "nw-ucla-joint"):
            self.shipped(net, data)
        self.trained("demo", "--preset", "demo", *SHORT)
        for preset in ("mksgn", "base-sgn", "mksgn-4", "spike-driven", "spikformer"):
            self.trained(preset, "--preset", preset, *given, *SHORT)
        self.trained("smf", "--preset", "mksgn-4", *given, *SHORT, "--fusion", "smf", "--time-steps", "2",
                     "--synop-weight", "0")
        self.trained("teacher", *given, "--preset", "nw-ucla", "--epochs", "2", "--threads", "1", "--seed", "0",
                     "--modality", "joint", script="train/train_teacher.py")
        self.trained("taught", "--preset", "mksgn", *given, *SHORT, "--teacher", self.runs / "teacher")
        self.trained("second", "--preset", "mksgn", *given, *SHORT[:-1], "1")
        self.trained("joined", "--run", self.runs / "mksgn", self.runs / "second", *given, script="train/join_runs.py")
        for preset in ("ntu60", "ntu120", "spikformer-256", "spike-driven-256"):
            self.trained(preset, "--preset", preset, *SHORT, *SMALL)


def main(options: Options) -> int:
    if options.json is not None:
        check_writable(options.json, "--json")
    console = Console(highlight=False)
    console.print(describe_commit())
    before = read_kept(options.against, "fingerprints", "--against", "--json", dict) if options.against else {}
    with tempfile.TemporaryDirectory(prefix="mksgn-fingerprint-") as scratch:
        made = Fingerprints(console, Path(scratch), options.only, before)
        made.everything(options.data.resolve())
    if options.json is not None:
        write_json(options.json, made.found)
    differing = [name for name, value in before.items() if made.found.get(name, value) != value]
    if options.against:
        console.print(f"{len(made.found)} fingerprints, {len(before.keys() - made.found.keys())} of before not made "
                      f"again, {len(differing)} differ")
    return int(bool(differing))


if __name__ == "__main__":
    with exit_on_error():
        status = main(given)
    sys.exit(status)
