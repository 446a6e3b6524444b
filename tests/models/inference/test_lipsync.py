import json
from fractions import Fraction

import numpy as np
import pytest
import torch

from kinoscope.core.errors import ModelError, SourceError
from kinoscope.core.media import Audio
from kinoscope.models.inference.face_compositor import CROP_SIDE
from kinoscope.models.inference.lipsync import (
    LipSyncMetadata,
    NormalizedMel,
    ReferenceFrames,
    crop_mouths,
    load_lipsync,
    new_nets,
    save_lipsync,
    warp,
)
from kinoscope.nets.lipsync import (
    MEL_FRAMES,
    REFERENCES,
    VOICE_DIM,
    LipSyncDiscriminator,
    LipSyncGenerator,
    VoiceEncoder,
    draw_points,
)


def inputs(count=2):
    torch.manual_seed(0)
    points = torch.rand(count, 61, 2) * CROP_SIDE
    others = torch.rand(count, REFERENCES, 6, CROP_SIDE, CROP_SIDE)
    return torch.rand(count, 3, CROP_SIDE, CROP_SIDE), draw_points(points), others, torch.rand(count, VOICE_DIM)


def test_the_generator_changes_only_what_the_mask_covers_and_does_not_see_it():
    face, dots, others, voice = inputs()
    mask = torch.zeros(1, 1, CROP_SIDE, CROP_SIDE)
    mask[..., 40:90, 30:80] = 1
    net = LipSyncGenerator(8).eval()
    made = net(face, mask, dots, others, voice)
    hidden = torch.where(mask > 0, torch.rand_like(face), face)
    assert made.shape == face.shape
    assert torch.equal(made * (1 - mask), face * (1 - mask))
    assert torch.equal(net(hidden, mask, dots, others, voice), made)


def test_every_number_learns():
    face, dots, others, voice = inputs()
    net, voices, judge = LipSyncGenerator(8), VoiceEncoder(), LipSyncDiscriminator()
    moved, rest = voices(torch.rand(2, MEL_FRAMES, 40))
    made = net(face, torch.ones(1, 1, CROP_SIDE, CROP_SIDE), dots + draw_points(moved[..., :2] * 9), others, rest)
    (judge(made).mean() + moved.square().mean()).backward()
    for one in (net, voices, judge):
        assert [name for name, p in one.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert voice.shape == rest.shape


def test_dots_lie_where_points_are():
    points = torch.full((1, 61, 2), -50.0)
    points[0, 0] = torch.tensor([30.0, 70.0])
    dots = draw_points(points)
    assert dots.shape == (1, 3, CROP_SIDE, CROP_SIDE)
    assert divmod(int(dots[0, 0].argmax()), CROP_SIDE) == (70, 30)
    assert not dots[0, 1:].any()


def test_bending_brings_points_where_they_are_wanted():
    rows = torch.arange(CROP_SIDE, dtype=torch.float32)
    picture = (rows[None, :, None] + 0 * rows)[None].expand(
        1, 3, CROP_SIDE, CROP_SIDE
    ) / CROP_SIDE  # as bright as it is low
    places = torch.rand(1, 61, 2) * 40 + 40
    same = warp(picture, places, places[0])
    moved = warp(picture, places, places[0] + torch.tensor([0.0, 6.0]))
    inner = (..., slice(2, -2), slice(2, -2))  # at the edge it stays within half a pixel
    assert torch.allclose(same[inner], picture[inner], atol=1e-3)
    at = places[0].mean(0).round().long()
    assert float((picture - moved)[0, 0, at[1] + 6, at[0]] * CROP_SIDE) == pytest.approx(6, abs=0.5)
    assert torch.allclose(moved[..., 2:5, 2:5], picture[..., 2:5, 2:5], atol=1e-3)


def looks():
    times = np.arange(6) / 2
    places = np.random.default_rng(0).uniform(30, 80, (6, 61, 2)).astype(np.float32)
    places[4] = places[2] + 0.01
    pictures = torch.arange(6).view(6, 1, 1, 1).expand(6, 3, CROP_SIDE, CROP_SIDE).byte()
    return ReferenceFrames(times, places, pictures)


def test_the_nearest_reference_is_of_another_moment():
    one = looks()
    assert one.select(one.landmarks[2], 1.0)[0] == 4
    assert one.select(one.landmarks[2], 9.0)[0] == 2
    assert one.select(one.landmarks[2], 9.0, skip=1)[0] == 4
    assert one.select(one.landmarks[2] + 0.006, 9.0, previous=2)[0] == 4
    assert one.select(one.landmarks[2] + 0.005, 9.0, previous=2)[0] == 2
    assert one.warped([2, 3], one.landmarks[2]).shape == (2, 6, CROP_SIDE, CROP_SIDE)


def hearing(seconds=1.0, start=0, late=0.0):
    samples = np.zeros(round(16_000 * seconds), np.float32)
    samples[8000:8160] = 0.5
    return NormalizedMel([Audio(samples, 16_000, Fraction(start))], late)


def test_audio_is_aligned_to_its_time():
    click = hearing().around(np.array([0.5, 0.6]))
    assert click.shape == (2, MEL_FRAMES, 40)
    assert abs(int(click[0].sum(1).argmax()) - MEL_FRAMES // 2) <= 1
    assert abs(int(click[1].sum(1).argmax()) - MEL_FRAMES // 2 + 10) <= 1
    assert np.allclose(hearing(start=3).around(np.array([3.5])), click[:1])
    assert np.allclose(hearing(late=0.1).around(np.array([0.4])), click[:1])


def test_beyond_the_audio_is_silence():
    far = hearing().around(np.array([9.0]))
    assert np.ptp(far, axis=1).max() == 0


def test_no_audio():
    with pytest.raises(SourceError, match="no audio to follow"):
        NormalizedMel([])


def test_mouths_are_cut_where_lips_are():
    faces = torch.zeros(1, 3, CROP_SIDE, CROP_SIDE)
    faces[..., 70, 40] = 1
    places = torch.full((1, 61, 2), 0.0)
    places[0] = torch.tensor([40.5, 70.5])
    mouth = crop_mouths(faces, places)[0, 0]
    row, column = divmod(int(mouth.argmax()), 48)
    assert abs(row - 23.5) <= 1
    assert abs(column - 23.5) <= 1


def test_a_generator_is_read_as_it_was_written(tmp_path):
    nets, facts = new_nets(8), LipSyncMetadata(width=8, gain=1.25, data="clips", score={"val_psnr": 27.5})
    save_lipsync(tmp_path, nets, facts)
    back, told = load_lipsync(tmp_path)
    assert told == facts
    half = {name: one.half().float() if one.is_floating_point() else one for name, one in nets.state_dict().items()}
    assert all(torch.equal(one, half[name]) for name, one in back.state_dict().items())
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["model.json", "model.safetensors"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "classify"}, "was trained to classify, not to lipsync"),
        ({"schema": 2}, "newer version"),
        ({"width": None}, "damaged"),
        ({"other": 1}, "damaged"),
    ],
)
def test_invalid_models_are_reported(tmp_path, change, message):
    save_lipsync(tmp_path, new_nets(8), LipSyncMetadata(width=8))
    path = tmp_path / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ModelError, match=message):
        load_lipsync(tmp_path)


def test_an_empty_folder(tmp_path):
    with pytest.raises(ModelError, match="make one with `kinoscope train lipsync`"):
        load_lipsync(tmp_path)
