"""What a delay costs in a core, and the ways in which a chip can make one.

Nothing of this is published for Loihi 2. What any core must hold is known by reasoning: a message that is to act d
steps later waits somewhere. Where it waits in the neuron that it reaches, that neuron holds one accumulator for each of
the steps up to the longest delay. Everything here is an assumption with a name, and :func:`assumed` prints it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from mksgn.errors import ConfigError

Realisation = Literal["lists", "axonal", "relays", "shift", "registers"]
REALISATIONS: dict[Realisation, str] = {
    "lists": "every synapse is an entry of a list, with a delay of its own",
    "axonal": "a message for each delay, held back by its axon, in front of shared weights",
    "relays": "a neuron for each delay passes a spike on, through a list of one entry with a delay",
    "shift": "a neuron for each step passes a spike on",
    "registers": "a neuron for each frame on its way holds a spike until its clock lets it go",
}
"""The ways to make a delay."""
STOCK: tuple[Realisation, ...] = ("lists", "relays", "shift")
"""Those that Lava's own Processes can run."""
CHAINS: tuple[Realisation, ...] = ("relays", "shift", "registers")
"""Those that take neurons of their own."""
HOST = "host"
"""How a delay behind the input is made: the host sends the message when it is due."""
NARROW, WIDE = 16, 24
"""Bits of an accumulator: as wide as the sums need."""
FREE, ACCUMULATORS = "free", "accumulators"
DELAYS_HELP = ("any of them; stock: those that Lava's own Processes can run; or one of "
               + "; ".join(f"{name}: {words}" for name, words in REALISATIONS.items()) + ".")
"""For the --help of programs."""


@dataclass(frozen=True)
class Delays:
    """How delays may be made, and what they cost.

    Parameters
    ----------
    bits : int or None
        Of an accumulator; 0: delays take no memory; None: 16, or 24 where the weights into a neuron can add up to more
        than 16 bits hold. A neuron that is reached with delays up to d holds d + 1 of them beside its state.
    allowed : tuple of Realisation
        One is chosen for each synapse.
    clock : bool
        A neuron that rests between its frames is held down by a clock neuron: its population takes a list of one entry
        per neuron, and a message in every step of rest. Otherwise the neuron program counts steps, at no cost.
    """

    bits: int | None = None
    allowed: tuple[Realisation, ...] = get_args(Realisation)
    clock: bool = False

    def __post_init__(self) -> None:
        unknown = [name for name in self.allowed if name not in REALISATIONS]
        if unknown or not self.allowed:
            raise ConfigError("a delay cannot be made in this way", where="delays", got=", ".join(unknown) or "none",
                              allowed=", ".join(REALISATIONS))
        if self.bits is not None and self.bits < 0:
            raise ConfigError("the width of an accumulator is negative", where="delay price", got=str(self.bits),
                              allowed="0 bits or more")

    @classmethod
    def parse(cls, price: str = ACCUMULATORS, ways: str = "any") -> Delays:
        """From the words of a command line.

        Parameters
        ----------
        price : 'free', 'accumulators', or bits
        ways : 'any', 'stock', or a Realisation

        Raises
        ------
        ConfigError
            When a word is none of these.
        """
        if price not in (FREE, ACCUMULATORS) and not price.isdecimal():
            raise ConfigError("this is no price of a delay", where="--delay-price", got=price,
                              allowed=f"{FREE}, {ACCUMULATORS}, or the bits of an accumulator")
        if ways not in ("any", "stock", *REALISATIONS):
            raise ConfigError("a delay cannot be made in this way", where="--delays", got=ways,
                              allowed=", ".join(("any", "stock", *REALISATIONS)))
        allowed = {"any": tuple(REALISATIONS), "stock": STOCK}.get(ways, (ways,))
        bits = {FREE: 0, ACCUMULATORS: None}[price] if not price.isdecimal() else int(price)
        return cls(bits, allowed, set(allowed) <= set(STOCK))  # type: ignore[arg-type]

    @property
    def price(self) -> str:
        """The price in a word: 'free', 'accumulators', '40 bits'."""
        return ACCUMULATORS if self.bits is None else FREE if self.bits == 0 else f"{self.bits} bits"

    def width(self, bound: int) -> int:
        """Bits of the accumulators of neurons whose input in one step stays within ``bound``."""
        if self.bits is not None:
            return self.bits
        return NARROW if bound < 1 << (NARROW - 1) else WIDE


def assumed(delays: Delays, used: set[str]) -> dict[str, str]:
    """What placing took for granted about delays, by name.

    Parameters
    ----------
    delays : Delays
    used : set of str
        The realisations that occur.
    """
    width = f"{NARROW} bits, {WIDE} where sums need them" if delays.bits is None else f"{delays.bits} bits"
    found = {"delay price": "free: a delay takes no memory" if delays.bits == 0 else
             f"{delays.price}: a neuron reached with delays up to d holds d + 1 accumulators of {width} beside its "
             "state, in the core's joint memory; what a chip needs is not published",
             "delay time": "none beyond the wait: one study measured so for delays up to 62 on Loihi 2 (arXiv "
                           "2510.13757, second-hand)",
             "gate": "a clock neuron holds a resting population down, through a list of one entry per neuron"
             if delays.clock else "a neuron's program counts its steps, in the word of state that it has"}
    texts = {
        "lists": "an entry of a list grows by the bits of its longest delay",
        "axonal": "one out-axon, one in-axon and one message for each delay; asked for in lava issue 637, unpublished "
                  "for convolutions",
        "relays": "a relay is a neuron of one word, behind a list of one entry",
        "shift": "a relay is a neuron of one word; its synapse is one shared weight per channel",
        "registers": "a neuron program can hold a bit between its steps: a neuron of one word; not tried on a chip",
        HOST: "the host sends an input again for each delay"}
    return found | {f"delays by {name}": text for name, text in texts.items() if name in used}
