"""Tables that `vlm.ipynb` shows of its work and its captions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kairos_lib.media.scene import scene_number
from kairos_lib.parameters.model import Model
from kairos_lib.pipeline.records import BaseResult
from kairos_lib.runs.journal import Journal
from kairos_lib.vlm.records import Caption, VlmResult
from kairos_lib.vlm.run import device_of

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler


def overview_table(
    model: Model, base: BaseResult, video: str, captioned: int, folder: str
) -> pd.DataFrame:
    """The work about to be done."""
    import pandas as pd

    frames = model.frames
    rows = {
        "model": model.title,
        "weights": f"{model.weights.source}: {model.weights.id}",
        "precision": model.dtype
        + ("" if model.quantisation == "none" else f", {model.quantisation} weights"),
        "device": device_of(model),
        "video": f"{video}, {base.facts.duration_s:.1f} s",
        "scenes": f"{base.scenes}, {captioned} of them captioned already",
        "frames a scene": f"{frames.count} ({frames.sampling}), {frames.longest_px} px",
        "run folder": folder,
    }
    return pd.DataFrame({"": rows})


def scenarios_table(result: VlmResult) -> pd.DataFrame:
    """Both scenarios in one table."""
    import pandas as pd

    rows = []
    for scenario in (result.single_stream, result.offline):
        seconds = {k: round(v, 3) for k, v in scenario.timing.model_dump().items()}
        rows.append(
            {
                "scenario": scenario.scenario,
                "scenes": scenario.scenes,
                "wall time (s)": round(scenario.time_s, 3),
                **seconds,
                "new tokens": scenario.new_tokens,
            }
        )
    return pd.DataFrame(rows).set_index("scenario")


def captions_table(captions: Journal[Caption]) -> Styler:
    """The captions in full: pandas would cut them off after 50 characters."""
    import pandas as pd

    table = pd.DataFrame(
        [
            {
                "scene": scene_number(caption.scene),
                "caption": caption.text or f"[{caption.error}]",
                "prompt tokens": caption.prompt_tokens,
                "new tokens": caption.new_tokens,
                "seconds": f"{caption.timing.total_s:.3f}",
            }
            for caption in captions
        ]
    )
    styled = table.style.hide(axis="index")
    if len(table):
        # Unlike a plain data frame's table, a styled one takes its texts as HTML.
        styled = styled.format(escape="html", subset=["caption"])
        styled = styled.set_properties(subset=["caption"], **{"text-align": "left"})
    return styled
