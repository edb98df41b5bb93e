"""What the scripts of benches have in common: where things are built and kept, and the inputs of the workloads."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
DATA = Path(os.environ.get("DATA", TARGET / "workloads")).resolve()

# Workload: its input, the type of its events, how far they may be out of order.
INPUTS = {
    "W1": ("cards", "Txn", "2s"),
    "W2": ("cards", "Txn", "2s"),
    "W3": ("sensors", "Reading", "2s"),
    "W4": ("sensors", "Reading", "2s"),
    "W5": ("stock", "Trade", "0s"),
    "W6": ("sensors", "Reading", "2s"),
    "W7": ("cards", "Txn", "2s"),
}


def build(*options):
    """The folder of what cargo builds for release with these options."""
    script = 'scripts/setup && . scripts/compilers && PATH="$PATH:$HOME/.cargo/bin" exec cargo build --release --quiet "$@"'
    subprocess.run(["sh", "-c", script, "sh", *options], cwd=ROOT, check=True)
    return TARGET / "release"


def make_input(kind):
    """The file of an input, which is made if it is not there."""
    file = DATA / f"{kind}.ndjson"
    if file.exists() and file.stat().st_size > 0:
        return file
    generator = TARGET / "release/examples/workloads"
    if not generator.exists():
        build("--example", "workloads")
    DATA.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    with open(part, "wb") as out:
        subprocess.run([generator, kind], stdout=out, check=True)
    part.rename(file)
    return file


def command(leitmotif, workload, events, rows):
    """Runs a workload over a file of events with one shard."""
    _, event, delay = INPUTS[workload]
    pattern = ROOT / f"benches/workloads/{workload.lower()}.motif"
    return [leitmotif, "run", pattern, "--source", f"{event}={events}", "--delay", delay, "--shards", "1", "--output", rows, "--summary", "json"]


def hold_to_cores(count):
    """Lets this process, and those that it starts, have no more than so many cores; how many they have. Linux only."""
    cores = sorted(os.sched_getaffinity(0))[:count]
    os.sched_setaffinity(0, cores)
    return len(cores)
