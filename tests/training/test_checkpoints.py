"""Checkpoints: whole or not there, refused when they do not fit, and exact to the bit."""

import json
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from bpbook import data, ops
from bpbook.nets import MLP, Sequential
from bpbook.nets.layers import Activation, BatchNorm, Dense, Dropout, LayerNorm
from bpbook.training import SGD, Adam, Momentum, fit
from bpbook.training.checkpoints import load, save
from bpbook.training.schedules import cosine

X, Y = (lambda d: (d.X_train[:200], d.Y_train[:200]))(data.digits())


def a_net(rng=0, dtype=np.float64):
    return MLP((64, 8, 10), ops.tanh, rng=rng, dtype=dtype)


def train(net, optimizer, rng, epochs):
    fit(net, X, Y, optimizer, epochs=epochs, batch_size=32, rng=rng)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", [lambda: SGD(0.1), lambda: Momentum(0.05), lambda: Adam(0.01)])
def test_resumed_training_is_the_same_to_the_bit(tmp_path, make, dtype):
    whole, optimizer, rng = a_net(dtype=dtype), make(), np.random.default_rng(7)
    train(whole, optimizer, rng, epochs=4)

    first, optimizer, rng = a_net(dtype=dtype), make(), np.random.default_rng(7)
    train(first, optimizer, rng, epochs=2)
    path = save(tmp_path / "run", first, optimizer, rng)
    later, optimizer, rng = a_net(rng=99, dtype=dtype), make(), np.random.default_rng(1)
    load(path, later, optimizer, rng)
    np.testing.assert_array_equal(later.theta, first.theta)
    train(later, optimizer, rng, epochs=2)
    np.testing.assert_array_equal(later.theta, whole.theta)


def test_running_statistics_and_dropout_go_on_where_they_were(tmp_path):
    def make():
        parts = [Dense(64, 8, bias=False), BatchNorm(8), Activation(ops.relu), Dropout(0.3)]
        return Sequential([*parts, Dense(8, 10)], rng=0, dtype=np.float32)

    whole, optimizer, rng = make(), Adam(0.01), np.random.default_rng(7)
    train(whole, optimizer, rng, epochs=2)
    path = save(tmp_path / "run", whole, optimizer, rng)
    train(whole, optimizer, rng, epochs=2)
    later, optimizer, rng = make(), Adam(0.01), np.random.default_rng(1)
    load(path, later, optimizer, rng)
    train(later, optimizer, rng, epochs=2)
    np.testing.assert_array_equal(later.theta, whole.theta)
    for name, x in whole.state.items():
        np.testing.assert_array_equal(later.state[name], x)
    plain = Sequential([Dense(64, 8, bias=False), LayerNorm(8), Dense(8, 10)], dtype=np.float32)
    unchanged(plain, Adam(0.01), path, "is of the net")


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.MT19937, np.random.Philox])
def test_every_kind_of_generator_goes_on_where_it_was(tmp_path, kind):
    rng = np.random.Generator(kind(3))
    rng.normal(size=5)
    path = save(tmp_path / "run", a_net(), SGD(0.1), rng)
    again = np.random.Generator(kind(9))
    load(path, a_net(), SGD(0.1), again)
    np.testing.assert_array_equal(again.random(9), rng.random(9))


def test_settings_changed_on_the_way_come_back(tmp_path):
    net, optimizer = a_net(), Adam(0.01)
    optimizer.learning_rate = 0.0025
    path = save(tmp_path / "run.npz", net, optimizer)
    assert path == tmp_path / "run.npz"
    again = Adam(0.01)
    load(path, net, again)
    assert again.learning_rate == 0.0025


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        load(tmp_path / "none.npz", a_net(), SGD(0.1))


def unchanged(net, optimizer, path, message, **more):
    """Loading fails, says why, and leaves everything as it was."""
    theta, state = net.theta.copy(), json.dumps(optimizer.state_dict(), default=list)
    with pytest.raises(ValueError, match=message):
        load(path, net, optimizer, **more)
    np.testing.assert_array_equal(net.theta, theta)
    assert json.dumps(optimizer.state_dict(), default=list) == state


