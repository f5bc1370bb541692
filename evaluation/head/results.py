"""The figures of the head's evaluation, from what was measured of each head."""

from __future__ import annotations

import json

import numpy as np

from evaluation.head.poses import is_speech, pose_kind
from evaluation.head.surface_groups import GROUPS

SEALED = 0.2  # mm; truly closed lips, which must not show a gap
VISIBLE_GAP = 0.5  # mm


class Results:
    """What was measured of all heads, joined.

    Args:
        measured: one dictionary for each head: "canonical_distance", "canonical_cosine" and "canonical_astray"
            (1, N), the same of "posed" (P, N), of the Q poses that are meshed "extracted_distance" and
            "extracted_group" (Q, U), "template_table_to_field" and "template_table_to_truth" (Q, S), and the same of
            "roots"; distances in mm, NaN where nothing is to be seen. "records": JSON, one
            object a pose; "template": JSON, the template's counts and time.
        point_group, template_group: (N,) and (S,) str, which of GROUPS each point and template vertex belongs to.
    """

    def __init__(self, measured: list[dict[str, np.ndarray]], point_group: np.ndarray, template_group: np.ndarray):
        self._measured, self.point_group, self.template_group = measured, point_group, template_group
        self.identities = len(measured)
        self.records = [record for head in measured for record in json.loads(str(head["records"]))]
        self.templates = [json.loads(str(head["template"])) for head in measured]

    def array(self, name: str) -> np.ndarray:
        """A measured array of all heads, float64, heads and poses joined to rows."""
        return np.concatenate([head[name] for head in self._measured if name in head]).astype(np.float64)

    def summary(self) -> dict:
        """All figures by name; distances and openings in mm, shares in 0..1, volumes in mm^3."""
        posed, cosine = self.array("posed_distance"), self.array("posed_cosine")
        by_group = {
            "canonical": self._by_group(self.array("canonical_distance"), self.array("canonical_cosine")),
            "posed": self._by_group(posed, cosine),
        }
        return {
            "identities": self.identities,
            "poses": len(self.records) // self.identities,
            "surface": by_group,
            "astray": float(np.nanmean(self.array("posed_astray"))),
            "extracted": self._extracted(),
            "lips": self._lips(),
            "lids": self._lids(),
            "mouth": self._mouth(),
            "floating": self._floating(),
            "template": self._template(),
            "by_pose": self._by_pose(posed),
            "by_head": self._by_head(posed),
        }

    def _by_group(self, distance: np.ndarray, cosine: np.ndarray) -> dict[str, dict[str, float]]:
        return {
            name: _spread(distance[:, self.point_group == name])
            | {"normals": float(np.nanmean(cosine[:, self.point_group == name]))}
            for name in GROUPS
        }

    def _extracted(self) -> dict[str, dict[str, float]]:
        distance, group = self.array("extracted_distance"), self.array("extracted_group")
        return {name: _spread(distance[group == number]) for number, name in enumerate(GROUPS)}

    def _lips(self) -> dict[str, dict[str, float]]:
        """Errors of the lip opening over speech poses, and the openings found where the lips are truly sealed."""
        speech = [record for record in self.records if is_speech(record["pose"])]
        result = {}
        for name, truth in (("engine", "true_opening"), ("field", "true_solid_opening")):
            true = np.array([record[truth] for record in speech])
            found = np.array([record[f"{name}_opening"] for record in speech])
            sealed = found[true <= SEALED]
            result[name] = _spread(np.abs(found - true)) | {"poses": len(speech), "sealed_poses": len(sealed)}
            if len(sealed):
                result[name] |= {
                    "sealed_largest": float(sealed.max()),
                    "sealed_share": float((sealed <= VISIBLE_GAP).mean()),
                }
        return result

    def _lids(self) -> dict[str, float]:
        """Errors of the lids' opening, and of it over closed eyes alone."""
        true, found = (np.array([record[f"{name}_lids"] for record in self.records]) for name in ("true", "field"))
        blink = np.array([record["pose"] == "blink" for record in self.records])
        result = _spread(np.abs(found - true))
        if blink.any():
            result |= {"blink_true": float(true[blink].mean()), "blink_field": float(found[blink].mean())}
        return result

    def _mouth(self) -> dict[str, float]:
        opened = [record for record in self.records if "solid_in_air" in record]
        return {"poses": len(opened)} | {
            f"{name}_{kind}": float(reduce([record[name] for record in opened]))
            for name in ("solid_in_air", "air_in_solid")
            if opened
            for kind, reduce in (("mean", np.mean), ("largest", np.max))
        }

    def _floating(self) -> dict[str, float]:
        pieces = [record["floating"] for record in self.records if "floating" in record]
        return {
            "surfaces": len(pieces),
            "with_pieces": sum(map(bool, pieces)),
            "pieces": sum(map(len, pieces)),
            "largest": max((volumes[0] for volumes in pieces if volumes), default=0.0),
        }

    def _template(self) -> dict:
        """Errors of the fixed topology from the table and by root finding, distances to the truth over speech poses."""
        rows = [record for record in self.records if "table_flipped" in record]
        speech = np.array([is_speech(record["pose"]) for record in rows])
        result = {name: self.templates[0][name] for name in ("vertices", "polygons", "quads", "lip_triangles")}
        times = [head["milliseconds"] for head in self.templates]
        result |= {"poses": len(rows), "milliseconds": float(np.median(times))}
        for way in ("table", "roots"):
            to_field, to_truth = (self.array(f"template_{way}_{name}") for name in ("to_field", "to_truth"))
            result[way] = {
                "field_all": _spread(to_field),
                "truth_lips_speech": _spread(to_truth[speech][:, self.template_group == "lips"]),
            }
            for name in np.unique(self.template_group):
                own = self.template_group == name
                result[way] |= {f"field_{name}": _spread(to_field[:, own]), f"truth_{name}": _spread(to_truth[:, own])}
            for kind in ("flipped", "torn"):
                damaged = [record[f"{way}_{kind}"] for record in rows]
                result[way][kind] = {"all": sum(damaged), "most": max(damaged)}
        return result

    def _by_pose(self, distance: np.ndarray) -> dict[str, dict[str, float]]:
        """Means over heads for each named pose, and over the random ones of each kind."""
        kinds = [pose_kind(record["pose"]) for record in self.records]
        result = {}
        for kind in dict.fromkeys(kinds):
            rows = [number for number, other in enumerate(kinds) if other == kind]
            records = [self.records[row] for row in rows]
            result[kind] = {
                name: float(np.nanmean(distance[rows][:, self.point_group == name]))
                for name in GROUPS
                if np.isfinite(distance[rows][:, self.point_group == name]).any()
            }
            result[kind] |= {
                name: float(np.mean([record[name] for record in records]))
                for name in ("true_opening", "engine_opening", "true_solid_opening", "field_opening")
            }
        return result

    def _by_head(self, distance: np.ndarray) -> list[dict[str, float]]:
        owner = np.array([record["identity"] for record in self.records])
        return [
            {name: float(np.nanmean(distance[owner == head][:, self.point_group == name])) for name in GROUPS}
            for head in np.unique(owner)
        ]


def _spread(values: np.ndarray) -> dict[str, float]:
    """Mean, 95th percentile and largest of an array without its NaN."""
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return {}
    return {"mean": float(values.mean()), "p95": float(np.percentile(values, 95)), "largest": float(values.max())}
