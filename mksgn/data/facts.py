"""What is known of the coordinates in a pack beside their numbers: unit, which way is up, where they come from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from mksgn.errors import DataError

UNITS = ("", "m", "cm", "mm", "px", "image")
"""Metres, centimetres, millimetres, pixels, parts of the image's size; empty: nobody said."""
AXES = ("", "+x", "-x", "+y", "-y", "+z", "-z")
"""The direction that points up: ``+y`` for Kinect, ``-y`` in images, whose rows count downwards."""


@dataclass(frozen=True)
class Facts:
    """Facts of a pack; empty ones are unknown.

    Parameters
    ----------
    units : str
        One of ``UNITS``.
    up : str
        One of ``AXES``.
    source : str
        Name of the reader.

    Raises
    ------
    DataError
        When ``units`` or ``up`` is none of those.
    """

    units: str = ""
    up: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        for name, allowed in (("units", UNITS), ("up", AXES)):
            if getattr(self, name) not in allowed:
                raise DataError(f"The pack states unknown {name}", f"facts, {name}", repr(getattr(self, name))[:60],
                                ", ".join(repr(each) for each in allowed))

    def to_json(self) -> str:
        """One line, without what is unknown."""
        return json.dumps({name: value for name, value in asdict(self).items() if value})

    @classmethod
    def from_json(cls, text: str) -> Facts:
        """Inverse of :meth:`to_json`.

        Raises
        ------
        DataError
            When the text states no facts.
        """
        try:
            values = json.loads(text)
            if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
                raise ValueError("no object of strings")
            return cls(**values)
        except (TypeError, ValueError, RecursionError) as error:
            raise DataError("The pack's facts cannot be read", "facts", f"{text[:80]!r} ({error})",
                            'an object such as {"units": "m", "up": "+y"}') from None

    def __bool__(self) -> bool:
        return self != Facts()
