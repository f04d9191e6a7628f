"""What the tracing command counts as a step of a walk."""

import threading

from pytest_sslauth.marker import marker_line
from tests.tracing import Walk, is_function, main


def codes(source: str) -> dict[str, bool]:
    """Name -> whether it counts, of all code objects directly in a module."""
    module = compile(source, "module", "exec")
    inner = [constant for constant in module.co_consts if hasattr(constant, "co_name")]
    return {code.co_name: is_function(code) for code in (module, *inner)}


def test_functions_and_lambdas_count_and_what_runs_at_import_does_not() -> None:
    source = "class Body:\n    pass\ndef function():\n    pass\nlate = lambda: 1\nall = (x for x in ())"
    assert codes(source) == {
        "<module>": False,
        "Body": False,
        "function": True,
        "<lambda>": True,
        "<genexpr>": False,
    }


def test_a_walk_holds_files_of_ours_that_run_in_any_thread() -> None:
    with Walk() as walk:
        thread = threading.Thread(target=marker_line)
        thread.start()
        thread.join()
    assert walk.files == ("pytest_sslauth/marker.py",)


def test_without_a_program_it_says_how_it_is_called() -> None:
    assert main([]) == 2
