"""What is said of a file, and its moving picture."""

from __future__ import annotations

import dataclasses
import html
import json
import re
from pathlib import Path

import numpy as np
from pose_files import coco_results, walker
from recordings import fields

from mksgn.data.animation import animation
from mksgn.data.facts import Facts
from mksgn.data.pack import Pack, save_pack
from mksgn.data.readers import read
from mksgn.data.summary import contents, summary
from mksgn.data.synthetic import synthetic_pack


def test_a_pack_is_summed_up(tmp_path: Path) -> None:
    save_pack(synthetic_pack(36), tmp_path / "a.npz")
    text = summary(contents(tmp_path / "a.npz", read(tmp_path / "a.npz")))
    for words in ("pack: pack", "36,", "kinect20: 20 joints", "up to 1 person", "3-D, unit unknown, up unsaid",
                  "+y by 100%", "0.0%, and no scores",
                  "12 of 12: raise arm (3)", "subject 1", "view 1 2 3", "test mask"):
        assert words in text, words


def test_unlabelled_recordings_are_summed_up(tmp_path: Path) -> None:
    coco_results(tmp_path / "a.json", walker(4, 17))
    text = summary(contents(tmp_path, read(tmp_path)))
    for words in ("coco: ", "coco17", "2-D, unit px, up -y", "0.0%", "1 without a label", "ids:            none",
                  "splits:         none"):
        assert words in text, words


def test_a_picture_holds_every_joint_that_is_there() -> None:
    pack = Pack(**fields(names=np.array(["<script>", "two"])))
    pack.data[1, 0, 2] = 0
    page = animation(pack, 0)
    assert "<script>:" not in page and html.escape("<script>") in page
    clip = json.loads(re.search(r"const clip = (.*);", page)[1])
    assert clip["edges"] == pack.edges.tolist()
    assert np.array([[[joint is not None for joint in person] for person in frame] for frame in clip["frames"]]
                    ).tolist() == pack.sequence(0).any(axis=3).tolist()
    points = np.array([joint for frame in clip["frames"] for person in frame for joint in person if joint])
    assert points.min() >= 19 and points.max() <= 621


def test_up_is_up_in_the_picture() -> None:
    pack = synthetic_pack(12)
    head, foot = pack.joint_names.index("head"), pack.joint_names.index("foot_left")
    flat = dataclasses.replace(pack, data=pack.data[..., :2] * np.float32((1, -1)), facts=Facts("px", "-y"))
    for each in (pack, flat, dataclasses.replace(pack, data=pack.data[..., [0, 2, 1]])):
        clip = json.loads(re.search(r"const clip = (.*);", animation(each, 0))[1])
        assert clip["frames"][0][0][head][1] < clip["frames"][0][0][foot][1]
