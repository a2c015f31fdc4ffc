"""A placement on the terminal, and the activity that it is balanced for."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from mksgn.errors import ConfigError
from mksgn.ir.streamed_clips import is_endless
from mksgn.mapping import Placement, tables
from mksgn.mapping.both_ways import Way
from mksgn.mapping.price import modelled_line
from mksgn.mapping.schema import PlacementRecord
from mksgn.mapping.ways_table import ENDLESS_NOTES, NOTES, OF_A_FRAME, PLACED, PRICED, placed_rows, priced_rows
from mksgn.programs.console import print_prose, print_table

FEW_CHIPS = 16
"""Chips that are printed without --all."""


def load_activity(path: Path) -> dict[str, np.ndarray]:
    """Messages per neuron and sample: float64 arrays (C, F, V) of an .npz file by name; nothing is unpickled.

    Raises
    ------
    ConfigError
        When the file cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: np.asarray(archive[name], np.float64) for name in archive.files}
    except (OSError, ValueError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise ConfigError("the activity cannot be read", where=str(path), got=str(error),
                          allowed="an .npz file with an array (C, F, V) for each population") from None


def show_ways(console: Console, ways: Sequence[Way]) -> None:
    """Print both ways of running a network side by side, or a stream without ends."""
    endless = ways[0].time == "endless"
    priced = [OF_A_FRAME.get(heading, heading) if endless else heading for heading in PRICED]
    for headings, rows in ((PLACED, placed_rows(ways)), (priced, priced_rows(ways))):
        console.print()
        table = Table(box=None, pad_edge=False, header_style="bold")
        for number, heading in enumerate(headings):
            table.add_column(heading, justify="left" if number < 2 else "right")
        for row in rows:
            table.add_row(*row)
        print_table(console, table)
    for note in ENDLESS_NOTES if endless else NOTES:
        print_prose(console, note, style="dim")


def show_placement(console: Console, placement: Placement, content: PlacementRecord, everything: bool) -> None:
    """Print whether the net fits, then what it takes; the rows of all populations with ``everything``."""
    print_prose(console, tables.verdict(placement), style="bold")
    for problem in placement.problems:
        print_prose(console, f"does not fit: {problem}", style="red")
    if everything or placement.chips <= FEW_CHIPS:
        console.print()
        print_table(console, tables.chips_table(content["chip_list"]))
    if everything:
        console.print()
        print_table(console, tables.layers_table(content["layers"], placement))
        if content["delays"]:
            console.print()
            print_table(console, tables.delays_table(content["delays"]))
    console.print()
    for line in tables.delays_lines(content["delays"]):
        print_prose(console, line)
    of = "frame" if is_endless(placement.wiring.stream) else "sample"
    print_prose(console, tables.busiest_line(content["busiest"], of))
    print_prose(console, tables.traffic_line(content["traffic"], of))
    if content["modelled"] is not None:
        print_prose(console, modelled_line(content["modelled"], of))
    for name, text in tables.assumptions(placement).items():
        print_prose(console, f"assumed: {name} = {text}" if name in placement.board.assumed
                    else f"assumed: {name}: {text}", style="dim")
    if not everything:
        chips = "" if placement.chips <= FEW_CHIPS else f" and {placement.chips} chips"
        print_prose(console, f"--all prints a row for each of the {len(content['layers'])} populations{chips}")
