"""Which network a bare file name means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mksgn.errors import ConfigError
from mksgn.ir import Graph

PACKAGE = Path(__file__).resolve().parents[1]
ROOT = PACKAGE.parent
"""The project's folder, where it is a checkout."""
NET = "mksgn.net"
"""What a training calls the net that it leaves in its folder."""


def find_net(net: Path, say: Callable[[str], None]) -> Path:
    """The file that ``net`` names: itself where it is one, else the one that a newcomer means.

    A folder means the ``mksgn.net`` in it. A bare name, such as ``mksgn.net``, is looked for in the newest folder of
    ``runs`` that has it, and then in the folders of ``models``, first those of the current folder and then those of the
    project; so is a folder of ``runs`` or ``models``, such as ``nw-ucla``. Where the package was installed without a
    checkout, the shipped networks stand in it. A name that is nowhere, and any other path, comes back as it is, for
    whoever opens it to refuse.

    Parameters
    ----------
    net : Path
    say : callable
        Called with a sentence that names the file, where it is not ``net`` itself.

    Returns
    -------
    Path
    """
    if (net / NET).is_file():
        say(f"{net} is a folder: {net / NET} is used")
        return net / NET
    if net.exists() or len(net.parts) != 1:
        return net
    checkout = (ROOT / "models").is_dir() and not (PACKAGE / "models").is_dir()
    for base in dict.fromkeys((Path(), ROOT if checkout else PACKAGE)):
        made = sorted(base.glob(f"runs/*/{net}"), key=lambda path: path.stat().st_mtime, reverse=True)
        named = [path for folder in ("runs", "models") if (path := base / folder / net / NET).is_file()]
        for path in (*made, *sorted(base.glob(f"models/*/{net}")), *named):
            say(f"{net} is not in this folder: {path} is used")
            return path
    return net


def check_clip(graph: Graph, net: Path) -> None:
    """Raise :class:`ConfigError` where the file ``net`` holds a streamed graph: programs take that of the clip."""
    if graph.input.lattice is not None:
        raise ConfigError("the file holds a streamed graph", where=str(net), allowed="the graph of a clip",
                          fix="name the file of the clip's graph; --time stream runs it as a stream")
