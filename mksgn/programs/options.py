"""The options of a program: read from the command line, and explained by ``--help``."""

from __future__ import annotations

import dataclasses
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import docstring_parser
import tyro

from mksgn.programs.choices import HELP
from mksgn.programs.started import PACKAGE, told

Options = TypeVar("Options")
WIDEST = 100
"""Columns of the description, at most: longer lines are hard to read."""
GROUPS = "GROUPS"
"""Name of the class attribute that sorts a program's options, and of the groups in what tyro reads."""
LONG = 20
"""Letters of a list of choices that is not repeated."""
UNIONS = (Union, UnionType)
_COMMAND = re.compile(r"\s*((python|torchrun|make|pip)\b|mksgn [a-z-]|#)")
_COMMENTED = re.compile(r"(\s+)(\S.*?)\s+(# .*)")
_TERM = re.compile(r"(\s+\S+(?: \S+)*\s{2,})(\S.*)")


def parse(options: type[Options], description: str | None, arguments: Sequence[str] | None = None,
          command: str | None = None) -> Options:
    """Read the command line; print the help or what is wrong, and leave the program, where that is asked for.

    Parameters
    ----------
    options : dataclass
        A field is an option, and the text below it is its help. A field that is a dataclass stands for its own fields:
        so programs share options. A class attribute ``GROUPS``, a dict, may sort them: it names the heading of a group
        and the first option of it; the options before the first group stand alone.
        The defaults None, False and () are not shown: the help says what they mean.
    description : str, optional
        The program's docstring. Its paragraphs are wrapped; indented lines are examples and lists, whose commands
        are never broken.
    arguments : sequence of str, optional
        The options as typed; default: ``sys.argv``.
    command : str, optional
        What was typed before them, ``mksgn run`` or ``python deploy/run_lava.py``: the help names commands accordingly.
        Default: the program's own file.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    say = partial(told, command=command or PACKAGE)
    if {"-h", "--help"} & set(arguments):
        print(wrapped(say(description or ""), min(shutil.get_terminal_size().columns, WIDEST)) + "\n")
    config = (tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone, tyro.conf.OmitArgPrefixes)
    given = tyro.cli(_grouped(options, say), prog=command, args=arguments, description="", config=config)
    values: dict[str, Any] = {}
    for field in dataclasses.fields(given):
        value = getattr(given, field.name)
        values |= vars(value) if field.name.startswith(GROUPS) else {field.name: value}
    return _assembled(options, values)


def stored(options: Any, names: Sequence[str]) -> dict[str, Any]:
    """The options called ``names`` as plain values, for a checkpoint."""
    given = {name: getattr(options, name) for name in names}
    groups = {name for name, value in given.items() if dataclasses.is_dataclass(value)}
    return {name: vars(value) | {} if name in groups else value for name, value in given.items()}


def restored(options: Options, values: Mapping[str, Any]) -> Options:
    """``options`` with what :func:`stored` made, after a passage through JSON.

    Raises
    ------
    TypeError
        When there are no such options.
    """
    made: dict[str, Any] = {}
    for name, value in values.items():
        own: Any = getattr(options, name, None)
        shared: bool = dataclasses.is_dataclass(own)
        made[name] = dataclasses.replace(own, **_tuples(value)) if shared else value
    return dataclasses.replace(options, **_tuples(made))  # type: ignore[type-var]


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _assembled(options: type[Options], values: Mapping[str, Any]) -> Options:
    """The options of flat values by name."""
    types = get_type_hints(options)
    made = {field.name: _assembled(types[field.name], values) if dataclasses.is_dataclass(types[field.name])
            else values[field.name] for field in dataclasses.fields(options)}  # type: ignore[arg-type]
    return options(**made)


def _flat(options: Any) -> Iterator[tuple[Any, Any, str]]:
    """(field, type, help) of each option, those of shared dataclasses in their places."""
    types: dict[str, Any] = get_type_hints(options, include_extras=True)
    helps = {entry.arg_name: entry.description for entry in docstring_parser.parse_from_object(options).params}
    for field in dataclasses.fields(options):
        if dataclasses.is_dataclass(types[field.name]):
            yield from _flat(types[field.name])
        else:
            yield field, types[field.name], field.metadata.get(HELP) or helps.get(field.name) or ""


def _grouped(options: Any, say: Callable[[str], str]) -> Any:
    """The same options as a dataclass that holds one of its own for every group, which tyro puts under a heading.

    ``say`` is what the help of each is passed through.
    """
    flat = list(_flat(options))
    headings = {first: heading for heading, first in getattr(options, GROUPS, {}).items()}
    unknown = headings.keys() - {field.name for field, _, _ in flat}
    assert not unknown, f"groups begin with {unknown}, which are no options"
    alone: list[Any] = []
    groups: list[tuple[str, list[Any]]] = [("", alone)]
    for field, kind, text in flat:
        if field.name in headings:
            groups.append((headings[field.name], []))
        silent = field.default is None or field.default is False or field.default == ()
        said = tyro.conf.arg(help=say(" ".join(text.split())) or None, metavar=_several(kind),
                             help_behavior_hint="" if silent else None)
        kept: Any = {"default": field.default, "default_factory": field.default_factory}
        groups[-1][1].append((field.name, Annotated[(kind, said)], dataclasses.field(**kept, kw_only=True)))
    for number, (heading, fields) in enumerate(groups[1:]):
        name = f"{GROUPS}{number}"
        alone.append((name, Annotated[dataclasses.make_dataclass(name, fields), tyro.conf.arg(name=heading, help="")],
                      dataclasses.field(kw_only=True)))
    return dataclasses.make_dataclass(options.__name__, alone)


def _several(kind: Any) -> str | None:
    """How the values of an option that takes several are written; None for any other, and where its field says so."""
    if get_origin(kind) is Annotated:
        return None
    kinds = [each for each in get_args(kind) if each is not type(None)] if get_origin(kind) in UNIONS else [kind]
    if len(kinds) > 1 or get_origin(kinds[0]) is not tuple:
        return None
    words = ["{" + ",".join(get_args(each)) + "}" if get_origin(each) is Literal else
             "..." if each is Ellipsis else each.__name__.upper() for each in get_args(kinds[0])]
    if words[1:] != ["..."]:
        return " ".join(words)
    return f"{words[0]} [{words[0]} ...]" if len(words[0]) < LONG else f"{words[0]} ..."


def wrapped(text: str, width: int) -> str:
    """A docstring with its paragraphs wrapped, and lists too where they are wider; commands stay whole."""
    blocks = [_block(block.splitlines(), width) for block in re.split(r"\n\s*\n", text.strip("\n"))]
    return "\n\n".join("\n".join(block) for block in blocks)


def _block(lines: list[str], width: int) -> Iterator[str]:
    """Lines that no blank line divides: prose, then perhaps a list."""
    start = next((number for number, line in enumerate(lines) if line.startswith(" ")), len(lines))
    if start:
        yield _fill(" ".join(lines[:start]), width)
    if start < len(lines):
        end = next((number for number, line in enumerate(lines) if number > start and not line.startswith(" ")),
                   len(lines))
        part = lines[start:end]
        yield from part if max(map(len, part)) <= width else _listed(part, width)
        if end < len(lines):
            yield from _block(lines[end:], width)


def _listed(lines: list[str], width: int) -> Iterator[str]:
    """Commands, each below its comment; or terms, each beside its explanation."""
    left = list(lines)
    while left:
        line = left.pop(0)
        indent = len(line) - len(line.lstrip())
        if _COMMAND.match(line):
            found = _COMMENTED.fullmatch(line)
            if found and len(line) > width:
                yield _fill(found[3], width, found[1], found[1] + "# ")
                line = found[1] + found[2]
            yield line
            continue
        term = _TERM.fullmatch(line)
        more = []
        while left and len(left[0]) - len(left[0].lstrip()) > indent:
            more.append(left.pop(0).strip())
        if term:
            yield _fill(" ".join((term[2], *more)), width, term[1], " " * len(term[1]))
        else:
            yield line
            if more:
                yield _fill(" ".join(more), width, " " * (indent + 4), " " * (indent + 4))


def _fill(text: str, width: int, first: str = "", later: str = "") -> str:
    return textwrap.fill(text, width, initial_indent=first, subsequent_indent=later, break_long_words=False,
                         break_on_hyphens=False)
