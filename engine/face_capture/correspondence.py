"""Which of MediaPipe's 478 face points lies where on the starter's mean head, in canonical space.

The places are ICT-FaceKit's 68 landmarks without the edge of the jaw, whose points slide over the cheek; the chin
stays.
"""

from __future__ import annotations

from typing import NamedTuple


class FacePoint(NamedTuple):
    """A face point: its number among the 478, how much it counts, its place in model units."""

    number: int
    trust: float
    place: tuple[float, float, float]


FACE_POINTS = (
    FacePoint(152, 1.0, (0.0, -0.3965, 0.1424)),
    FacePoint(70, 1.0, (-0.2326, 0.1479, 0.0764)),
    FacePoint(63, 1.0, (-0.1974, 0.1791, 0.1196)),
    FacePoint(105, 1.0, (-0.1517, 0.1902, 0.1531)),
    FacePoint(66, 1.0, (-0.0966, 0.1877, 0.1793)),
    FacePoint(107, 1.0, (-0.0469, 0.1763, 0.1891)),
    FacePoint(336, 1.0, (0.0469, 0.1763, 0.1891)),
    FacePoint(296, 1.0, (0.0966, 0.1877, 0.1793)),
    FacePoint(334, 1.0, (0.1517, 0.1902, 0.1531)),
    FacePoint(293, 1.0, (0.1974, 0.1791, 0.1196)),
    FacePoint(300, 1.0, (0.2326, 0.1479, 0.0764)),
    FacePoint(168, 1.0, (0.0, 0.0895, 0.1894)),
    FacePoint(197, 1.0, (0.0, 0.045, 0.221)),
    FacePoint(5, 1.0, (0.0, 0.0041, 0.2525)),
    FacePoint(4, 1.0, (0.0, -0.0444, 0.2827)),
    FacePoint(98, 1.0, (-0.0505, -0.109, 0.1947)),
    FacePoint(97, 1.0, (-0.0241, -0.1076, 0.2164)),
    FacePoint(2, 1.0, (0.0, -0.1096, 0.222)),
    FacePoint(326, 1.0, (0.0241, -0.1076, 0.2164)),
    FacePoint(327, 1.0, (0.0505, -0.109, 0.1947)),
    FacePoint(33, 1.5, (-0.1784, 0.0773, 0.1041)),
    FacePoint(160, 1.5, (-0.1548, 0.095, 0.1345)),
    FacePoint(158, 1.5, (-0.1113, 0.0974, 0.1413)),
    FacePoint(133, 1.5, (-0.0737, 0.0701, 0.1278)),
    FacePoint(153, 1.5, (-0.1092, 0.0632, 0.1365)),
    FacePoint(144, 1.5, (-0.1542, 0.0627, 0.1291)),
    FacePoint(362, 1.5, (0.0738, 0.0701, 0.1278)),
    FacePoint(385, 1.5, (0.1113, 0.0974, 0.1413)),
    FacePoint(387, 1.5, (0.1548, 0.095, 0.1345)),
    FacePoint(263, 1.5, (0.1784, 0.0773, 0.1041)),
    FacePoint(373, 1.5, (0.1542, 0.0627, 0.1291)),
    FacePoint(380, 1.5, (0.1092, 0.0632, 0.1365)),
    FacePoint(61, 2.0, (-0.098, -0.2165, 0.154)),
    FacePoint(39, 2.0, (-0.0677, -0.1769, 0.2048)),
    FacePoint(37, 2.0, (-0.0295, -0.1602, 0.2283)),
    FacePoint(0, 2.0, (0.0, -0.1621, 0.2332)),
    FacePoint(267, 2.0, (0.0295, -0.1602, 0.2283)),
    FacePoint(269, 2.0, (0.0677, -0.1769, 0.2048)),
    FacePoint(291, 2.0, (0.098, -0.2165, 0.154)),
    FacePoint(405, 2.0, (0.0719, -0.2541, 0.1733)),
    FacePoint(314, 2.0, (0.0423, -0.2706, 0.1903)),
    FacePoint(17, 2.0, (0.0, -0.2771, 0.1963)),
    FacePoint(84, 2.0, (-0.0423, -0.2706, 0.1903)),
    FacePoint(181, 2.0, (-0.0719, -0.2541, 0.1733)),
    FacePoint(78, 2.0, (-0.0858, -0.2178, 0.15)),
    FacePoint(82, 2.0, (-0.0395, -0.1964, 0.201)),
    FacePoint(13, 2.0, (0.0, -0.1959, 0.2109)),
    FacePoint(312, 2.0, (0.0395, -0.1964, 0.201)),
    FacePoint(308, 2.0, (0.0858, -0.2178, 0.15)),
    FacePoint(317, 2.0, (0.0424, -0.2321, 0.1798)),
    FacePoint(14, 2.0, (0.0, -0.2382, 0.1869)),
    FacePoint(87, 2.0, (-0.0424, -0.2321, 0.1798)),
)
# Points that hardly any expression moves: corners of the eyes and the bridge of the nose.
STABLE = (33, 133, 362, 263, 168, 197, 5)
TEMPLATE_STABLE = tuple(next(point.place for point in FACE_POINTS if point.number == number) for number in STABLE)
# Inner lips that meet, the mouth's corners, and what tells its width.
LIP_PAIRS, MOUTH_CORNERS = ((13, 14), (82, 87), (312, 317)), (61, 291)
WIDTH_PAIRS = (MOUTH_CORNERS, (78, 308))
