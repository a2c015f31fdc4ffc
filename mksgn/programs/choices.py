"""Options that a program derives from dataclasses of choices: name, type and help are written once, where the field is.

The help is what the class docstring says of the field under ``Parameters``. Every derived option defaults to None, the
choice that is not made.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple, TypeVar

import docstring_parser
from typing_extensions import dataclass_transform

from mksgn.limits import type_of

Options = TypeVar("Options")
HELP = "help"
"""Key of a field's metadata under which its help stands."""


class Choice(NamedTuple):
    """An option to be."""

    kind: Any
    """The type of its value."""
    help: str


def documented(kind: type) -> dict[str, str]:
    """What the docstrings of a class, and of those it inherits from, say of their parameters."""
    found: dict[str, str] = {}
    for base in kind.__mro__:
        for entry in docstring_parser.parse(base.__doc__ or "", docstring_parser.DocstringStyle.NUMPYDOC).params:
            for name in entry.arg_name.split(", "):
                found.setdefault(name, " ".join((entry.description or "").split()))
    return found


def choices_of(kind: type, leave_out: Iterable[str] = ()) -> dict[str, Choice]:
    """The fields of a dataclass as options, in their order.

    Raises
    ------
    KeyError
        When its docstring says nothing of one of them.
    """
    said = documented(kind)
    return {each.name: Choice(type_of(kind, each.name), said[each.name]) for each in fields(kind)
            if each.name not in set(leave_out)}


@dataclass_transform(frozen_default=True)
def with_choices(choices: Mapping[str, Choice], *, before: str,
                 words: Mapping[str, Iterable[str]] | None = None) -> Callable[[type[Options]], type[Options]]:
    """Make a class a frozen dataclass of options, with one more for each of ``choices``.

    A field that the class has already keeps its type, and takes place and help from the choice.

    Parameters
    ----------
    choices : mapping of Choice
        By name.
    before : str
        The class's own field that they stand before.
    words : mapping of str, optional
        Fields of the class, and which words each may be.
    """

    def add(options: type[Options]) -> type[Options]:
        own = {name: kind for name, kind in inspect.get_annotations(options).items() if not _is_class_wide(kind)}
        said = {entry.arg_name: entry.description for entry in docstring_parser.parse_from_object(options).params}
        for name, allowed in (words or {}).items():
            own[name] = Literal[tuple(allowed)] | None
        kinds: dict[str, Any] = {}
        for name, kind in own.items():
            if name == before:
                kinds |= {each: own.get(each, choice.kind | None) for each, choice in choices.items()}
            if name not in choices:
                kinds[name] = kind
        for name in kinds:
            help_ = said.get(name) or (choices[name].help if name in choices else "")
            default = getattr(options, name, None)
            setattr(options, name, field(default=default, metadata={HELP: help_}))
        options.__annotations__ = kinds
        return dataclass(frozen=True)(options)

    return add


def _is_class_wide(kind: Any) -> bool:
    return isinstance(kind, str) and kind.startswith("ClassVar")
