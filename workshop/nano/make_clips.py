"""Makes the demo clips: `python -m workshop.nano.make_clips`.

All need espeak-ng, but for the long match, in which nobody speaks.
"""

from __future__ import annotations

import logging
from pathlib import Path

import click

from kairos_lib.nano.truth import CLIPS
from workshop.nano.clip import make_clip
from workshop.nano.demos import demo_names, demo_script
from workshop.nano.match_clip import DEMO, make_demo
from workshop.nano.voice import NoVoiceError

log = logging.getLogger("kairos.nano")


@click.command()
@click.argument("names", nargs=-1)
@click.option("--out", type=click.Path(path_type=Path), default=CLIPS, show_default=True)
def main(names: tuple[str, ...], out: Path) -> None:
    """Make the demo clips NAMES, or all of them."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    known = [*demo_names(), DEMO]
    for name in names or known:
        if name not in known:
            raise click.ClickException(f"no demo clip {name!r}; there are {', '.join(known)}")
        if name == DEMO:
            log.info("%s: %.0f KiB", name, make_demo(out).stat().st_size / 1024)
            continue
        try:
            truth = make_clip(demo_script(name), out)
        except NoVoiceError as error:
            raise click.ClickException(str(error)) from error
        size_kib = (out / f"{name}.mp4").stat().st_size / 1024
        log.info(
            "%s: %d scenes, %.1f s, %.0f KiB", name, len(truth.scenes), truth.duration_s, size_kib
        )


if __name__ == "__main__":
    main()
