"""Pickles: plain containers and arrays are read, and nothing else runs."""

import contextlib
import io
import pickle
import struct
import tracemalloc

import numpy as np
import pytest
from conftest import SHARED

from latent_hands.data.formats import safe_pickle
from latent_hands.data.formats.safe_pickle import load_pickle
from latent_hands.errors import HandsError

LABELS = {
    7: {"xyz": np.arange(126, dtype=np.float32).reshape(42, 3), "K": np.asfortranarray(np.eye(3))},
    8: {
        "big": np.arange(3, dtype=">i4"),
        "flag": np.array(True),
        "one": np.float64(2.5),
        "text": ["a", (1, 2)],
    },
}


def write(tmp_path, data):
    path = tmp_path / "anno.pickle"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("protocol", range(6))
def test_plain_labels_are_read_in_every_protocol(tmp_path, protocol):
    read = load_pickle(write(tmp_path, pickle.dumps(LABELS, protocol)))
    assert read.keys() == LABELS.keys()
    for index, label in LABELS.items():
        for key, value in label.items():
            np.testing.assert_array_equal(np.asarray(read[index][key], dtype=object), np.array(value, object))


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_module_names_of_numpy_1_and_2_are_read(tmp_path, module):
    data = pickle.dumps(LABELS[7]["xyz"], 2).replace(b"numpy._core.multiarray", module.encode())
    np.testing.assert_array_equal(load_pickle(write(tmp_path, data)), LABELS[7]["xyz"])


class Call:
    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
def test_a_foreign_function_is_refused_before_it_runs(tmp_path, protocol):
    trace = tmp_path / "ran"
    path = write(tmp_path, pickle.dumps({0: Call(open, str(trace), "w")}, protocol))
    with pytest.raises(HandsError, match=r"anno\.pickle.*open.*refused"):
        load_pickle(path)
    assert not trace.exists()


@pytest.mark.parametrize("name", [b"numpy\nload", b"numpy\nndarray.tofile", b"builtins\neval", b"os\nsystem"])
def test_other_globals_are_refused_by_name(tmp_path, name):
    data = b"c" + name + b"\n(S'x'\ntR."
    with pytest.raises(HandsError, match=name.decode().replace("\n", r"\.")):
        load_pickle(write(tmp_path, data))


@pytest.mark.parametrize(
    "value", [np.array([print, {}], dtype=object), np.zeros(2, [("a", "O")]), np.array(["text"]), {1, 2}]
)
def test_other_kinds_of_data_are_refused(tmp_path, value):
    with pytest.raises(HandsError, match=r"anno\.pickle"):
        load_pickle(write(tmp_path, pickle.dumps(value)))


def test_an_array_type_cannot_be_given_a_state(tmp_path):
    data = b"cnumpy\ndtype\n(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI8\nI1\nI63\ntb."
    assert not isinstance(load_pickle(write(tmp_path, data)), np.dtype)
    data = b"cnumpy\ndtype\n(S'f4'\nI0\nI1\ntR(I3\nS'<'\nN(S'a'\ntNI8\nI1\nI63\ntb."
    with pytest.raises(HandsError, match="state"):
        load_pickle(write(tmp_path, data))


def test_functions_cannot_be_changed(tmp_path):
    data = b"c_codecs\nencode\n(N(dS'__defaults__'\n(I1\ntstb."
    with pytest.raises(HandsError, match="changes an object"):
        load_pickle(write(tmp_path, data))


def huge_array():
    return b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I99999999999\ntS'b'\ntR."


def huge_shape():
    return pickle.dumps(np.zeros((2, 3), np.float32), 2).replace(
        b"K\x02K\x03\x86", b"J\xff\xff\xff\x7fK\x03\x86"
    )


def huge_bytes():
    return b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"."


def huge_memo():
    return b"\x80\x03Nr\xff\xff\xff\xff."


@pytest.mark.parametrize("program", [huge_array, huge_shape, huge_bytes, huge_memo])
def test_announced_sizes_allocate_nothing(tmp_path, program):
    path = write(tmp_path, program())
    tracemalloc.start()
    with contextlib.suppress(HandsError):
        load_pickle(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_truncated_files_are_errors(tmp_path):
    data = pickle.dumps(LABELS, 3)
    for end in range(0, len(data), 37):
        with pytest.raises(HandsError, match=r"anno\.pickle"):
            load_pickle(write(tmp_path, data[:end]))


def test_missing_and_oversized_files_are_errors(tmp_path, monkeypatch):
    with pytest.raises(HandsError, match="no annotation file"):
        load_pickle(tmp_path / "none.pickle")
    monkeypatch.setattr(safe_pickle, "MAX_BYTES", 10)
    with pytest.raises(HandsError, match="the limit is 10"):
        load_pickle(write(tmp_path, pickle.dumps(LABELS)))


def test_random_damage_raises_no_other_error(tmp_path):
    rng = np.random.default_rng(0)
    data = np.frombuffer(pickle.dumps(LABELS, 3), np.uint8)
    for _ in range(200):
        broken = data.copy()
        broken[rng.integers(0, len(data), 5)] = rng.integers(0, 256, 5, np.uint8)
        with contextlib.suppress(HandsError):
            load_pickle(write(tmp_path, broken.tobytes()))


@pytest.mark.skipif(not (SHARED / "rhd").is_dir(), reason=f"RHD is not at {SHARED}")
def test_real_annotations_are_read_as_by_the_standard_unpickler():
    path = SHARED / "rhd/evaluation/anno_evaluation.pickle"
    truth = pickle.load(io.BytesIO(path.read_bytes()))
    read = load_pickle(path)
    assert list(read) == list(truth)
    for index in truth:
        for key in truth[index]:
            np.testing.assert_array_equal(read[index][key], truth[index][key])
