"""Options that a program derives from a dataclass of choices."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar, Literal

import pytest

from mksgn.commands.train_options import CHOICES, Options
from mksgn.programs.choices import HELP, choices_of, documented, with_choices
from mksgn.training.recipe import PRESETS, Recipe


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What several have.

    Parameters
    ----------
    size, depth : int
        Numbers.
    """

    size: int = 1
    depth: int = 2


@dataclass(frozen=True, kw_only=True)
class Own(Shared):
    """What one has.

    Parameters
    ----------
    depth : int
        Its own
        words.
    kind : 'a' or 'b'
        Either.
    """

    kind: Literal["a", "b"] = "a"


def test_the_nearest_docstring_says_what_a_choice_is():
    assert documented(Own) == {"depth": "Its own words.", "kind": "Either.", "size": "Numbers."}
    assert {name: choice.kind for name, choice in choices_of(Own).items()} == {
        "size": int, "depth": int, "kind": Literal["a", "b"]}
    assert choices_of(Own, leave_out=("size",)).keys() == {"depth", "kind"}


def test_an_unexplained_choice_is_an_error():
    @dataclass
    class Silent:
        size: int = 1

    with pytest.raises(KeyError, match="size"):
        choices_of(Silent)


def test_choices_stand_where_they_were_asked_for():
    @with_choices(choices_of(Own), before="last", words={"name": ("x", "y")})
    class Options:
        GROUPS: ClassVar[dict[str, str]] = {}
        name: str | None = None
        last: int = 7
        depth: float | None = None

    assert [each.name for each in fields(Options)] == ["name", "size", "depth", "kind", "last"]
    given = Options()
    assert (given.name, given.size, given.depth, given.last) == (None, None, None, 7)
    kinds = {each.name: each.type for each in fields(Options)}
    assert kinds["name"] == Literal["x", "y"] | None and kinds["size"] == int | None
    assert kinds["depth"] == "float | None", "a field of the class keeps its type"
    assert {each.name: each.metadata[HELP] for each in fields(Options)}["depth"] == "Its own words."
    with pytest.raises(AttributeError):
        given.size = 3


def test_every_choice_of_a_recipe_is_an_option():
    """Of the recipe and of every network; none is written twice."""
    options = {each.name: each for each in fields(Options)}
    own = {each.name for each in fields(Recipe)} - {"network", "augment", "distil"}
    networks = {name for recipe in PRESETS.values() for name in recipe.network.choices()}
    assert own | networks == CHOICES.keys() <= options.keys()
    assert all(options[name].metadata[HELP] and options[name].default is None for name in CHOICES)
    assert "Only for mksgn and base-sgn." in options["strides"].metadata[HELP]
    assert "Only" not in options["time_steps"].metadata[HELP]
    made = Options(preset="base-sgn", time_steps=3, strides=(1,) * 10, lr=0.1, modality=("bone",)).recipe()
    assert (made.network.time_steps, made.network.strides, made.lr, made.modality) == (3, (1,) * 10, 0.1, "bone")
