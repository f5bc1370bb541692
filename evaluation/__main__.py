"""Write the committed reports again from their figures, after a change of their text: `python -m evaluation`."""

from __future__ import annotations

from pathlib import Path

from evaluation.capture.one_camera_report import report_text as one_camera_text
from evaluation.head.report import report_text as head_text
from evaluation.motion.performance import report_text as performance_text
from evaluation.motion.report import report_text as motion_text
from evaluation.motion.voice_emotion import report_text as voice_emotion_text
from evaluation.shared.reports import rewrite_report
from evaluation.studies.ablation_report import report_text as ablations_text
from evaluation.studies.captured_report import report_text as captured_text

FOLDER = Path(__file__).parents[1] / "docs" / "evaluation"
REPORTS = {
    "head": head_text,
    "motion": motion_text,
    "performance": performance_text,
    "voice_emotion": voice_emotion_text,
    "ablations": ablations_text,
    "captured": captured_text,
    "one_camera": one_camera_text,
}


def main() -> None:
    """Command line, without options."""
    for name, report_text in REPORTS.items():
        rewrite_report(FOLDER, name, report_text)


if __name__ == "__main__":
    main()
