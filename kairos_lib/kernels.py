"""Jupyter kernelspecs: which interpreter a model's notebook runs in."""

from __future__ import annotations

import os
import shutil
import sys

from kairos_lib.errors import KairosError, closest

OWN = "python3"
"""The environment that Kairos itself is installed in, whatever else carries that name."""
OWN_PYTHON = "KAIROS_PYTHON"
"""Environment variable that tells a kernel of another environment which that is."""


def own_python() -> str:
    """The interpreter of Kairos's own environment, asked in whichever kernel."""
    return os.environ.get(OWN_PYTHON) or sys.executable


def python_of(kernel: str) -> str:
    """The interpreter of a kernelspec.

    Raises:
        KairosError: No such kernelspec is installed, or it does not start an interpreter that is
            there.
    """
    if kernel == OWN:
        return own_python()
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    manager = KernelSpecManager()
    try:
        command = str(manager.get_kernel_spec(kernel).argv[0])
    except NoSuchKernel:
        known = sorted(manager.find_kernel_specs())
        raise KairosError(
            f"there is no Jupyter kernel '{kernel}': {closest(kernel, known)} "
            "(CONTRIBUTING.md says how to install one)"
        ) from None
    found = shutil.which(command)
    if found is None:
        raise KairosError(f"the Jupyter kernel '{kernel}' starts {command}, which is not there")
    return found
