"""Which group does which part of a job, and in which order. Knows nothing of queues and videos.

A part can begin when what its analyzers need is there: parts come in waves. All analyzers but the
scenes' own need the scenes in the end, so groups without them come after the group with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kairos_lib.analyzers.analyzer import Stage, order
from kairos_lib.analyzers.profile import Base
from kairos_lib.errors import KairosError, closest
from kairos_lib.parameters.service import Service

SCENES = "scenes"


@dataclass(frozen=True)
class Part:
    """The analyzers of a job that one group runs at once."""

    group: str
    wave: int
    """From 0; a part begins when those before it that it builds on are done."""
    analyzers: tuple[str, ...]
    needs: frozenset[str]
    """Analyzers of other parts that must be done before."""


def profile_of(service: Service, base: Base, analyzers: tuple[str, ...] | None) -> Base:
    """The profile of a job: the service's own, with its batch sizes, cut to some analyzers.

    Raises:
        KairosError: There is no such analyzer.
    """
    changes: dict[str, object] = {
        name: getattr(base, name).model_copy(update={"batch_size": size})
        for name, size in service.batch_sizes.items()
    }
    if analyzers is not None:
        # The same ones are the same run, in whichever order they were named.
        own = [name for name in base.stages if name in analyzers]
        more = sorted(set(analyzers) - set(own))
        changes["stages"] = (*own, *more)
    profile = base.model_copy(update=changes)
    # All of the base profile's under other names, such as what they need, are its own run.
    return part_of(profile.model_copy(update={"stages": base.stages}), profile.stages)


def part_of(profile: Base, analyzers: tuple[str, ...]) -> Base:
    """The profile of a part: a base run of its own, unless it is the whole."""
    whole, own = ({stage.name for stage in order(stages)} for stages in (profile.stages, analyzers))
    return profile if whole == own else profile.model_copy(update={"stages": analyzers})


def parts(service: Service, profile: Base) -> list[Part]:
    """The parts of a job, in the order of their waves.

    Raises:
        KairosError: An analyzer of the profile is in no group.
    """
    stages = order(profile.stages)
    groups = {stage.name: service.group_of(stage.name) for stage in stages}
    # What no group names runs with what needs it, such as the audio with the speech.
    for stage in reversed(stages):
        for need in stage.needs:
            groups[need] = groups[need] or groups[stage.name]
    if homeless := [name for name, group in groups.items() if not group]:
        known = [name for one in service.groups.values() for name in one.analyzers]
        raise KairosError(
            f"no group of this service runs {homeless[0]}: {closest(homeless[0], known)}; add it "
            f"to a group of parameters/service/{service.name}.yaml"
        )
    waves = _waves(stages, groups)
    found = []
    for wave, group in sorted({(waves[name], group) for name, group in groups.items()}):
        own = tuple(n for n, g in groups.items() if g == group and waves[n] == wave)
        needs = {need for stage in stages if stage.name in own for need in _needs(stage)}
        found.append(Part(group, wave, own, frozenset(needs - set(own))))
    return found


def _needs(stage: type[Stage]) -> set[str]:
    """What a base run with an analyzer builds on: every one has the scenes."""
    return {*stage.needs, *(() if stage.name == SCENES else (SCENES,))}


def _waves(stages: list[type[Stage]], groups: Mapping[str, str]) -> dict[str, int]:
    """The wave of each analyzer: one more than what it needs of other groups."""
    by_name = {stage.name: stage for stage in stages}
    waves: dict[str, int] = {}

    def wave(name: str) -> int:
        if name not in waves:
            waves[name] = max(
                (wave(need) + (groups[need] != groups[name]) for need in _needs(by_name[name])),
                default=0,
            )
        return waves[name]

    for name in by_name:
        wave(name)
    return waves
