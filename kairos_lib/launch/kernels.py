"""Jupyter kernelspecs: which interpreter a model's notebook runs in."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kairos_lib.errors import KairosError, closest

if TYPE_CHECKING:
    from jupyter_client.kernelspec import KernelSpec

OWN = "python3"
"""The environment that Kairos itself is installed in, whatever else has that name."""
OWN_PYTHON = "KAIROS_PYTHON"
"""Environment variable that points kernels of other environments to that one."""


def own_python() -> str:
    """The interpreter of Kairos's own environment, from within any kernel."""
    return os.environ.get(OWN_PYTHON) or sys.executable


def python_of(kernel: str) -> str:
    """The interpreter of a kernelspec.

    Raises:
        KairosError: No such kernelspec is installed, or the interpreter that it starts is missing.
    """
    if kernel == OWN:
        return own_python()
    command = str(_spec(kernel).argv[0])
    found = shutil.which(command)
    if found is None:
        raise KairosError(f"the Jupyter kernel '{kernel}' starts {command}, which does not exist")
    return found


def variables_of(kernel: str) -> Mapping[str, str]:
    """The environment of a kernel that this process starts, or in which it runs.

    Raises:
        KairosError: No such kernelspec is installed.
    """
    # A kernelspec's own variables take precedence over inherited ones.
    return os.environ if kernel == OWN else {**os.environ, **_spec(kernel).env}


def _spec(kernel: str) -> KernelSpec:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    manager = KernelSpecManager()
    try:
        return manager.get_kernel_spec(kernel)
    except NoSuchKernel:
        known = sorted(manager.find_kernel_specs())
        raise KairosError(
            f"there is no Jupyter kernel '{kernel}': {closest(kernel, known)} "
            "(CONTRIBUTING.md says how to install one)"
        ) from None
