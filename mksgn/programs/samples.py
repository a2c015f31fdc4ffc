"""Which samples a net runs on: where its data is, whether the data fits the net, which split, how many."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mksgn.data.compatibility import check
from mksgn.data.pack import Pack
from mksgn.data.preprocess import Preprocess
from mksgn.data.readers.registry import is_recording
from mksgn.data.selection import Selection
from mksgn.data.sources import SYNTHETIC, load
from mksgn.data.splits import has_protocol, split
from mksgn.errors import ConfigError, DataError, NetFileError
from mksgn.files import name_of
from mksgn.ir import Graph
from mksgn.programs.nets import check_clip
from mksgn.skeleton import Body, body_of

DATA_VARIABLE = "MKSGN_DATA"
_NAME_DATA = ("name it with --data PATH; run_lava.py also takes a tensor (--input x.npy), and --data synthetic shows "
              "that the net runs")


@dataclass(frozen=True)
class Source:
    """Where the samples come from.

    Parameters
    ----------
    data : str
        A path, or 'synthetic'.
    own : bool
        Whether it is the data set the net was trained on, by name: then its protocol and held-out subjects apply.
    note : str
        Why the net knows nothing of it, where it is the synthetic set and the net was trained on another; else empty.
    """

    data: str
    own: bool
    note: str = ""


def find_data(graph: Graph, net: Path, given: str | None) -> Source:
    """The data to run on: what the user names, else what the net was trained on.

    A net carries the name of its data, no path. A file of that name is looked for in the current
    folder, beside the net, and in the folder that the environment variable MKSGN_DATA names.

    Raises
    ------
    ConfigError
        When nothing is named, and the net's own data is not there or the net does not name it: what it says of other
        skeletons would look like a result.
    """
    trained = _entry(graph, "data", str, "")
    if given is not None:
        name = given if given == SYNTHETIC else name_of(given)
        unknown = given == SYNTHETIC and trained not in ("", SYNTHETIC)
        return Source(given, own=name == trained, note=f"the net was trained on {trained:.120}: synthetic skeletons "
                      "show that it runs, and its predictions on them mean nothing" if unknown else "")
    if trained == SYNTHETIC:
        return Source(SYNTHETIC, own=True)
    if not trained:
        raise ConfigError("the net does not say what it was trained on", where=str(net), got="no attribute 'data'",
                          fix=_NAME_DATA)
    named = os.environ.get(DATA_VARIABLE)
    folders = (Path(), net.parent, *([Path(named)] if named else ()))
    if trained == Path(trained).name and trained not in (".", ".."):
        for folder in folders:
            if (folder / trained).exists():
                return Source(str(folder / trained), own=True)
    looked = f"the current folder, {net.parent} and " + (named or f"${DATA_VARIABLE} (which is not set)")
    raise ConfigError("the data that the net was trained on is not here", where=str(net),
                      got=f"{trained:.120} is in none of {looked}", fix=_NAME_DATA)


def data_or_synthetic(graph: Graph, net: Path) -> Source:
    """:func:`find_data` of a net that was found by its bare name, on a machine that may not have its data.

    Synthetic skeletons take the place of data that is not here: they show that the net runs, and the note says that its
    predictions mean nothing.
    """
    try:
        return find_data(graph, net, None)
    except ConfigError:
        return find_data(graph, net, SYNTHETIC)


def preprocess_of(graph: Graph, net: Path) -> Preprocess:
    """The preprocessing stored in a net, checked against the net's own input.

    Raises
    ------
    ConfigError
        When the net holds none, or one that cannot be read, or is streamed.
    NetFileError
        When it does not make what the net's input takes.
    """
    check_clip(graph, net)
    if "preprocess" not in graph.meta:
        raise ConfigError("this net does not say how skeletons become its input", where=str(net),
                          got="no attribute 'preprocess'",
                          fix="run it on tensors: --input x.npy --dump out.npz (see --help)")
    preprocess = Preprocess.from_json(_entry(graph, "preprocess", str))
    joints = _entry(graph, "joints", int)
    made = (preprocess.channels, preprocess.frames, joints * preprocess.persons)
    if made != tuple(graph.input.shape) or type(preprocess.frames) is not int or type(preprocess.persons) is not int:
        raise NetFileError("the net's preprocessing does not make its input", where=str(net), got=str(made),
                           allowed=str(tuple(graph.input.shape)), fix="export the net again")
    pairs = [joint for pair in preprocess.lateral for joint in pair]
    if any(not 0 <= joint < joints for joint in pairs):
        raise NetFileError("the net's preprocessing names a joint that does not exist", where=str(net), got=str(pairs),
                           allowed=f"0..{joints - 1}", fix="export the net again")
    return preprocess


def select(graph: Graph, net: Path, source: Source, protocol: str | None, part: str | None,
           limit: int, pack: Pack | None = None, say: Callable[[str], object] = lambda line: None) -> Selection:
    """Read the data, check that it fits the net, and preprocess the chosen samples.

    Parameters
    ----------
    graph : Graph
    net : path
        Names the net in errors.
    source : Source
    protocol : str, optional
        By default the net's, on the data it was trained on; else what the data's ids say.
    part : 'train', 'val', 'test' or 'all', optional
        By default 'all' for a single recording, and for data that nothing splits; else 'test'.
    limit : int
        Most samples, evenly spread over classes and the split; 0 for all.
    pack : Pack, optional
        What ``source`` names, where it is read already.
    say : callable
        Told, a line each, in what the data differs from the net's training data.

    Raises
    ------
    DataError
        When the data cannot be read, is of another body than the net's or of coordinates that the net does not know
        (:func:`mksgn.data.compatibility.check`), or the split is empty.
    ConfigError, NetFileError
        When the net's attributes are missing or contradict the net; a protocol without effect.
    """
    preprocess = preprocess_of(graph, net)
    class_names = tuple(_strings(graph, "labels"))
    if class_names and len(class_names) != graph.output.shape[0]:
        raise NetFileError("the net names more or fewer classes than it has outputs", where=str(net),
                           got=f"{len(class_names)} labels", allowed=str(graph.output.shape[0]))
    if part is None and is_recording(Path(source.data)):
        part = "all"
    if part == "all" and protocol is not None:
        raise ConfigError("a protocol has no effect on the whole data", where="--protocol", got=protocol,
                          fix="leave it out, or choose a split with --split train, val or test")
    pack = load(source.data) if pack is None else pack
    if part is None:
        part = "test" if protocol is not None or source.own or has_protocol(pack) else "all"
    check_body(graph, pack, source)
    if not source.note:
        check(graph.meta, pack, preprocess, source.data, say)
    indices, clean, used, words = _indices(graph, pack, source, protocol, part)
    if not len(indices):
        raise DataError("there are no samples in this split", where=f"{source.data}, split {part}, protocol {used}",
                        got=f"0 of {len(pack)} sequences", fix="choose another split, or --split all")
    chosen = indices[spread_over_classes(pack.labels[indices], limit)]
    unlabelled = _why_unlabelled(class_names, pack.class_names, pack.labels[chosen])
    labels = np.full(len(chosen), -1, np.int64) if unlabelled else pack.labels[chosen]
    return Selection(
        x=np.stack([preprocess.of(pack, int(i)) for i in chosen]), labels=labels,
        names=tuple(str(name) for name in pack.names[chosen]), class_names=class_names,
        clean=None if clean is None else np.isin(chosen, clean), data=source.data, protocol=used, split=part,
        available=len(indices), unlabelled=unlabelled, words=words)


def spread_over_classes(labels: np.ndarray, limit: int) -> np.ndarray:
    """Positions of ``limit`` samples, evenly spread over the classes and, within each, over the data.

    Spreading by position alone can meet one class only, where classes repeat with a period.
    """
    count = len(labels)
    if limit == 0 or limit >= count:
        return np.arange(count)
    by_class = np.argsort(labels, kind="stable")
    return np.sort(by_class[np.arange(limit) * count // limit])


def _indices(graph: Graph, pack: Pack, source: Source, protocol: str | None,
             part: str) -> tuple[np.ndarray, np.ndarray | None, str, str]:
    """(indices of the split, indices of its clean samples or None, protocol, what it means in words)."""
    if part == "all":
        return np.arange(len(pack)), None, "", ""
    if protocol is None and source.own:
        protocol = _entry(graph, "protocol", str, "") or None
    if part == "test":
        divided = split(pack, protocol, val_fraction=0)
        return divided.test, divided.clean, divided.protocol, divided.words
    subjects, seed = _validation(graph) if source.own else (None, 0)
    divided = split(pack, protocol, val_subjects=subjects, seed=seed)
    return getattr(divided, part), None, divided.protocol, divided.words


def _validation(graph: Graph) -> tuple[tuple[int, ...] | None, int]:
    """Subjects and seed with which the net's own training split was cut."""
    text = _entry(graph, "recipe", str, "{}")
    try:
        recipe = json.loads(text)
        subjects = recipe.get("val_subjects")
        return None if subjects is None else tuple(int(s) for s in subjects), int(recipe.get("seed", 0))
    except (TypeError, ValueError, AttributeError) as error:
        raise NetFileError("the recipe stored in the net cannot be read", where="attribute 'recipe'",
                           got=f"{text[:120]} ({error})", fix="use --split test or all") from None


