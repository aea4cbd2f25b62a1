"""What a test starts can be interrupted, also where the tests themselves run in the background of a shell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.waits

ROOT = Path(__file__).resolve().parent.parent


def test_a_child_takes_sigint() -> None:
    code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "True\n"


@pytest.mark.parametrize("words", [(), ("-n", "1")], ids=["one process", "xdist"])
def test_a_child_takes_sigint_where_the_tests_ignore_it(words: tuple[str, ...]) -> None:
    test = f"{Path(__file__).relative_to(ROOT)}::{test_a_child_takes_sigint.__name__}"
    background = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh"]
    done = subprocess.run(
        [*background, sys.executable, "-m", "pytest", "-q", *words, test],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
