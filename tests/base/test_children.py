"""Processes end with what started them."""

import os
import sys
import threading
import time

import pytest

from hf_integration.base.children import Children

SLEEPING = [sys.executable, "-c", "import time; time.sleep(600)"]


def test_a_process_runs_to_its_end_and_says_what_went_wrong() -> None:
    with Children() as children:
        code = "import sys; print('out'); print('bad', file=sys.stderr); sys.exit(7)"
        assert children.run([sys.executable, "-c", code], env=os.environ) == (7, b"out\n", "bad\n")


def test_an_interruption_ends_what_runs_and_lets_nothing_start() -> None:
    children, ended = Children(), []
    thread = threading.Thread(target=lambda: ended.append(children.run(SLEEPING, env=os.environ)[0]))

    def interrupted() -> None:
        with children:
            thread.start()
            while not children._running:
                time.sleep(0.01)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    thread.join(60)
    assert not thread.is_alive()
    assert ended
    assert ended[0] != 0
    assert children.run(SLEEPING, env=os.environ) == (-1, b"", "interrupted")
