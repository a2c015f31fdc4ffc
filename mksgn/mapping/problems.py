"""What does not fit on a board, and the smallest change that would make it fit, found by computing it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mksgn.errors import ConfigError
from mksgn.ir.graph import Graph
from mksgn.ir.schedule import schedule
from mksgn.ir.synapses import Attention
from mksgn.mapping.boards import Board, boards
from mksgn.mapping.memory import fan_in, weight_bits
from mksgn.mapping.packing import RESOURCES, Packing, limits_of
from mksgn.mapping.shrink import with_frames, with_width
from mksgn.mapping.wiring import Wiring

_WIDTHS = 16
"""Widths are tried in sixteenths."""


@dataclass(frozen=True)
class Problem:
    """A limit that is exceeded.

    Parameters
    ----------
    limit : str
        Which: a field of :class:`Board`.
    where : str
        Population or synapse, or 'network'.
    used, allowed : int
    change : str
        The smallest changes that would make it fit, each on its own.
    """

    limit: str
    where: str
    used: int
    allowed: int
    change: str

    def __str__(self) -> str:
        return f"{self.where}: {self.limit} {self.used:,}, at most {self.allowed:,}. {self.change}"


def find_problems(wiring: Wiring, board: Board, packing: Packing,
                  cores_of: Callable[[Graph], int]) -> tuple[Problem, ...]:
    """Every limit that ``packing`` exceeds.

    Parameters
    ----------
    wiring : Wiring
        Its delays are those of the board, or those of a graph without lattices, which nothing has shortened yet.
    board : Board
    packing : Packing
    cores_of : callable
        Cores that a graph takes on this board at least.
    """
    graph = wiring.graph
    return (*_widths(graph, board), *(() if wiring.strands else _delays(graph, board)), *_cores(graph, board, packing),
            *_chips(wiring.stream, board, packing, cores_of))


def chips_needed(board: Board, cores: int) -> int:
    """Chips that hold ``cores`` cores."""
    return -(-cores // board.cores_per_chip)


def least_cores(graph: Graph, board: Board) -> int:
    """Cores that the neurons alone take: a bound that needs no placing."""
    neurons = sum(population.size for population in graph.populations[1:])
    for synapse in graph.synapses:
        if isinstance(synapse, Attention):
            neurons += sum(synapse.layers(graph[synapse.target].shape).values())
    return -(-neurons // board.neurons)


def larger_board(board: Board, cores: int) -> Board | None:
    """The smallest known board of the same generation with at least ``cores`` cores."""
    enough = [b for b in boards().values() if b.generation == board.generation and b.cores >= cores]
    return min(enough, key=lambda b: b.cores, default=None)


def refuse_giants(cores: int, target: Board) -> None:
    """Raise :class:`ConfigError` where neither the board nor a known one of its generation has so many cores."""
    if cores > target.cores and larger_board(target, cores) is None:
        raise ConfigError(f"the net is larger than any known {target.generation} board", where=f"board {target.name!r}",
                          got=f"{cores:,} cores, {chips_needed(target, cores):,} chips",
                          allowed=f"{target.cores:,} cores, {target.chips:,} chips",
                          fix="take fewer frames or channels, or describe a larger board in a .toml file")


def _widths(graph: Graph, board: Board) -> list[Problem]:
    found = []
    for population in graph.populations:
        if population.message_bits > board.message_bits:
            able = [b.name for b in boards().values() if b.message_bits >= population.message_bits]
            change = "send spikes: code the values on the host"
            if able:
                change += f", or take {' or '.join(able)}"
            found.append(Problem("message_bits", f"population {population.name!r}", population.message_bits,
                                 board.message_bits, change))
    for synapse in graph.synapses:
        bits = weight_bits(synapse.weight)
        if bits > board.weight_bits:
            found.append(Problem("weight_bits", f"synapse {synapse.name!r}", bits, board.weight_bits,
                                 f"round its weights to multiples of {1 << (bits - board.weight_bits)} more"))
    return found


def _delays(graph: Graph, board: Board) -> list[Problem]:
    found = []
    wait = schedule(graph).wait
    for synapse in graph.synapses:
        longest = synapse.longest_delay + max(wait[synapse.name, source] for source in synapse.sources)
        if longest > board.delay_steps:
            relays = -(-(longest - board.delay_steps) // (board.delay_steps + 1))
            found.append(Problem("delay_steps", f"synapse {synapse.name!r}", longest, board.delay_steps,
                                 f"pass its sources through {relays} relay population{'s' * (relays > 1)}"))
    return found


def _cores(graph: Graph, board: Board, packing: Packing) -> list[Problem]:
    """Limits of a single core: the worst core for each population and limit."""
    found = []
    for name, limit in limits_of(board).items():
        used = packing.usage[:, RESOURCES.index(name)]
        for population, cores in packing.core.items():
            most = int(used[cores].max())
            if most > limit:
                found.append(Problem(name, f"population {population!r}", most, limit, _less(graph, population, name,
                                                                                            most, limit)))
    return found


def _less(graph: Graph, population: str, name: str, used: int, limit: int) -> str:
    parts = -(-used // limit)
    if name == "out_axons":
        return f"copy the population {parts} times, for a part of its readers each"
    most = fan_in(graph, population)
    return (f"let a neuron read {most * limit // used:,} synapses instead of {most:,}, or divide them among {parts} "
            "populations and add those up")


def _chips(graph: Graph, board: Board, packing: Packing, cores_of: Callable[[Graph], int]) -> list[Problem]:
    if packing.cores <= board.cores:
        return []
    needed = chips_needed(board, packing.cores)
    changes = [f"{needed:,} chips"]
    larger = larger_board(board, packing.cores)
    changes.append(f"the board {larger.name} ({larger.chips:,} chips)" if larger
                   else f"no known {board.generation} board has so many")
    whole = graph.input.shape[1]
    guess = board.cores / packing.cores
    frames = _most(whole, guess, _fits(board, cores_of, lambda n: with_frames(graph, n)))
    if frames:
        changes.append(f"{frames} instead of {whole} frames")
    share = _most(_WIDTHS, guess, _fits(board, cores_of, lambda n: with_width(graph, n / _WIDTHS)))
    if share:
        changes.append(f"{share}/{_WIDTHS} of the channels of every layer")
    return [Problem("chips", "network", needed, board.chips, "; or ".join(changes))]


def _fits(board: Board, cores_of: Callable[[Graph], int],
          shrink: Callable[[int], Graph | None]) -> Callable[[int], bool]:
    def fits(number: int) -> bool:
        smaller = shrink(number)
        return smaller is not None and cores_of(smaller) <= board.cores
    return fits


def _most(whole: int, guess: float, fits: Callable[[int], bool]) -> int:
    """The largest number below ``whole`` that fits, looked for around ``guess * whole`` first; 0 where none does."""
    low, high = 0, whole
    middle = min(max(1, int(whole * guess)), high - 1)
    while high - low > 1:
        if fits(middle):
            low, middle = middle, min(middle + max(1, middle // 16), high - 1)
        else:
            high, middle = middle, max(middle - max(1, middle // 16), low + 1)
        if not low < middle < high:
            middle = (low + high) // 2
    return low