def select_labelled(graph: Graph, net: Path, data: str | None, count: int = 0) -> Selection:
    """Test samples whose labels are the net's classes: what an accuracy is of.

    Parameters
    ----------
    graph, net : Graph, Path
        The net and its file.
    data : str, optional
        The data; None: what the net was trained on, where it is found.
    count : int
        How many, evenly spread over the classes; 0: all.

    Raises
    ------
    ConfigError
        When the samples have no such labels.
    """
    chosen = select(graph, net, find_data(graph, net, data), None, None, count)
    if chosen.unlabelled:
        raise ConfigError("these samples have no accuracy", where=chosen.data, got=chosen.unlabelled,
                          fix="name the data the net was trained on with --data")
    return chosen


def edges_in(graph: Graph) -> list[tuple[int, int]]:
    """The bones that a net names: pairs of joints.

    Raises
    ------
    NetFileError
        When its attribute holds something else.
    """
    flat = graph.meta.get("edges", [])
    if not isinstance(flat, list) or len(flat) % 2 or not all(type(joint) is int for joint in flat):
        raise NetFileError("the net's edges are not pairs of joints", where="attribute 'edges'", got=f"{flat!r:.60}",
                           fix="export the net again")
    return list(zip(flat[::2], flat[1::2]))


def body_in(graph: Graph) -> Body:
    """The body that a net was trained on, of one person.

    Raises
    ------
    DataError, NetFileError
        When it names none, or an impossible one.
    """
    return body_of(edges_in(graph), _entry(graph, "joints", int))


