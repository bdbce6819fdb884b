"""What the comparisons share: libraries in processes of their own, which take turns at the same work on the same processors.

A process prints "ready:" and the names of its works once it is warm, then runs the work that each line of its standard input
names and prints the seconds. `serve` does so here, `measure::serve` in the benches.
"""
import json, os, statistics, subprocess, sys, tempfile, time
from pathlib import Path

TURNS = 5
# A turn repeats short work for so long, in seconds, because it begins with cold caches.
TURN = 0.3
# Before a turn, so that threads of the library before no longer poll for work.
PAUSE = 0.3


def bench(name):
    """The command of a bench. The feature is the same for all, so that the library is compiled once."""
    return ["cargo", "bench", "--quiet", "--features", "onnx", "--bench", name, "--"]


def environment(threads):
    limits = ["COMPARE_THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"]
    values = dict(os.environ, JAX_PLATFORMS="cpu", TF_CPP_MIN_LOG_LEVEL="3", **dict.fromkeys(limits, str(threads)))
    if threads == 1:
        values["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    return values


def pinned(command, threads):
    """The command on the first processors, where the system can bind it to them."""
    return ["taskset", "-c", ",".join(map(str, range(threads))), *command] if sys.platform == "linux" else command


def run(command, threads):
    return subprocess.run(pinned(command, threads), env=environment(threads), capture_output=True, text=True)


def serve(works):
    for work in works.values():
        work()
    print("ready:", *works, flush=True)
    for line in sys.stdin:
        begun = time.perf_counter()
        works[line.strip()]()
        print(time.perf_counter() - begun, flush=True)


class Library:
    """A process that serves, and the seconds of its turns by work; no works if it does not start."""

    def __init__(self, command, threads):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(pinned(command, threads), env=environment(threads), text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        # Libraries print lines of their own.
        ready = next((line for line in self.process.stdout if line.startswith("ready:")), "")
        self.seconds = {work: [] for work in ready.split()[1:]}

    def take_turn(self):
        for work, seconds in self.seconds.items():
            repeats = []
            while sum(repeats) < TURN:
                self.process.stdin.write(f"{work}\n")
                self.process.stdin.flush()
                repeats.append(float(self.process.stdout.readline()))
            seconds.append(statistics.median(repeats))

    def end(self):
        """Ends the process. Returns the last line that it printed as an error."""
        self.process.stdin.close()
        self.process.wait()
        self.errors.seek(0)
        return (self.errors.read().strip().splitlines() or ["no reason given"])[-1]


def seconds_in_turns(commands, threads):
    """The median seconds of each work of each library, {library: {work: seconds}}, of those that start."""
    libraries = {}
    for name, command in commands.items():
        library = Library(command, threads)
        if library.seconds:
            libraries[name] = library
        else:
            print(f"  {name}: skipped ({library.end()})", file=sys.stderr)
    for _ in range(TURNS):
        for library in libraries.values():
            time.sleep(PAUSE)
            library.take_turn()
    for library in libraries.values():
        library.end()
    return {name: {work: statistics.median(seconds) for work, seconds in library.seconds.items()}
            for name, library in libraries.items()}


def report(work, threads, rates):
    """Prints the rates of axonal and its peers at a work, {library: rate}, and returns them as a row."""
    if "axonal" not in rates:
        sys.exit("the bench of axonal does not run")
    own, peers = rates["axonal"], {name: rate for name, rate in rates.items() if name != "axonal"}
    line = "".join(f"   {peer}: {rate:,.0f} ({own / rate:.2f}x)" for peer, rate in peers.items())
    print(f"{work:<32} {threads} thread(s) {own:>12,.0f}{line}", flush=True)
    return {"work": work, "threads": threads, "axonal": own, "peers": peers}


def write(path, name, works, measured, key="work"):
    """Writes the rows in the order of `works`, their values at `key`. Rows in the file that have not been measured now stay."""
    kept = json.loads(Path(path).read_text())["rows"] if Path(path).exists() else []
    rows = {(works.index(row[key]), row["threads"]): row for row in kept + measured}
    Path(path).write_text(json.dumps({"bench": name, "rows": [rows[place] for place in sorted(rows)]}, indent=2) + "\n")


def torch_epoch(model, rule, loss, x, y, batch):
    """A function that trains a PyTorch model for an epoch of shuffled batches."""
    import torch

    def epoch():
        model.train()
        order = torch.randperm(len(x))
        for start in range(0, len(x), batch):
            picked = order[start:start + batch]
            rule.zero_grad()
            loss(model(x[picked]), y[picked]).backward()
            rule.step()

    return epoch


def torch_predict(model, x, batch):
    """A function that predicts with a PyTorch model in batches."""
    import torch

    def predict():
        model.eval()
        with torch.inference_mode():
            return [model(x[start:start + batch]) for start in range(0, len(x), batch)]

    return predict
