"""What the plugin costs a run of pytest that does not use it, in processor time.

Three environments run one empty test, in an order that is drawn for each round: with the plugin, with
``-p no:sslauth``, and without the plugin. The last two differ, as pytest reads the plugin's entry point
wherever it is installed. Each environment is a folder of links to what is installed here.
"""

import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path

ROUNDS = 100

GOAL = 0.005
"""Seconds."""

RESAMPLES = 2_000
"""Of the bootstrap that the interval is from (Efron and Tibshirani, 1993)."""

PYTEST = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")
"""What pytest alone needs."""

OURS = ("pytest_sslauth", "hf_integration")

ENVIRONMENTS = {"with the plugin": (), "-p no:sslauth": ("-p", "no:sslauth"), "without the plugin": ()}


def run() -> list[str]:
    """Print both differences, with an interval."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain, ours = folder / "without", folder / "with"
        for place in (plain, ours):
            place.mkdir()
            for package in PYTEST:
                _link(package, place)
        _link_ours(ours)
        (tests := folder / "tests").mkdir()
        (tests / "test_nothing.py").write_text("def test_nothing(): pass\n")
        places = {"with the plugin": ours, "-p no:sslauth": ours, "without the plugin": plain}
        times: dict[str, list[float]] = {environment: [] for environment in ENVIRONMENTS}
        order = random.Random(0)  # noqa: S311  # not a secret
        for round_ in range(ROUNDS + 1):
            for environment in order.sample(list(ENVIRONMENTS), len(ENVIRONMENTS)):
                seconds = _seconds(places[environment], ENVIRONMENTS[environment], tests)
                if round_:  # the first fills caches
                    times[environment].append(seconds)
    for environment, found in times.items():
        print(f"{environment}: {statistics.median(found) * 1e3:.1f} ms of processor time, {ROUNDS} runs")
    short = []
    for other in ("-p no:sslauth", "without the plugin"):
        pairs = [a - b for a, b in zip(times["with the plugin"], times[other], strict=True)]
        low, middle, high = _interval(pairs)
        said = f"{middle * 1e3:+.1f} ms, 95 % interval {low * 1e3:+.1f} to {high * 1e3:+.1f} ms"
        print(f"with the plugin, against {other}: {said}", flush=True)
        if middle > GOAL:
            short.append(f"against {other}: {said}, goal {GOAL * 1e3:.0f} ms")
    return short


def _link(name: str, place: Path) -> None:
    """Link a distribution's files and its metadata."""
    tops = {Path(str(file)).parts[0] for file in distribution(name).files or ()}
    for top in tops - {"..", "__pycache__"}:
        source = Path(str(distribution(name).locate_file(top)))
        if source.exists():
            (place / top).symlink_to(source)


def _link_ours(place: Path) -> None:
    """Link this project as it is here, with an entry point as an installation writes it."""
    for package in OURS:
        (place / package).symlink_to(Path(__file__).parents[2] / package)
    metadata = place / "pytest_sslauth-0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: pytest-sslauth\nVersion: 0\n")
    (metadata / "entry_points.txt").write_text("[pytest11]\nsslauth = pytest_sslauth.plugin\n")


def _seconds(place: Path, options: Sequence[str], folder: Path) -> float:
    """Processor time of one run of pytest, in seconds."""
    command = [sys.executable, "-S", "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(place)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*command, str(folder)], cwd=folder, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def _interval(pairs: Sequence[float]) -> tuple[float, float, float]:
    """Median of the differences, between the bounds of its bootstrap interval."""
    order = random.Random(0)  # noqa: S311  # not a secret
    medians = sorted(statistics.median(order.choices(pairs, k=len(pairs))) for _ in range(RESAMPLES))
    return medians[int(0.025 * RESAMPLES)], statistics.median(pairs), medians[int(0.975 * RESAMPLES)]
