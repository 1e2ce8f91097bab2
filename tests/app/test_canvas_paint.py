"""What is sure can be seen by everybody, and nothing strobes."""

from __future__ import annotations

import random
from itertools import combinations, pairwise

import numpy as np
import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage, QPainter

from app.ui.canvas.layout import LEVELS, LOOKS, CanvasLayout
from app.ui.canvas.paint import opacity, paint_lines
from app.ui.theme import DARK, LIGHT, Colors, reading_font
from engine.messages import Draft, TokenState
from tests.fakes import draft

STATES = (TokenState.NOISE, TokenState.PROVISIONAL, TokenState.ACCEPTED, TokenState.SETTLED)
WIDTH, HEIGHT, LINE = 480, 240, 24

# What linear light becomes in eyes that lack a cone (Machado, Oliveira and Fernandes 2009).
EYES = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "no colour at all": np.tile([0.2126, 0.7152, 0.0722], (3, 1)),
}


def linear(image: QImage) -> np.ndarray:
    """The picture as linear light, rows by columns by red, green, blue, each from 0 to 1."""
    image = image.convertToFormat(QImage.Format.Format_RGBX8888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1, 4)
    sampled = rows[:, : image.width(), :3] / 255
    return np.where(sampled <= 0.04045, sampled / 12.92, ((sampled + 0.055) / 1.055) ** 2.4)


def luminance(light: np.ndarray) -> np.ndarray:
    return light @ np.array([0.2126, 0.7152, 0.0722])


def lightness(light: np.ndarray) -> np.ndarray:
    """CIE L*, from 0 to 100: equal differences look equal."""
    seen = np.clip(luminance(light), 0, 1)
    return np.where(seen > 0.008856, 116 * np.cbrt(seen) - 16, 903.3 * seen)


def painted(shown: Draft, colors: Colors) -> QImage:
    layout = CanvasLayout(reading_font())
    layout.set_width(WIDTH)
    layout.show("", shown)
    image = QImage(WIDTH, HEIGHT, QImage.Format.Format_RGB32)
    image.fill(QColor(colors.window))
    painter = QPainter(image)
    paint_lines(painter, layout.lines(QRectF(0, 0, WIDTH, HEIGHT)), colors)
    painter.end()
    return image


def features(state: TokenState, confidence: int, colors: Colors, eyes: np.ndarray) -> np.ndarray:
    """How strong the ink is, how much of the row below has a mark, and how broken that mark is."""
    image = painted(draft(1, ("mmmmmmmmmmmm",), (state,), confidence=confidence), colors)
    seen = lightness(np.clip(linear(image) @ eyes.T, 0, 1))
    contrast = np.abs(seen - seen[-1, -1])
    ink = np.percentile(contrast[:17, 4:100], 95)
    marks = contrast[19:LINE, 4:100]
    row = marks[marks.mean(axis=1).argmax()] > 8
    return np.array([ink, 100 * row.mean(), 2.0 * np.count_nonzero(np.diff(row.astype(int)))])


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("eyes", EYES)
def test_every_eye_can_tell_the_states_apart(qapp, colors, eyes):
    """Any two states, whatever the confidence, differ by 15 of 100 in one thing or another."""
    seen = {
        (state, confidence): features(state, confidence, colors, EYES[eyes])
        for state in STATES
        for confidence in (0, 128, 255)
    }
    for one, other in combinations(seen, 2):
        if one[0] != other[0]:
            assert np.abs(seen[one] - seen[other]).max() > 15, (one, other)


def test_the_measure_of_the_test_above_sees_when_two_states_are_alike(qapp):
    for eyes in EYES.values():
        same = [features(TokenState.SETTLED, each, LIGHT, eyes) for each in (0, 255)]
        assert np.abs(same[0] - same[1]).max() == 0


def test_surer_is_never_fainter():
    """Within a state by confidence, and from each state to the next."""
    order = [look for look in LOOKS if look.state in STATES]
    strengths = [opacity(look) for look in order]
    assert len(order) == len(STATES) * LEVELS
    assert strengths == sorted(strengths)


def noise(chooser: random.Random, state: TokenState) -> Draft:
    words = ("it", "lantern", "of", "mountains", ",", "WWW", "l", "quickly", "\n\n", "harbour")
    return draft(
        1,
        tuple(" " + chooser.choice(words) for _ in range(120)),
        (state,) * 120,
        confidence=chooser.randrange(256),
    )


def largest_change(state: TokenState, colors: Colors) -> float:
    """Of the mean luminance of any spot of the size of a word, from one step to the next."""
    chooser = random.Random(5)
    spots = [
        luminance(linear(painted(noise(chooser, state), colors)))
        .reshape(HEIGHT // LINE, LINE, WIDTH // 60, 60)
        .mean(axis=(1, 3))
        for _ in range(12)
    ]
    return max(float(np.abs(after - before).max()) for before, after in pairwise(spots))


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_noise_does_not_strobe(qapp, colors):
    """A change of 10 % of the luminance is where a flash begins, by the rules for the web."""
    assert largest_change(TokenState.NOISE, colors) < 0.1
    assert (
        largest_change(TokenState.NOISE, colors) < largest_change(TokenState.SETTLED, colors) / 1.5
    )
