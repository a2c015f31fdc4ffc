"""The values that each choice of a network, its training and its files may have, declared once for all who ask.

Numbers have a limit in ``LIMITS``; words are the ``Literal`` that their field is annotated with. A choice has one name
everywhere: the field of a recipe, the option of a program (``--time-steps`` of ``time_steps``)
and the entry in a stored recipe.
"""

from __future__ import annotations

import inspect
import math
import numbers
import re
import sys
from dataclasses import dataclass, fields
from typing import Any, get_args

from mksgn.errors import ConfigError

MAX_BYTES = 1 << 30
"""Default limit on what a network's file may declare: data and states of a .net, parameters of a .nir."""


@dataclass(frozen=True)
class Limit:
    """Which numbers are allowed. NaN and the infinities never are.

    Parameters
    ----------
    low, high : float
        Smallest and largest number.
    whole : bool
        Whole numbers only.
    above, below : bool
        Leave out ``low``, or ``high``, itself.
    among : tuple of int
        Only these; the rest then has no meaning.
    """

    low: float = 0
    high: float = math.inf
    whole: bool = False
    above: bool = False
    below: bool = False
    among: tuple[int, ...] = ()

    def holds(self, value: object) -> bool:
        """Whether ``value`` is one of the numbers."""
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            return False
        if self.among or self.whole:
            if not isinstance(value, numbers.Integral):
                return False
            if self.among:
                return value in self.among
        number: Any = value
        large_enough = number > self.low if self.above else number >= self.low
        small_enough = number < self.high if self.below or math.isinf(self.high) else number <= self.high
        return large_enough and small_enough

    def __str__(self) -> str:
        if self.among:
            return f"{', '.join(map(str, self.among[:-1]))} or {self.among[-1]}"
        kind = "a whole number" if self.whole else "a number"
        low = f"above {self.low:g}" if self.above else f"from {self.low:g}"
        if math.isinf(self.high):
            return f"{kind} {low}" + (" on" if not self.above else "")
        return f"{kind} {low} " + (f"to below {self.high:.10g}" if self.below else f"to {self.high:.10g}")


_COUNT = Limit(1, whole=True)
_NUMBER = Limit(0, whole=True)
_POSITIVE = Limit(0, above=True)
_WEIGHT = Limit(0)
_PART = Limit(0, 1)
_BELOW_ONE = Limit(0, 1, below=True)

LIMITS: dict[str, Limit] = {
    # The network.
    "widths": _COUNT, "strides": _COUNT, "classes": _COUNT, "channels_in": _COUNT, "coder_width": _COUNT,
    "base_channels": _COUNT, "heads": _COUNT, "segments": _COUNT, "temporal_kernel": _COUNT,
    "residual_synapses": Limit(among=(1, 2, 4, 8, 16)),
    # A .net file holds no more time steps.
    "time_steps": Limit(1, 1 << 20, whole=True),
    "surrogate_width": _POSITIVE, "current_decay": _PART, "voltage_decay": _PART, "dropout": _BELOW_ONE,
    "fusion_weights": _WEIGHT,
    # Its input.
    "frames": _COUNT, "persons": _COUNT, "root_range": _POSITIVE, "motion_range": _WEIGHT,
    "min_score": _WEIGHT,
    "rate": _WEIGHT, "recorded_rate": _POSITIVE, "settle": _COUNT,
    "yaw": _WEIGHT, "pitch": _WEIGHT, "roll": _WEIGHT, "crop": Limit(0, 1, above=True), "onset": _PART,
    "pace": _WEIGHT, "noise": _WEIGHT, "mirror": _PART,
    # Training. A generator's seed has 32 bits.
    "seed": Limit(0, (1 << 32) - 1, whole=True), "devices": _COUNT, "threads": _COUNT,
    "epochs": _NUMBER, "tune_epochs": _NUMBER, "passes": _COUNT, "batch": _COUNT,
    "lr": _POSITIVE, "tune_lr": _POSITIVE, "estimator_lr": _POSITIVE, "ftm_lr": _POSITIVE, "average_lr": _POSITIVE,
    "average_part": _PART, "lr_step": _NUMBER, "lr_decay": _WEIGHT, "warm_up": _NUMBER, "milestones": _NUMBER,
    "early_steps": _COUNT, "early_part": _PART,
    "weight_decay": _WEIGHT, "label_smoothing": _BELOW_ONE, "mixup": _WEIGHT,
    "rate_weight": _WEIGHT, "rate_target": _WEIGHT, "synop_weight": _WEIGHT, "synop_target": _POSITIVE,
    # Distillation.
    "temperature": _POSITIVE, "gamma": _WEIGHT, "beta": _WEIGHT, "alpha": _WEIGHT,
    "ftm_weight_decay": _WEIGHT, "ftm_step": _PART, "ftm_decay": _WEIGHT,
}


def option(name: str) -> str:
    """The option of a choice: ``--time-steps`` of ``time_steps``."""
    return "--" + name.replace("_", "-")


def check_number(name: str, value: object, limit: Limit) -> None:
    """Refuse a number, or one of a tuple of them, that is outside ``limit``.

    Parameters
    ----------
    name : str
        As the error calls it.

    Raises
    ------
    ConfigError
    """
    for each in value if isinstance(value, tuple) else (value,):
        if not limit.holds(each):
            got = " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            some = " each" if isinstance(value, tuple) else ""
            default = ", or leave it out" if name.startswith("--") else ""
            raise ConfigError(f"{name} has an impossible value", name, got, f"{limit}{some}",
                              f"give another {name}{default}")


def type_of(kind: type, name: str) -> Any:
    """The type of a field of a dataclass, evaluated where it was written, and without the other fields."""
    for base in kind.__mro__:
        annotation = inspect.get_annotations(base).get(name)
        if annotation is not None:
            there = vars(sys.modules[base.__module__])
            return eval(annotation, dict(there)) if isinstance(annotation, str) else annotation
    raise AttributeError(f"{kind.__name__} has no field {name}")


def check_limits(choices: Any, *, options: bool = True, **stricter: Limit) -> None:
    """Refuse a dataclass with a field that is outside its limit, or none of the words that it may be.

    None means a choice that is not made.

    Parameters
    ----------
    choices : dataclass instance
        Its fields are looked up in ``LIMITS`` by name. Others are looked at only if they are annotated as ``Literal``.
    options : bool
        Whether errors call a field by the name of its option.
    **stricter : Limit
        In place of those in ``LIMITS``.

    Raises
    ------
    ConfigError
    """
    limits = LIMITS | stricter
    for each in fields(choices):
        value = getattr(choices, each.name)
        if re.fullmatch(r"Literal\[[^]]*\]", str(each.type)):
            allowed = get_args(type_of(type(choices), each.name))
            if value not in allowed:
                raise ConfigError(f"unknown {each.name}", option(each.name) if options else each.name, str(value),
                                  ", ".join(allowed))
        if each.name not in limits or (value is None and "None" in str(each.type)):
            continue
        check_number(option(each.name) if options else each.name, value, limits[each.name])
