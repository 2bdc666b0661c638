"""What `events.ipynb` shows of its work and of what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from kairos_lib import formats
from kairos_lib.events.records import SpottedEvent
from kairos_lib.parameters.model import Model
from kairos_lib.parameters.spotting import Spotting
from kairos_lib.parameters.video import Video
from kairos_lib.vlm.run import device_of

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler


def overview_table(
    model: Model, spotting: Spotting, video: Video, duration_s: float, windows: str, folder: str
) -> pd.DataFrame:
    """What is about to be worked on."""
    import pandas as pd

    grid, sampling = spotting.windows, spotting.sampling
    drawn = f"temperature {sampling.temperature:g}, top-p {sampling.top_p:g}, seed {sampling.seed}"
    rows = {
        "model": model.title,
        "device": device_of(model),
        "task": spotting.title,
        "labels": ", ".join(spotting.labels),
        "video": f"{video.title}, {duration_s:.1f} s",
        "windows": windows,
        "a window": f"{grid.frames} frames in {grid.length_s:g} s, every {grid.step_s:g} s, "
        f"{grid.longest_px} px",
        "answers": drawn if sampling.temperature else "always the likeliest token",
        "run folder": folder,
    }
    return pd.DataFrame({"": rows})


def outcomes_table(outcomes: Mapping[str, int]) -> pd.DataFrame:
    """How many windows came to what."""
    import pandas as pd

    rows = sorted(outcomes.items(), key=lambda one: -one[1])
    return pd.DataFrame(rows, columns=["outcome", "windows"]).set_index("outcome")


def events_table(events: Sequence[SpottedEvent]) -> Styler:
    """Each event; words of a model are escaped."""
    import pandas as pd

    columns = ["time", "event", "confidence", "windows", "team", "details"]
    table = pd.DataFrame(
        [
            (
                formats.time_code(event.time_s),
                event.label,
                f"{event.confidence:.2f}",
                f"{event.votes} of {event.windows}",
                event.team,
                event.details,
            )
            for event in events
        ],
        columns=columns,
    )
    styled = table.style.hide(axis="index")
    if len(table):
        styled = styled.format(escape="html", subset=["event", "team", "details"])
        styled = styled.set_properties(subset=["event", "details"], **{"text-align": "left"})
    return styled
