"""What `vlm.ipynb` shows of its captions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kairos_lib.records import Caption, VlmResult
from kairos_lib.runs import Journal

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler


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
                "scene": caption.scene,
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
        # Unlike a frame's own table, a styled one takes its texts for HTML.
        styled = styled.format(escape="html", subset=["caption"])
        styled = styled.set_properties(subset=["caption"], **{"text-align": "left"})
    return styled
