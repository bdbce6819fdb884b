#!/usr/bin/env python3
"""Compares exported ONNX files with what the crate predicts.

    scripts/interop/onnx.py [--golden] [--docs] [--venv FOLDER]

Installs onnx and onnxruntime into a virtual environment (in target/ by default), writes the cases of
tests/persistence/interop, checks each file by onnx.checker (full check), runs it in onnxruntime, and prints a table. Exits 1
if an answer differs by more than 1e-5, relative to 1 or to the value. `--golden` records onnxruntime's answers for the
tests; `--docs` puts the table into docs/interop.md.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/persistence/interop/onnx_golden.json"
DOCS = ROOT / "docs/interop.md"
PACKAGES = ["onnx>=1.19", "onnxruntime>=1.22", "numpy"]
TOLERANCE = 1e-5

# Number of values that are recorded of each output.
RECORDED = 48


def reexecute_in(folder):
    """Runs this program again with the interpreter of a virtual environment that has the packages.

    -I keeps the folder of this program, with its name, from hiding the package.
    """
    python = folder / "bin/python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    environment = dict(os.environ, AXONAL_INTEROP="1")
    sys.exit(subprocess.run([python, "-I", __file__, *sys.argv[1:]], env=environment).returncode)


def write_cases(folder):
    command = ["cargo", "test", "--features", "full", "--test", "persistence", "interop::onnx::write_cases"]
    subprocess.run(
        [*command, "--", "--ignored", "--exact"], cwd=ROOT, check=True, env=dict(os.environ, AXONAL_ONNX_CASES=str(folder))
    )


def array(tensor):
    import numpy

    values = tensor["values"]
    if values and isinstance(values[0], str):
        return numpy.array(values, dtype=object).reshape(tensor["shape"])
    values = [float("nan") if value is None else value for value in values]
    return numpy.array(values, dtype=numpy.float32).reshape(tensor["shape"])


def family(name):
    """The row of the table: the kind of the layer or estimator."""
    name = re.sub(r" \[.*", "", name)
    if name.startswith("graph: "):
        return "attention" if re.search("attention|transformer", name) else "graphs"
    for prefix in ["embedding mask", "masking,", "words of sentences"]:
        if name.startswith(prefix):
            return "padding masks"
    for prefix in ["random", "network", "activation", "pipeline", "bidirectional", "residual", "time_distributed"]:
        if name.startswith(prefix):
            return {"random": "random networks", "network": "networks of f64", "activation": "activations"}.get(prefix, prefix)
    return name.split(" ")[0]


def check(folder, number, case):
    """The largest difference of a case, and onnxruntime's answers for its first batch."""
    import numpy
    import onnx
    import onnxruntime

    path = folder / f"{number}.onnx"
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    worst, answers = 0.0, {}
    for index, run in enumerate(case["runs"]):
        names = [output.name for output in session.get_outputs()]
        results = dict(zip(names, session.run(names, {name: array(tensor) for name, tensor in run["inputs"].items()})))
        for name, tensor in run["outputs"].items():
            expected, got = array(tensor).astype(numpy.float64), results[name]
            assert list(got.shape) == tensor["shape"], f"{name}: shape {got.shape}, expected {tensor['shape']}"
            difference = numpy.abs(got.astype(numpy.float64) - expected) / numpy.maximum(1.0, numpy.abs(expected))
            worst = max(worst, float(numpy.max(difference, initial=0.0)))
            assert not numpy.isnan(difference).any(), f"{name}: NaN"
            if index == 0:
                answers[name] = [float(f"{value:.7g}") for value in got.flatten().tolist()[:RECORDED]]
    return worst, answers


def table(rows, versions):
    lines = [f"{versions}; {sum(len(all) for all in rows.values())} files, batches of 3, 1 and 8.", ""]
    lines += ["| layer or estimator | files | largest difference |", "|---|---|---|"]
    lines += [f"| {name} | {len(all)} | {max(all):.1e} |" for name, all in rows.items()]
    return "\n".join(lines)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--golden", action="store_true")
    arguments.add_argument("--docs", action="store_true")
    arguments.add_argument("--venv", type=pathlib.Path, default=ROOT / "target/interop-venv")
    arguments = arguments.parse_args()
    if "AXONAL_INTEROP" not in os.environ:
        reexecute_in(arguments.venv)
    import onnx
    import onnxruntime

    rows, golden, failed = {}, {}, []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write_cases(folder)
        for number, entry in enumerate(json.loads((folder / "cases.json").read_text())):
            case = entry["case"]
            try:
                worst, answers = check(folder, number, case)
            except Exception as problem:  # Each case is reported, whatever its problem.
                failed.append(f"{case['name']}: {str(problem)[:300]}")
                continue
            if worst > TOLERANCE:
                failed.append(f"{case['name']}: difference {worst:.2e}")
            rows.setdefault(family(case["name"]), []).append(worst)
            if entry["digest"] is not None:
                golden[case["name"]] = {"digest": entry["digest"], "outputs": answers}
    text = table(rows, f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}")
    print(text, *failed, sep="\n")
    if failed:
        sys.exit(1)
    if arguments.golden:
        entries = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in golden.items()]
        GOLDEN.write_text("{\n" + ",\n".join(entries) + "\n}\n")
    if arguments.docs:
        begin, end = "<!-- onnx table -->\n", "<!-- end of onnx table -->"
        before, rest = DOCS.read_text().split(begin)
        DOCS.write_text(before + begin + text + "\n" + end + rest.split(end)[1])


main()