def check_body(graph: Graph, pack: Pack, source: Source) -> None:
    """The net's joint graph must be the data's: same joints, same bones.

    Raises
    ------
    DataError
        When it is not.
    """
    joints = _entry(graph, "joints", int)
    fix = ("name data of the net's body with --data" if source.data == SYNTHETIC
           else "use data of the body the net was trained for")
    if pack.body.num_joints != joints:
        raise DataError("the data has another number of joints than the net", where=source.data,
                        got=f"{pack.body.num_joints} joints", allowed=f"{joints} joints", fix=fix)
    own = {tuple(sorted(pair)) for pair in edges_in(graph)}
    other = {tuple(sorted(pair)) for pair in pack.edges.tolist()}
    if own != other:
        raise DataError("the data has other bones than the net", where=source.data,
                        got=f"edges {sorted(other - own)} that the net has not" if other - own else
                        f"no edges {sorted(own - other)}", allowed=f"the net's {len(own)} edges", fix=fix)


def _why_unlabelled(net: tuple[str, ...], data: tuple[str, ...], labels: np.ndarray) -> str:
    """Why the data's labels say nothing about the net's outputs; empty when they do.

    One list of names may continue the other (NTU's first 60 classes are those of NTU 120).
    """
    if not net:
        return "the net does not name its classes"
    shared = min(len(net), len(data))
    if net[:shared] != data[:shared]:
        return (f"the net's classes ({', '.join(net[:2])}, ...) are not those of the data "
                f"({', '.join(data[:2])}, ...)")
    if labels.max(initial=-1) >= len(net):
        return f"the data has classes beyond the net's {len(net)}"
    return "" if (labels >= 0).any() else "the samples have no labels"


def _entry(graph: Graph, key: str, kind: type, default: Any = None) -> Any:
    """An attribute of the net, of the type it must have; ``default`` where it is absent."""
    if key not in graph.meta and default is not None:
        return default
    value = graph.meta.get(key)
    if type(value) is not kind:
        raise NetFileError("an attribute of the net is missing or of the wrong type", where=f"attribute {key!r}",
                           got="nothing" if value is None else f"{value!r:.60}", allowed=kind.__name__,
                           fix="export the net again")
    return value


def _strings(graph: Graph, key: str) -> list[str]:
    value = _entry(graph, key, list, [])
    if not all(isinstance(item, str) for item in value):
        raise NetFileError("an attribute of the net is of the wrong type", where=f"attribute {key!r}",
                           got=f"{value!r:.60}", allowed="a list of str", fix="export the net again")
    return list(value)
