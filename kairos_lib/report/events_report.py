"""The analysis of a suite that spots events: what `events-analysis.ipynb` calls."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from kairos_lib.report.page.html import Html, joined, render, style
from kairos_lib.report.report_session import SuiteReport, section

if TYPE_CHECKING:
    import pandas as pd

    from kairos_lib.results.spotted import Spotted


class EventsReport(SuiteReport):
    """The report of a suite that spots events; each section is a method."""

    @cached_property
    def _spotted(self) -> list[Spotted]:
        from kairos_lib.results.spotted import spotted

        return spotted(self._data)

    @cached_property
    def _trials(self) -> list[Spotted]:
        from kairos_lib.results.spotted import trials

        return trials(self._data)

    def overview(self) -> Html:
        """Title, and what was found in a sentence for each model and video."""
        from kairos_lib.report.sections import overview, spotting

        return joined(
            style(),
            overview.events_masthead(self._data, self._spotted),
            overview.left_out(self._data),
            render("findings", lines=[spotting.sentence(one) for one in self._spotted]),
        )

    def found(self) -> Html:
        """How much each model found, how right that is, what failed, and what the labels mean."""
        from kairos_lib.report.sections import spotting, tables
        from kairos_lib.report.sections.badges import legend

        everything = [
            badge for one in self._spotted for badge in spotting.badges_of(one, self._data)
        ]
        return section(
            spotting.found(self._data, self._spotted),
            spotting.outcomes(self._spotted),
            spotting.left_out(self._spotted),
            tables.failures(self._data),
            legend(everything),
        )

    def timelines(self) -> Html:
        """When what happened, and what it looked like."""
        from kairos_lib.report.sections import filmstrip, spotting_charts

        return section(
            spotting_charts.timelines(self._spotted),
            filmstrip.confident(self._spotted, self._notebook_folder),
        )

    def scores(self) -> Html:
        """How right it is, label by label; threshold, merge radius and temperature."""
        from kairos_lib.report.sections import spotting, spotting_charts

        return section(
            spotting.by_label(self._spotted),
            spotting_charts.curves(self._spotted),
            spotting.confusion(self._spotted),
            spotting.radii(self._spotted),
            spotting.temperatures(self._spotted, self._trials),
        )

    def ensemble(self) -> Html:
        """What several models agree on, and what they do not."""
        from kairos_lib.report.sections import filmstrip, spotting

        disputed = [
            filmstrip.disputed(runs, self._notebook_folder)
            for runs in spotting.together(self._spotted).values()
        ]
        return section(spotting.ensembles(self._spotted), *disputed)

    def provenance(self) -> Html:
        """Machines and versions, and the notebooks as they were run."""
        from kairos_lib.report import executed
        from kairos_lib.report.sections import provenance

        return section(provenance.provenance(self._data), executed.notebooks_list(self._data))

    def events(self) -> pd.DataFrame:
        """Every event that a model found: one row each."""
        import pandas as pd

        rows = [
            {
                "model": one.planned.model,
                "video": one.planned.video,
                "task": one.task.name,
                **event.model_dump(exclude={"visibility", "thumbnail"}),
            }
            for one in self._spotted
            for event in one.events
        ]
        columns = ["model", "video", "task", "label", "time_s", "end_s", "confidence", "team",
                   "details", "votes", "windows", "said_confidence"]  # fmt: skip
        return pd.DataFrame(rows, columns=columns)

    def finish(self) -> Html:
        """Write the events beside the report, and the result."""
        return self._finish(
            {"events": self.events()}, [one.result for one in [*self._spotted, *self._trials]]
        )
