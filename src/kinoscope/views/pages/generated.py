"""Pages of clips that a model made: they play, and what is known of them stands beside."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kinoscope.views.pages.page import compose


@dataclass(frozen=True, slots=True)
class ShownClip:
    """A video on a page: its caption, and an mp4."""

    caption: str
    video: bytes

    def to_dict(self) -> dict[str, str]:
        """Give the plain form."""
        return {"caption": self.caption, "src": "data:video/mp4;base64," + base64.b64encode(self.video).decode()}


Table = tuple[str, Sequence[Sequence[str]]]
"""A title, and rows of texts."""


def generated_page(facts: Mapping[str, Any], video: bytes) -> str:
    """Give the page of clips that were made as text.

    Args:
        facts: the plain form of what was made, with ``by``: what made it. video: an mp4 of all clips side by side.
    """
    rows = [["Made by", str(facts["by"])], ["Time", f"{facts['seconds']:.1f} s, {facts['runtime']}"]]
    if facts["labels"]:
        counts = {name: facts["labels"].count(name) for name in dict.fromkeys(facts["labels"])}
        rows.append(["Classes", ", ".join(f"{count} {name}" for name, count in counts.items())])
    if facts["psnr"] is not None:
        first = f"a real clip, then what the model makes of it ({facts['psnr']:.1f} dB), then with other motions"
        rows.append(["First", first])
    title = f"{facts['clips']} clips by {facts['model']}"
    about = [f"{facts['frames']} pictures each", f"{facts['rate']:g} a second"]
    return _compose(title, about, [ShownClip("All clips", video)], [("How they were made", rows)])


def scores_page(facts: Mapping[str, Any], shown: Sequence[ShownClip]) -> str:
    """Give the page of the scores of a generator as text; see ``score_tables``."""
    scores = facts["generation"]
    about = [f"{scores['protocol']['made']} made clips", f"{scores['protocol']['real']} real ones"]
    tables: list[Table] = list(score_tables(facts))
    return _compose(f"Clips by {facts['model']}", about, shown, tables)


def score_tables(facts: Mapping[str, Any]) -> list[tuple[str, list[list[str]]]]:
    """Give tables of the scores of a generator, in the plain form of ``GenerationEvaluation``, to be read."""
    scores = facts["generation"]
    tables = [
        ("Frechet video distance", _distance_rows(facts, "fvd", "interval", "floors")),
        (
            "Frechet distance of how pictures change",
            _distance_rows(facts, "motion", "motion_interval", "motion_floors"),
        ),
    ]
    tables[0][1].insert(1, ["made clips, endlessly many", f"{scores['endless']:.2f}", ""])
    copies = len(scores["copies"])
    others = [
        ["kernel distance x 1000", f"{scores['kvd']:.2f}", "0 for the same"],
        ["precision", f"{scores['precision']:.2f}", "made clips that lie among real ones"],
        ["recall", f"{scores['recall']:.2f}", "real clips that lie among made ones"],
        ["diversity", f"{scores['diversity']:.2f}", f"real {scores['diversity_real']:.2f}"],
        ["content distance in a clip", f"{scores['content']:.2f}", f"real {scores['content_real']:.2f}"],
        ["copies of real clips", f"{copies}",
         f"nearest {_nearest_text(scores)} grey levels, real ones of other recordings {scores['usual'][0]:.1f}"],
    ]  # fmt: skip
    if scores["judged"] is not None:
        low, high = scores["judged_interval"]
        others.append([
            "intended class told", f"{100 * scores['judged']:.1f} %",
            f"{100 * low:.0f} to {100 * high:.0f} %; of real clips {100 * scores['judged_real']:.1f} %, "
            f"chance {100 * scores['chance']:.0f} %",
        ])  # fmt: skip
        others += [[f"  {name}", f"{100 * share:.0f} %", ""] for name, share in scores["by_class"].items()]
    protocol = [[name, str(value), ""] for name, value in scores["protocol"].items()]
    protocol.append(["hash", scores["protocol_hash"], ""])
    return [*tables, ("Other measures", others), ("Protocol", protocol)]


def _distance_rows(facts: Mapping[str, Any], name: str, interval: str, floors: str) -> list[list[str]]:
    """Give the rows of one distance: of the made clips, of those it is compared with, and of real ones."""
    models = [("made clips", facts["generation"])]
    if other := facts.get("other"):
        models.append((f"made by {other['model']}", other["generation"]))
    rows = []
    for who, scores in models:
        between = "too few groups" if scores[interval] is None else "{:.2f} to {:.2f}".format(*scores[interval])
        rows.append([who, f"{scores[name]:.2f}", between])
    real = facts["generation"][floors]
    return rows + [[f"half the real from the other: {what}", f"{value:.2f}", ""] for what, value in real.items()]


def _nearest_text(scores: Mapping[str, Any]) -> str:
    return f"{min(scores['nearest_pixels'], default=0.0):.1f}"


def _compose(title: str, about: Sequence[str], shown: Sequence[ShownClip], tables: Sequence[Table]) -> str:
    data = {
        "title": title,
        "about": list(about),
        "videos": [one.to_dict() for one in shown],
        "tables": [{"title": name, "rows": [list(row) for row in rows]} for name, rows in tables],
    }
    return compose("generated", ["main"], title, data, column=True, media="data:")
