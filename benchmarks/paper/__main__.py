"""Recompute the paper's Tables 1-3: each printed number beside ours, with the factor between them.

    python benchmarks/paper                                       # all tables; under a minute on one core
    python benchmarks/paper --layers CTR-GCN                      # one network, layer by layer
    python benchmarks/paper --json audit.json --markdown benchmarks/results/paper_tables.md

FLOPs (multiply-accumulates), parameters and energy of ST-GCN, 2s-AGCN, Shift-GCN, MS-G3D, CTR-GCN, Base-SGN,
Spikformer, Spike-driven Transformer and MK-SGN in the paper's configuration, twice: by formula from published layer
definitions, and, but for the two transformers, by counting what our modules and integer graphs do. The two must
agree exactly, or the exit code is 1. Accuracies are not looked at: nothing is trained here. docs/paper-audit.md says
what it means.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from mksgn.errors import ConfigError
from mksgn.programs.console import exit_on_error
from mksgn.programs.options import parse


@dataclass(frozen=True)
class Options:
    """Recompute the numbers of the paper's Tables 1-3."""

    json: Path | None = None
    """Write all rows, and the layer table of every network, here."""
    markdown: Path | None = None
    """Write the tables here, as benchmarks/results/paper_tables.md."""
    layers: str | None = None
    """Print the layer table of this network only: name, kind, output, MACs, parameters."""


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

from _audit import audit, show_layers


def main(options: Options) -> int:
    if options.layers is None:
        return audit(options.json, options.markdown)
    if options.json or options.markdown:
        raise ConfigError("--layers only prints", got="--layers with --json or --markdown",
                          fix="leave one of them out: the JSON file holds every layer table")
    show_layers(options.layers)
    return 0


if __name__ == "__main__":
    with exit_on_error():
        sys.exit(main(given))
