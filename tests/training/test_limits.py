"""Numbers that choices may be: one table for recipes, options and files, and errors that name options."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from types import ModuleType

import pytest
from programs import program_module

from mksgn.commands.train_options import Options
from mksgn.data.preprocess import Augment
from mksgn.data.synthetic import synthetic_pack
from mksgn.errors import ConfigError
from mksgn.limits import LIMITS, Limit, option
from mksgn.networks import NETWORKS, DataShape
from mksgn.training.distill import Distillation
from mksgn.training.recipe import PRESETS, Recipe
from mksgn.training.teacher_recipe import TeacherRecipe

NAN, INF = float("nan"), float("inf")


@pytest.fixture(scope="module")
def teacher() -> Iterator[ModuleType]:
    with program_module("train/_teacher_options.py") as module:
        yield module


def test_a_limit_holds_what_it_says():
    cases = [(Limit(1, whole=True), (1, 10**9), (0, -(10**400), 1.0, True, "1", None, NAN), "a whole number from 1 on"),
             (Limit(0, above=True), (1e-30, 3), (0, -1, NAN, INF), "a number above 0"),
             (Limit(0, 1), (0, 0.5, 1), (-1e-9, 1.1, NAN), "a number from 0 to 1"),
             (Limit(0, 1, below=True), (0, 0.99), (1, NAN), "a number from 0 to below 1"),
             (Limit(0, 1, above=True), (0.1, 1), (0, 1.1), "a number above 0 to 1"),
             (Limit(among=(1, 2, 4)), (1, 4), (0, 3, 2.0, INF), "1, 2 or 4")]
    for limit, inside, outside, text in cases:
        assert all(limit.holds(value) for value in inside), limit
        assert not any(limit.holds(value) for value in outside), limit
        assert str(limit) == text


def numeric(cls: type) -> set[str]:
    """Fields of a dataclass whose annotation speaks of numbers."""
    return {each.name for each in fields(cls) if re.search(r"\b(int|float)\b", str(each.type))}


def test_every_number_has_a_limit(teacher):
    """A new choice cannot be forgotten. Subjects and joints are ids: the data says which there are."""
    ids = {"val_subjects", "mirrored"}
    for cls in (Recipe, TeacherRecipe, Distillation, Augment, DataShape, *NETWORKS.values(), Options,
                teacher.Options):
        assert numeric(cls) - ids <= LIMITS.keys(), cls


def outside(limit: Limit) -> list:
    """Numbers just outside a limit."""
    if limit.among:
        return [0, 3]
    high = [] if limit.high == INF else [limit.high + 1]
    return [-1, *([limit.low] if limit.above else []), *high, *([0.5] if limit.whole else [NAN, INF])]


def number_of(kind: type, name: str, value: object) -> object:
    """``value`` as a field of ``kind`` holds it: six of them where it holds several."""
    return (value,) * 6 if "tuple" in str(next(each.type for each in fields(kind) if each.name == name)) else value


@pytest.mark.parametrize("name", sorted(numeric(Recipe) - {"val_subjects"}))
def test_a_recipe_refuses_what_is_outside_wherever_it_comes_from(name):
    """As a choice and as a stored recipe; the error names the option, the value and what is allowed."""
    refuses(PRESETS["mksgn"], Recipe, name, lambda given: replace(PRESETS["mksgn"], **given))


@pytest.mark.parametrize(("network", "name"), [(network, name) for network, kind in NETWORKS.items()
                                               for name in sorted(numeric(kind))])
def test_a_network_refuses_it_too(network, name):
    """As a choice, an option and an entry of a stored recipe."""
    recipe = PRESETS[network]
    refuses(recipe, NETWORKS[network], name, lambda given: replace(recipe.network, **given))
    refuses(recipe, NETWORKS[network], name, lambda given: recipe.with_options(**given))


def refuses(recipe: Recipe, kind: type, name: str, make: Callable[[dict[str, object]], object]) -> None:
    stored = json.loads(json.dumps(recipe.to_dict()))
    for value in outside(LIMITS[name]):
        for attempt in (make, lambda given: Recipe.from_dict(stored | given)):
            with pytest.raises(ConfigError) as caught:
                attempt({name: number_of(kind, name, value)})
            assert option(name) in caught.value.what and str(value) in caught.value.got
            assert str(LIMITS[name]) in caught.value.allowed and caught.value.fix


@pytest.mark.parametrize("name", sorted(numeric(TeacherRecipe) - {"val_subjects"}))
def test_a_teachers_recipe_refuses_it_too(name):
    stored = json.loads(json.dumps(TeacherRecipe().to_dict()))
    for value in [*outside(LIMITS[name]), *({"epochs": [0], "batch": [0, 1]}.get(name, []))]:
        with pytest.raises(ConfigError, match=option(name)):
            TeacherRecipe.from_dict(stored | {name: [value] if name == "milestones" else value})


@pytest.mark.parametrize("name", sorted(numeric(Distillation)))
def test_a_distillation_refuses_it_too(name):
    count = {"gamma": 3, "beta": 2, "alpha": 2}
    for value in outside(LIMITS[name]):
        with pytest.raises(ConfigError, match=option(name)):
            Distillation(**{"loss": "ce-kl", name: (value,) * count[name] if name in count else value})
    with pytest.raises(ConfigError, match="--alpha"):
        Distillation(alpha=(0.0, 0.0))


def test_null_is_a_value_only_where_it_is_one():
    stored = json.loads(json.dumps(PRESETS["mksgn"].to_dict()))
    assert Recipe.from_dict(stored | {"coder_width": None}).network.coder_width is None
    for name in ("epochs", "lr", "widths"):
        with pytest.raises(ConfigError, match=option(name)):
            Recipe.from_dict(stored | {name: None})


def test_options_are_refused_before_anything_else(teacher, tmp_path):
    for kind in (Options, teacher.Options):
        for name in sorted(numeric(kind) - {"val_subjects"}):
            several = "tuple" in str(next(each.type for each in fields(kind) if each.name == name))
            value = outside(LIMITS[name])[0]
            with pytest.raises(ConfigError, match=option(name)):
                kind(**{name: (value,) if several else value}).recipe()


def test_training_nothing_is_refused():
    with pytest.raises(ConfigError, match="trains nothing") as caught:
        Options(epochs=0, tune_epochs=0).recipe()
    assert "--start" in caught.value.fix
    assert Options(epochs=0).recipe().epochs == 0, "integers alone can be trained"


def test_the_shape_of_data_is_checked_by_the_same_table():
    """Under the names of the library, since no option may have been given."""
    shape = PRESETS["demo"].data_shape(synthetic_pack(1))
    for name in sorted(numeric(DataShape)):
        with pytest.raises(ConfigError, match=f"^{name} has"):
            replace(shape, **{name: outside(LIMITS[name])[0]})


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in (Recipe, *NETWORKS.values())
                                            for name in ("optimiser", "integers", "fusion", "graph_conv")
                                            if name in {each.name for each in fields(kind)}])
def test_words_are_checked_too(kind, name):
    with pytest.raises(ConfigError, match=f"unknown {name}") as caught:
        kind(**{name: "other"})
    assert caught.value.where == option(name) and caught.value.got == "other" and "," in caught.value.allowed
