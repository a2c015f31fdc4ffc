"""Speeds of several processors side by side: a column for each, from what `python benchmarks/speed` measured.

    python benchmarks/speed --quick --json xeon.json
    ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 MKL_ENABLE_INSTRUCTIONS=AVX2 NUMBA_CPU_NAME=haswell \\
        python benchmarks/speed --quick --json avx2.json                   # the same machine as a plainer processor
    python benchmarks/speed/columns.py --json xeon.json avx2.json --out benchmarks/results/speed_by_processor.md

Every figure is a ratio of two times measured in one run. Files of the same processor share a column; a row that two of
them have is that of the later file. All must be of one commit.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mksgn.errors import ConfigError
from mksgn.programs.console import exit_on_error
from mksgn.programs.options import parse


@dataclass(frozen=True)
class Options:
    """Speeds of several processors side by side."""

    json: tuple[Path, ...]
    """Files of ``python benchmarks/speed --json``."""
    out: Path
    """The Markdown file to write."""


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)

from mksgn.programs.kept import read_kept
from mksgn.programs.outputs import check_writable, write_text

PRECISIONS = ("bfloat16", "float32")


def columns(files: list[dict[str, Any]]) -> tuple[list[str], dict[tuple[str, str, str], dict[str, dict[str, Any]]]]:
    """Processors, and of every (what, baseline, target) the row of each processor."""
    processors: list[str] = []
    rows: dict[tuple[str, str, str], dict[str, dict[str, Any]]] = {}
    for found in files:
        if found["cpu"] not in processors:
            processors.append(found["cpu"])
        for row in found["rows"]:
            if row["ratio"] is not None:
                what = row["what"]
                for chosen in PRECISIONS:  # which one, depends on the processor
                    what = what.replace(f", synapses in {chosen}", "").replace(f" in {chosen}, beside", ", beside")
                rows.setdefault((what, row["against"], row["target"]), {})[found["cpu"]] = row
    return processors, rows


def markdown(files: list[dict[str, Any]], command: str) -> str:
    """The page, made by ``command``."""
    processors, rows = columns(files)
    packages = ("python", "torch", "lava-nc", "lava-dl", "numpy", "numba", "spikingjelly")
    versions = ", ".join(f"{name} {files[0][name]}" for name in packages if name in files[0])
    lines = ["# Speed on several processors", "",
             f"`{command}`, from runs of `python benchmarks/speed --json`; "
             f"{files[0]['commit']}, {versions}, {files[0]['torch_threads']} threads.", "",
             *(f"- {letter}: {name}" for letter, name in zip("ABCDEFGH", processors)), "",
             "Times as fast as the baseline; where the target is an upper bound, times as long. "
             "Bold: the target is missed.", "",
             "| what | beside | target | " + " | ".join("ABCDEFGH"[:len(processors)]) + " |",
             "|---|---|---|" + "---|" * len(processors)]
    for (what, against, target), found in rows.items():
        cells = []
        for name in processors:
            row = found.get(name)
            text = "" if row is None else f"{row['ratio']:,.0f}" if row["ratio"] >= 100 else f"{row['ratio']:.2f}"
            cells.append(f"**{text}**" if row is not None and row["met"] is False else text)
        lines.append(f"| {what} | {against} | {target} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def used(file: dict[str, Any]) -> dict[str, Any]:
    """The file itself, once all that a column needs was found in it."""
    columns([file])
    return file


def main(options: Options) -> int:
    check_writable(options.out, "--out")
    files = [read_kept(path, "rows", "--json", "benchmarks/speed --json", used) for path in options.json]
    commits = sorted({row.get("commit", found["commit"]) for found in files for row in found["rows"]})
    if len(commits) > 1:
        raise ConfigError("the files are of several commits", where="--json", got=", ".join(commits),
                          fix="measure again, all with one commit")
    names = " ".join(path.name for path in options.json)
    command = f"python benchmarks/speed/columns.py --json {names} --out {options.out.name}"
    write_text(options.out, markdown(files, command))
    print(f"wrote {options.out}")
    return 0


if __name__ == "__main__":
    with exit_on_error():
        sys.exit(main(given))