@pytest.fixture
def saved(tmp_path):
    net, optimizer, rng = a_net(), Adam(0.01), np.random.default_rng(0)
    train(net, optimizer, rng, epochs=1)
    return save(tmp_path / "run.npz", net, optimizer, rng)


def test_a_file_cut_anywhere_is_refused(saved):
    whole = saved.read_bytes()
    for length in [0, 1, 100, len(whole) // 2, len(whole) - 1]:
        saved.write_bytes(whole[:length])
        unchanged(a_net(rng=5), Adam(0.01), saved, "no whole checkpoint")


def test_a_flipped_bit_is_noticed(saved):
    whole = bytearray(saved.read_bytes())
    place = whole.index(b"theta.npy") + 300  # within theta's numbers
    whole[place] ^= 1
    saved.write_bytes(whole)
    unchanged(a_net(rng=5), Adam(0.01), saved, "no whole checkpoint")


def test_a_wrong_byte_anywhere_loads_the_run_or_nothing(saved, tmp_path):
    """The checksums of a zip file cover its numbers, and neither its names nor its flags."""
    whole, hurt = saved.read_bytes(), tmp_path / "hurt.npz"
    net, optimizer = a_net(), Adam(0.01)
    load(saved, net, optimizer)
    good = repr(optimizer.state_dict())
    directory = range(whole.index(b"PK\x01\x02"), len(whole))
    for place in directory:
        hurt.write_bytes(
            whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :]
        )
        net, optimizer = a_net(rng=5), Adam(0.5)
        try:
            load(hurt, net, optimizer)
        except ValueError:
            assert optimizer.learning_rate == 0.5
            assert optimizer.state == {"t": 0}
        else:
            assert repr(optimizer.state_dict()) == good


def test_a_dot_in_a_name_is_no_suffix(tmp_path):
    net, optimizer = a_net(), SGD(0.1)
    paths = {save(tmp_path / f"rate{rate}", net, optimizer) for rate in (0.1, 0.15)}
    assert paths == {tmp_path / "rate0.1.npz", tmp_path / "rate0.15.npz"}
    load(tmp_path / "rate0.1", net, optimizer)


def test_a_foreign_file_is_refused(tmp_path):
    path = tmp_path / "foreign.npz"
    np.savez(path, theta=np.zeros(3))
    unchanged(a_net(), Adam(0.01), path, "no whole checkpoint")
    path.write_text("hello")
    unchanged(a_net(), Adam(0.01), path, "no whole checkpoint")
    np.savez(path, meta=np.array(json.dumps({"format": "another 9"})))
    unchanged(a_net(), Adam(0.01), path, "its format is 'another 9'")


def test_no_pickle_is_ever_loaded(tmp_path):
    path = tmp_path / "pickled.npz"
    np.savez(path, meta=np.array({"format": "x"}, dtype=object))
    unchanged(a_net(), Adam(0.01), path, "no whole checkpoint")


def test_what_does_not_fit_is_refused(saved):
    unchanged(MLP((64, 9, 10)), Adam(0.01), saved, "is of the net")
    unchanged(a_net(dtype=np.float32), Adam(0.01), saved, "is of the net")
    unchanged(MLP((64, 8, 10), ops.relu), Adam(0.01), saved, "tanh, identity.*relu, identity")
    unchanged(MLP((64, 8, 10), loss=ops.mse), Adam(0.01), saved, "softmax_cross_entropy.*mse")
    unchanged(a_net(), Adam(0.01), saved, "rng is 0; wanted a Generator", rng=0)
    unchanged(a_net(), SGD(0.1), saved, "does not fit this optimizer.*Adam")
    other = np.random.Generator(np.random.MT19937(0))
    unchanged(a_net(), Adam(0.01), saved, "PCG64 generator", rng=other)
    without = save(saved.with_name("without"), a_net(), Adam(0.01))
    unchanged(a_net(), Adam(0.01), without, "no random state", rng=np.random.default_rng(0))


