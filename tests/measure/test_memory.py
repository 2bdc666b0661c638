import subprocess
import sys

import pytest

COUNT = """
import ctypes, threading
from kairos_lib.measure.memory import share_arenas
if {share}:
    share_arenas()
started = threading.Barrier(12)
def work():
    held = [bytes(50_000) for _ in range(50)]
    started.wait()
threads = [threading.Thread(target=work) for _ in range(12)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, file)
libc.fflush(file)
"""


def arenas(share: bool) -> int:
    done = subprocess.run(
        [sys.executable, "-c", COUNT.format(share=share)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.count("<heap nr=")


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone has arenas")
def test_threads_share_the_arenas_they_allocate_from() -> None:
    assert arenas(share=False) > 2
    assert arenas(share=True) <= 2
