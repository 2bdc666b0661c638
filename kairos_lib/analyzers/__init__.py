"""What can be found out about a video before any model describes it: an analyzer each.

An analyzer is a module or a package here, or in a folder that the environment names.
"""

import os

FOLDERS = "KAIROS_ANALYZERS"
"""Environment variable: folders with analyzers of one's own, divided as in `PATH`."""

__path__ += [folder for folder in os.environ.get(FOLDERS, "").split(os.pathsep) if folder]