def test_an_option_of_an_op_is_part_of_the_net(tmp_path):
    steep, flat = (partial(ops.leaky_relu, slope=slope) for slope in (0.2, 0.1))
    path = save(tmp_path / "run", MLP((64, 8, 10), steep), SGD(0.1))
    load(path, MLP((64, 8, 10), partial(ops.leaky_relu, slope=0.2)), SGD(0.1))
    unchanged(MLP((64, 8, 10), flat), SGD(0.1), path, r"slope=0\.2.*slope=0\.1")


def test_save_names_what_it_cannot_use(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder .*none"):
        save(tmp_path / "none" / "run", a_net(), SGD(0.1))
    with pytest.raises(ValueError, match="rng is 7; wanted a Generator"):
        save(tmp_path / "run", a_net(), SGD(0.1), 7)
    assert list(tmp_path.iterdir()) == []


def test_a_schedule_goes_on_where_it_was(tmp_path):
    """As the docstring of ``save`` says: shifted by the steps taken."""
    schedule = cosine(0.3, T_max=30)
    whole, optimizer, rng = a_net(), Momentum(0.3), np.random.default_rng(7)
    fit(whole, X, Y, optimizer, 4, 32, rng=rng, schedule=schedule)
    first, optimizer, rng = a_net(), Momentum(0.3), np.random.default_rng(7)
    fit(first, X, Y, optimizer, 2, 32, rng=rng, schedule=schedule)
    path = save(tmp_path / "run", first, optimizer, rng)
    later, optimizer, rng = a_net(), Momentum(0.3), np.random.default_rng(1)
    load(path, later, optimizer, rng)
    t = optimizer.state["t"]
    fit(later, X, Y, optimizer, 2, 32, rng=rng, schedule=lambda step: schedule(step + t))
    np.testing.assert_array_equal(later.theta, whole.theta)


def test_a_failed_write_leaves_the_old_file_and_no_other(saved, monkeypatch):
    before = saved.read_bytes()

    def full(*args, **kwargs):
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="no space left"):
        save(saved, a_net(rng=3), Adam(0.01))
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


# Saves over an old checkpoint in child processes that kill themselves (SIGKILL) before or after the
# first half of the nth write, flush or renaming, for n = 1, 2, …, until one child gets through.
KILLER = """
import io, itertools, os, signal, sys
import numpy as np
from bpbook.nets import MLP
from bpbook.training import SGD
from bpbook.training.checkpoints import load, save

path, left = sys.argv[1], [-1]

def moment():
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)

class Fragile(io.FileIO):
    def write(self, data):
        data = memoryview(data).cast("B")
        moment()
        super().write(data[: len(data) // 2])
        moment()
        return len(data) // 2 + super().write(data[len(data) // 2 :])

def guarded(call):
    def fragile(*args):
        moment()
        result = call(*args)
        moment()
        return result
    return fragile

os.fdopen, os.fsync, os.replace = Fragile, guarded(os.fsync), guarded(os.replace)
net, found = MLP((30, 30, 10)), []
for n in itertools.count(1):
    net.theta[...] = 1
    save(path, net, SGD(0.1))
    child = os.fork()
    if child == 0:
        left[0] = n
        net.theta[...] = 2
        save(path, net, SGD(0.1))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    load(path, net, SGD(0.1))
    assert np.ptp(net.theta) == 0
    found.append(int(net.theta[0]))
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0
        break
print(*found)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_killed_at_any_moment_the_file_is_old_or_new(tmp_path):
    """Each θ is one number repeated, so a mixture of two writes would show."""
    command = [sys.executable, "-c", KILLER, tmp_path / "run.npz"]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert len(found) > 20
    assert sorted(found) == found, "old until the renaming, new from then on"
    assert found[-1] == "2"
