"""`mnist()` against a server on this machine that also cuts, corrupts, delays and refuses."""

import gzip
import hashlib
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from bpbook import data
from bpbook.data import download
from bpbook.data.idx import parse_idx, read_idx

NAMES = list(download.FILES)


def idx(array):
    """The bytes of an IDX file of unsigned bytes."""
    sizes = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


def small_mnist():
    """The arrays of four small files: 30 training and 10 test pictures of 4x3 random pixels."""
    rng = np.random.default_rng(0)
    return [
        rng.integers(0, 256, (30, 4, 3)),
        np.arange(30) % 10,
        rng.integers(0, 256, (10, 4, 3)),
        np.arange(10),
    ]


ARRAYS = small_mnist()
CONTENT = {n: gzip.compress(idx(a), mtime=0) for n, a in zip(NAMES, ARRAYS, strict=True)}
FILES = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}


class Server(ThreadingHTTPServer):
    """A mirror per behaviour: `server.url("cut")` cuts every file, and so on."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = Counter()
        self.released = threading.Event()

    def url(self, behaviour):
        return f"http://127.0.0.1:{self.server_port}/{behaviour}/"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        _, behaviour, name = self.path.split("/")
        self.server.requests[behaviour] += 1
        body = CONTENT[name]
        if behaviour.isdigit():
            self.send_error(int(behaviour))
        elif behaviour == "silent":
            self.server.released.wait(20)
        elif behaviour == "corrupt" or (
            behaviour == "corrupt-once" and self.server.requests[behaviour] == 1
        ):
            self.reply(body[:-20] + bytes(20))
        elif behaviour in ("cut", "stall"):
            self.reply(body[: len(body) // 2], length=len(body))
            if behaviour == "stall":
                self.server.released.wait(20)
        else:
            self.reply(body)

    def reply(self, body, length=None):
        self.send_response(200)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *args):
        pass


@contextmanager
def serving():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as server:
        yield server


@pytest.fixture
def load(server, tmp_path):
    """Load the small set from the mirrors of the given behaviours."""

    def load(*behaviours, timeout=10, **kwargs):
        mirrors = [server.url(behaviour) for behaviour in behaviours]
        return data.mnist(tmp_path / "cache", mirrors, timeout, files=FILES, **kwargs)

    return load


def assert_is_small_mnist(d):
    assert (d.X_train * 255).round().tolist() == ARRAYS[0].reshape(30, 12).tolist()
    assert (d.X_test * 255).round().tolist() == ARRAYS[2].reshape(10, 12).tolist()
    assert d.labels_train.tolist() == ARRAYS[1].tolist()
    assert d.labels_test.tolist() == ARRAYS[3].tolist()


def assert_cache_is_whole(folder):
    assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENT


def test_one_good_mirror_is_asked_once_for_each_file(load, server, tmp_path):
    assert_is_small_mnist(load("good"))
    assert_cache_is_whole(tmp_path / "cache")
    assert server.requests == {"good": 4}
    assert_is_small_mnist(load("good"))
    assert server.requests == {"good": 4}


def test_dtype_and_range(load):
    d = load("good", dtype=np.float32)
    assert d.X_train.dtype == d.Y_test.dtype == np.float32
    assert d.X_train.max() <= 1


def test_the_cache_alone_is_enough(load, tmp_path):
    (tmp_path / "cache").mkdir()
    for name, content in CONTENT.items():
        (tmp_path / "cache" / name).write_bytes(content)
    assert_is_small_mnist(load("404"))


@pytest.mark.parametrize("bad", ["cut", "corrupt", "stall", "silent", "404", "500"])
def test_a_bad_mirror_is_passed_over(load, server, tmp_path, bad):
    assert_is_small_mnist(load(bad, "good", timeout=0.3))
    assert_cache_is_whole(tmp_path / "cache")
    assert server.requests == {bad: 4, "good": 4}


@pytest.mark.parametrize(
    ("bad", "tries"),
    [("cut", 2), ("corrupt", 2), ("stall", 1), ("silent", 1), ("404", 1), ("500", 1)],
)
def test_nothing_stays_in_the_cache_when_the_only_mirror_fails(load, server, tmp_path, bad, tries):
    with pytest.raises(ConnectionError, match=NAMES[0]):
        load(bad, timeout=0.3)
    assert list((tmp_path / "cache").iterdir()) == []
    assert server.requests == {bad: tries}


def test_a_mirror_that_sent_damaged_data_gets_a_second_try(load, server):
    assert_is_small_mnist(load("corrupt-once"))
    assert server.requests == {"corrupt-once": 5}


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b"\0" + b[1:], lambda b: b""])
def test_a_damaged_file_in_the_cache_is_replaced(load, server, tmp_path, damage):
    load("good")
    path = tmp_path / "cache" / NAMES[2]
    path.write_bytes(damage(path.read_bytes()))
    assert_is_small_mnist(load("good"))
    assert_cache_is_whole(tmp_path / "cache")
    assert server.requests == {"good": 5}


def test_offline_says_what_was_tried_and_what_to_do(tmp_path):
    with serving() as gone:
        mirrors = [gone.url("first"), gone.url("second")]
    with pytest.raises(ConnectionError) as caught:
        data.mnist(tmp_path / "cache", mirrors, files=FILES)
    message = str(caught.value)
    for text in (*(mirror + NAMES[0] for mirror in mirrors), *NAMES, str(tmp_path / "cache")):
        assert text in message
    assert "by hand" in message
    assert gone.requests == {}


@pytest.mark.parametrize("mirrors", [(), "https://example.org/mnist/"])
def test_mirrors_must_be_a_sequence(mirrors, tmp_path):
    with pytest.raises(ValueError, match="mirrors must be a sequence of one or more URLs"):
        data.mnist(tmp_path, mirrors)


@pytest.mark.parametrize("timeout", [0, -1, None, float("nan"), "30"])
def test_timeout_must_be_a_time(timeout, tmp_path):
    with pytest.raises(
        ValueError, match=f"timeout is {timeout!r}; wanted a positive finite number"
    ):
        data.mnist(tmp_path, timeout=timeout)


def test_a_cache_that_is_no_folder_is_named(server, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match="file"):
        data.mnist(tmp_path / "file", [server.url("good")], files=FILES)
    assert (tmp_path / "file").read_text() == "mine"


def test_images_and_labels_must_match(server, tmp_path, monkeypatch):
    content = {**CONTENT, NAMES[1]: gzip.compress(idx(np.arange(29) % 10), mtime=0)}
    monkeypatch.setitem(CONTENT, NAMES[1], content[NAMES[1]])
    files = {name: hashlib.sha256(body).hexdigest() for name, body in content.items()}
    with pytest.raises(ValueError, match="30 images for 29 labels"):
        data.mnist(tmp_path, [server.url("good")], files=files)


def test_the_default_files_have_four_different_sums():
    assert all(len(bytes.fromhex(sha256)) == 32 for sha256 in download.FILES.values())
    assert len(set(download.FILES.values())) == 4


def test_idx_round_trip():
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert (parse_idx(idx(array), ndim=3) == array).all()


GOOD = idx(np.arange(6).reshape(2, 3))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must start with the bytes 00 00 08 02 .*got nothing"),
        (b"\0\0\x08\x03" + GOOD[4:], "must start with the bytes 00 00 08 02 .*got 00 00 08 03"),
        (b"\0\0\x0d\x02" + GOOD[4:], "got 00 00 0d 02"),
        (GOOD[:7], "must have a header of 12 bytes, got 7 bytes"),
        (GOOD[:-1], r"must hold 6 entries for shape \(2, 3\), got 5"),
        (GOOD + b"\0", r"must hold 6 entries for shape \(2, 3\), got 7"),
        (b"\0\0\x08\x02" + b"\xff" * 8, "must hold 18446744065119617025 entries"),
    ],
)
def test_idx_refuses(content, message):
    with pytest.raises(ValueError, match=message):
        parse_idx(content, ndim=2)


CUT = gzip.compress(GOOD, mtime=0)[:-10]  # without the time, which would be in the test's name


@pytest.mark.parametrize("content", [b"not gzip", CUT, b""], ids=["other", "cut", "empty"])
def test_idx_refuses_what_is_not_whole_gzip(tmp_path, content):
    path = tmp_path / "file.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"file\.gz"):
        read_idx(path, ndim=2)
