"""Makes the whole nano set anew: `python -m workshop.nano.make`.

The demo clips first, then every training script there is, one after the other. Each training can
be killed and goes on from its last checkpoint when this is run again.
"""

from __future__ import annotations

import logging
import pkgutil
import subprocess
import sys
import time
from pathlib import Path

import click

from kairos_lib.measure import threads

log = logging.getLogger("kairos.nano")

CLIPS = "make_clips"
TRAINING = "train_"
LAST = "train_events"
"""Starts from the weights of another."""


@click.command()
@click.argument("names", nargs=-1, envvar="KAIROS_NAMES")
def main(names: tuple[str, ...]) -> None:
    """Run the scripts NAMES, or all of them; a model's name stands for its training."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    threads.settle()
    known = scripts()
    wanted = [f"{TRAINING}{name}" if f"{TRAINING}{name}" in known else name for name in names]
    for name in wanted:
        if name not in known:
            raise click.ClickException(f"no script {name!r}; there are {', '.join(known)}")
    for name in wanted or known:
        log.info("%s ...", name)
        began_s = time.perf_counter()
        # A process of its own: each leaves its memory and its libraries' settings behind.
        done = subprocess.run([sys.executable, "-m", f"workshop.nano.{name}"], check=False)
        if done.returncode:
            raise click.ClickException(f"{name} failed; what is done so far is kept")
        log.info("%s took %.1f minutes", name, (time.perf_counter() - began_s) / 60)


def scripts() -> list[str]:
    """The script that makes the clips and all that train a model, in the order they are run."""
    modules = (module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    trainings = {name for name in modules if name.startswith(TRAINING)}
    return [CLIPS, *sorted(trainings - {LAST}), LAST]


if __name__ == "__main__":
    main()
