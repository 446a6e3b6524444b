"""Write golden.json: what TrackEval measures on the random sequences, one by one and together.

    pip install trackeval && python -m tests.core.metrics.mot_parity.generate

TrackEval brings its own OpenCV, so give it an environment of its own. Written with trackeval 1.3.0 and numpy 2.4.
"""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tests.core.metrics.mot_parity.sequences import SEEDS, sequence

# By name, because TrackEval is untyped and not a dependency of the development environment.
trackeval: Any = import_module("trackeval.metrics")
calculate_box_ious = import_module("trackeval.datasets._base_dataset")._BaseDataset._calculate_box_ious

WANTED = {
    "HOTA": {"hota": "HOTA", "deta": "DetA", "detre": "DetRe", "detpr": "DetPr", "assa": "AssA", "assre": "AssRe",
             "asspr": "AssPr", "loca": "LocA"},
    "CLEAR": {"mota": "MOTA", "motp": "MOTP", "tp": "CLR_TP", "fn": "CLR_FN", "fp": "CLR_FP", "idsw": "IDSW",
              "frag": "Frag", "mt": "MT", "pt": "PT", "ml": "ML"},
    "Identity": {"idf1": "IDF1", "idp": "IDP", "idr": "IDR", "idtp": "IDTP", "idfp": "IDFP", "idfn": "IDFN"},
}  # fmt: skip


def data(truth, found):
    sides = []
    for rows in (truth, found):
        ids, index = np.unique(rows[:, 1], return_inverse=True)
        sides.append((rows, index, len(ids)))
    length = int(max(truth[:, 0].max(), found[:, 0].max(initial=0)))
    plain: dict[str, Any] = {"num_timesteps": length, "gt_ids": [], "tracker_ids": [], "similarity_scores": []}
    for frame in range(1, length + 1):
        (here, ids), (there, others) = ((rows[rows[:, 0] == frame], i[rows[:, 0] == frame]) for rows, i, _ in sides)
        plain["gt_ids"].append(ids)
        plain["tracker_ids"].append(others)
        plain["similarity_scores"].append(calculate_box_ious(here[:, 2:], there[:, 2:], box_format="xywh"))
    for name, (rows, _, count) in zip(("gt", "tracker"), sides, strict=True):
        plain |= {f"num_{name}_dets": len(rows), f"num_{name}_ids": count}
    return plain


def pick(results):
    told = {}
    for family, names in WANTED.items():
        for name, theirs in names.items():
            value = np.asarray(results[family][theirs])
            told[name] = value.tolist() if value.ndim else value.item()
    return told


def main():
    quiet = {"PRINT_CONFIG": False}
    metrics = {"HOTA": trackeval.HOTA(), "CLEAR": trackeval.CLEAR(quiet), "Identity": trackeval.Identity(quiet)}
    every = {seed: {name: m.eval_sequence(data(*sequence(seed))) for name, m in metrics.items()} for seed in SEEDS}
    golden = {str(seed): pick(results) for seed, results in every.items()}
    golden["all"] = pick(
        {
            name: m.combine_sequences({seed: results[name] for seed, results in every.items()})
            for name, m in metrics.items()
        }
    )
    Path(__file__).with_name("golden.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
