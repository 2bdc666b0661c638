"""Analyzers: what can be found out about a video before any model describes it.

An analyzer is a module or a package here, or in a folder that the environment names.
"""

import os

from kairos_lib.project import ANALYZERS

OWN_FOLDERS = [folder for folder in os.environ.get(ANALYZERS, "").split(os.pathsep) if folder]
__path__ += OWN_FOLDERS
