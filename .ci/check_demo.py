"""Holds the demo's report, captions, words, sounds and objects against what is in the clips."""

from __future__ import annotations

import re
import sys
from html import escape

from kairos_lib.nano.captions import score
from kairos_lib.nano.truth import ClipTruth
from kairos_lib.project import Project
from kairos_lib.runs.files import read_record
from kairos_lib.runs.journal import Journal
from kairos_lib.runs.manifest import Manifest
from kairos_lib.runs.run import Run
from kairos_lib.vlm.records import FusedScene
from workshop.nano.word_errors import WordErrors, word_errors

RIGHT_AT_LEAST = 0.9
# Voices are cut out before sounds are named, and silence is the absence of them.
UNCOUNTED = {"silence", "speech"}
CUT_WITHIN_S = 1 / 25 + 1e-6

project = Project.find()
problems: list[str] = []
manifest = read_record(project.runs / "suites" / "demo.json", Manifest)
assert manifest is not None, "there is no demo suite"
page = (project.reports / "demo" / "index.html").read_text(encoding="utf-8")

for planned in manifest.runs:
    folder = project.root / planned.folder
    truth = ClipTruth.of_demo(planned.video)
    if not Run(folder, {}).done:
        problems.append(f"{planned.model} on {planned.video} is not done")
        continue
    fused = list(Journal(folder / "fused.jsonl", FusedScene))
    if len(fused) != len(truth.scenes):
        problems.append(f"{planned.video}: {len(fused)} scenes, not {len(truth.scenes)}")
        continue
    total = None
    words = WordErrors()
    sounds_right = objects_right = 0
    for found, real in zip(fused, truth.scenes, strict=True):
        if abs(found.scene.start_s - real.start_s) > CUT_WITHIN_S:
            problems.append(f"{planned.video}: scene {found.scene.index} starts at the wrong frame")
        right = score(found.caption.text, real.scene)
        total = right if total is None else total + right
        words += word_errors(real.transcript, found.transcript)
        heard = {sound.label for sound in found.sounds} - UNCOUNTED
        sounds_right += heard == set(real.sounds) - UNCOUNTED
        seen = {detection.label for detection in found.objects}
        objects_right += seen == {shape.kind for shape in real.scene.shapes}
        if found.transcript and escape(found.transcript) not in page:
            problems.append(f"{planned.video}: the report lacks what is said in a scene")
    shares = {
        "attributes": total.share() if total else 0.0,
        "words": 1 - words.rate,
        "scenes' sounds": sounds_right / len(fused),
        "scenes' objects": objects_right / len(fused),
    }
    told = ", ".join(f"{share:.1%} of {what}" for what, share in shares.items())
    sys.stdout.write(f"{planned.model} on {planned.video}, right: {told}\n")
    for what, share in shares.items():
        if share < RIGHT_AT_LEAST:
            problems.append(f"{planned.model} on {planned.video}: only {share:.1%} of {what} right")
    if planned.model_title not in page:
        problems.append(f"{planned.model} is not in the report")

if re.search(r"""(?:src|href)=["']https?:|@import|<script[^>]+src|url\(\s*["']?https?:""", page):
    problems.append("the report reaches for the network")
for expected in ("data:image/jpeg", "<svg", "RTF"):
    if expected not in page:
        problems.append(f"the report has no {expected}")
sys.exit("\n".join(problems) or 0)
