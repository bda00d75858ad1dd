"""Option structs: validated, immutable, comparable, picklable, ready for JSON."""

from __future__ import annotations

import json
import pickle

import pytest

from edge_ser import kernels
from edge_ser.kernels import MelOptions, Mfcc, MfccOptions

OPTIONS = [
    getattr(kernels, name)()
    for name in kernels.__all__
    if name.endswith("Options") and name not in ("AlignmentOptions",)
]
PRESETS = [MelOptions.kaldi(), MelOptions.librosa(), MelOptions.whisper(), MfccOptions.kaldi()]


@pytest.mark.parametrize("options", OPTIONS + PRESETS, ids=lambda o: type(o).__name__)
def test_options_survive_dict_json_pickle_and_repr(options):
    kind = type(options)
    fields = json.loads(json.dumps(options.as_dict()))
    for same in (kind.from_dict(fields), pickle.loads(pickle.dumps(options)), options.replace()):  # noqa: S301
        assert same == options
        assert hash(same) == hash(options)
        assert repr(same) == repr(options)
    assert options != object()
    assert eval(repr(options), vars(kernels)) == options  # noqa: S307


def test_options_are_immutable_and_replace_makes_a_copy():
    options = MelOptions()
    with pytest.raises(AttributeError):
        options.num_mels = 80
    changed = options.replace(num_mels=80)
    assert (options.num_mels, changed.num_mels) == (40, 80)
    assert changed != options


def test_nested_options_take_a_struct_or_its_dictionary():
    mel = MelOptions.kaldi(num_mels=30)
    assert MfccOptions(mel=mel) == MfccOptions(mel=mel.as_dict())
    assert MfccOptions(mel=mel).mel == mel
    assert Mfcc(MfccOptions(mel=mel, num_ceps=20)).dim == 20


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"num_mel": 3}, TypeError, "no field 'num_mel'"),
        ({"num_mels": 0}, ValueError, "num_mels is 0"),
        ({"num_mels": 2.0}, TypeError, "must be an integer"),
        ({"num_mels": True}, TypeError, "must be an integer"),
        ({"num_mels": 2**40}, ValueError, "out of range"),
        ({"floor": float("nan")}, ValueError, "floor is nan"),
        ({"floor": "small"}, TypeError, "must be a number"),
        ({"window": "square"}, ValueError, "must be one of: hann"),
        ({"remove_dc": 1}, TypeError, "True or False"),
        ({"fft_length": 514}, ValueError, "fft_length is 514"),
        ({"frame_length": 600}, ValueError, "at most fft_length"),
    ],
)
def test_what_makes_no_sense_is_refused(fields, error, message):
    with pytest.raises(error, match=message):
        MelOptions(**fields)
    with pytest.raises(error, match=message):
        MelOptions.from_dict(fields)


def test_a_damaged_pickle_is_validated():
    damaged = pickle.dumps(MelOptions(num_mels=201)).replace(bytes([201]), bytes([0]))
    with pytest.raises(ValueError, match="num_mels is 0"):
        pickle.loads(damaged)  # noqa: S301


def test_a_kernel_takes_only_its_own_options():
    with pytest.raises(TypeError, match="MfccOptions"):
        Mfcc(MelOptions())
    with pytest.raises(ValueError, match="no SIMD level 'mmx'"):
        Mfcc(simd="mmx")
