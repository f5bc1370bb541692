"""What the tests of codecs have heard, for the line that is printed in the end."""

HEARD: list[tuple[float, float]] = []  # delay against Blender's mixdown in ms, and similarity at that delay


def line() -> str:
    """How many sounds were heard, and how far they were off; empty when none was."""
    if not HEARD:
        return ""
    delays, similarities = zip(*HEARD, strict=True)
    off, alike = max(delays), min(similarities)
    return f"{len(HEARD)} sounds: at most {off:.2f} ms off Blender's mixdown, {alike:.3f} alike at least"
