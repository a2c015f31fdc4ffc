"""The synthetic actions are a benchmark: reproducible, human-shaped, and not solvable without time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mksgn.data.pack import Pack
from mksgn.data.splits import split
from mksgn.data.synthetic import ACTIONS, MAX_FRAMES, MIN_FRAMES, forward_kinematics, synthetic_pack
from mksgn.errors import DataError
from mksgn.skeleton import UCLA20


@pytest.fixture(scope="module")
def pack() -> Pack:
    """The data of the demo, in place of the small pack that other tests share."""
    return synthetic_pack(1500, seed=0)


def centred(pack: Pack, i: int) -> np.ndarray:
    joints = pack.sequence(i)[:, 0]
    return joints - joints[:, :1]


def resampled(joints: np.ndarray, frames: int) -> np.ndarray:
    grid = np.linspace(0, len(joints) - 1, frames)
    low = np.minimum(grid.astype(int), len(joints) - 2)
    share = (grid - low)[:, None, None]
    return joints[low] * (1 - share) + joints[low + 1] * share


def linear_accuracy(features: np.ndarray, pack: Pack) -> float:
    """Test accuracy of a multinomial logistic regression, trained to convergence."""
    parts = split(pack, val_fraction=0)
    x = torch.from_numpy(features.astype(np.float32))
    x = (x - x[parts.train].mean(0)) / (x[parts.train].std(0) + 1e-6)
    y = torch.from_numpy(pack.labels)
    weight = torch.zeros(x.shape[1], len(ACTIONS), requires_grad=True)
    bias = torch.zeros(len(ACTIONS), requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=60, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(x[parts.train] @ weight + bias, y[parts.train])
        loss = loss + 1e-3 * (weight**2).sum()
        loss.backward()
        return float(loss)

    optimiser.step(closure)
    right = (x[parts.test] @ weight + bias).argmax(1) == y[parts.test]
    return float(right.float().mean())


def test_a_mean_pose_is_not_enough_and_time_helps(pack: Pack) -> None:
    mean_pose = linear_accuracy(np.stack([centred(pack, i).mean(0).ravel() for i in range(len(pack))]), pack)
    over_time = linear_accuracy(np.stack([resampled(centred(pack, i), 12).ravel() for i in range(len(pack))]), pack)
    # Above chance (1 / 12), because the groups differ; below one half, because their members do not.
    assert 0.25 < mean_pose < 0.50
    assert over_time > mean_pose + 0.15


def test_a_small_network_learns_it(pack: Pack) -> None:
    parts = split(pack, val_fraction=0)
    frames = [resampled(centred(pack, i), 24).reshape(24, 60).T for i in range(len(pack))]
    x = torch.from_numpy(np.stack(frames)).float()
    y = torch.from_numpy(pack.labels)
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.BatchNorm1d(60), torch.nn.Conv1d(60, 64, 5, padding=2), torch.nn.ReLU(),
        torch.nn.Conv1d(64, 64, 5, padding=2), torch.nn.ReLU(), torch.nn.AdaptiveMaxPool1d(3), torch.nn.Flatten(),
        torch.nn.Linear(192, len(ACTIONS)))
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(12):
        for batch in torch.from_numpy(parts.train)[torch.randperm(len(parts.train))].split(32):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimiser.step()
    net.eval()
    accuracy = float((net(x[parts.test]).argmax(1) == y[parts.test]).float().mean())
    assert accuracy > 0.95


def test_deterministic_and_extendable(pack: Pack) -> None:
    again = synthetic_pack(1500, seed=0)
    np.testing.assert_array_equal(again.data, pack.data)
    shorter = synthetic_pack(100, seed=0)
    np.testing.assert_array_equal(shorter.data, pack.data[:pack.offsets[100]])
    other = synthetic_pack(100, seed=1)
    assert not np.array_equal(other.offsets, shorter.offsets)


def test_balance(pack: Pack) -> None:
    assert np.ptp(np.bincount(pack.labels)) <= 1
    assert set(pack.ids["subject"]) == set(range(1, 11))
    for view in (1, 2, 3):
        assert set(pack.labels[pack.ids["view"] == view]) == set(range(len(ACTIONS)))
    assert len(set(pack.names)) == len(pack)
    assert pack.body == UCLA20
    assert pack.lengths.min() >= MIN_FRAMES
    assert pack.lengths.max() <= MAX_FRAMES


def test_bodies_are_human_and_stand_on_the_floor(pack: Pack) -> None:
    bones = np.stack([np.linalg.norm(pack.data[:, 0, a] - pack.data[:, 0, b], axis=1) for a, b in pack.body.edges])
    median = np.median(bones, axis=1)
    assert median.min() > 0.04
    assert median.max() < 0.5
    # A rigid chain: within one recording a bone keeps its length but for the sensor noise.
    first = bones[:, pack.offsets[7]:pack.offsets[8]]
    assert np.median(first.std(axis=1)) < 0.02
    height = pack.data[:, 0, :, 1]
    feet = np.minimum(height[:, 15], height[:, 19])
    assert np.abs(feet + 0.8).mean() < 0.1


def test_actions_move_as_their_names_say(pack: Pack) -> None:
    def change(action: str, joint: int, against: int) -> np.ndarray:
        chosen = np.flatnonzero(pack.labels == ACTIONS.index(action))
        ends = [pack.sequence(i)[[0, -1], 0, :, 1] for i in chosen]
        return np.array([(e[1, joint] - e[1, against]) - (e[0, joint] - e[0, against]) for e in ends])

    assert (change("raise arm", 11, 8) > 0.5).all()
    assert (change("lower arm", 11, 8) < -0.5).all()
    assert (change("sit down", 0, 15) < -0.1).all()
    assert (change("stand up", 0, 15) > 0.1).all()


def test_clockwise_is_clockwise_as_the_person_sees_it(pack: Pack) -> None:
    for action, sense in (("circle hand clockwise", 1), ("circle hand counter-clockwise", -1)):
        for i in np.flatnonzero(pack.labels == ACTIONS.index(action))[:20]:
            joints = pack.sequence(i)[:, 0].astype(np.float64)
            right = (joints[:, 8] - joints[:, 4]).mean(axis=0)
            right[1] = 0
            hand = joints[:, 11] - joints[:, 2]
            across, up = hand @ (right / np.linalg.norm(right)), hand[:, 1]
            across, up = across - across.mean(), up - up.mean()
            # Twice the area swept counter-clockwise in the plane (right, up) that the person looks at.
            swept = (across[:-1] * up[1:] - across[1:] * up[:-1]).sum()
            assert np.sign(swept) == -sense


def test_forward_kinematics_by_hand() -> None:
    offsets = np.zeros((20, 3))
    offsets[4:8] = [(-1, 0, 0), (0, -1, 0), (0, -2, 0), (0, -3, 0)]
    angles = np.zeros((2, 20, 3))
    angles[1, 4, 0] = np.pi / 2
    angles[1, 5, 0] = np.pi / 2
    points = forward_kinematics(angles, offsets)
    np.testing.assert_allclose(points[0, 7], [-1, -6, 0], atol=1e-12)
    # The upper arm (1) swings forward, to -z; the forearm and hand (5) turn with it and on, to straight up.
    np.testing.assert_allclose(points[1, 5], [-1, 0, -1], atol=1e-12)
    np.testing.assert_allclose(points[1, 7], [-1, 5, -1], atol=1e-12)


@pytest.mark.parametrize(("samples", "seed"), [(0, 0), (-3, 0), (5, -1)])
def test_impossible_requests(samples: int, seed: int) -> None:
    with pytest.raises(DataError, match="impossible"):
        synthetic_pack(samples, seed)
