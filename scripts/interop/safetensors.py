#!/usr/bin/env python3
"""Checks safetensors files in both directions.

    scripts/interop/safetensors.py [--venv FOLDER]

Installs safetensors and numpy into a virtual environment (in target/ by default). Python reads a file that the crate has
written, and writes tests/persistence/interop/python.safetensors, which the tests read, with the types F16, F32, BF16 and F64.
"""
import argparse
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE = ROOT / "tests/persistence/interop/python.safetensors"


def reexecute_in(folder):
    python = folder / "bin/python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "safetensors", "numpy"], check=True)
    environment = dict(os.environ, AXONAL_INTEROP="1")
    sys.exit(subprocess.run([python, "-I", __file__, *sys.argv[1:]], env=environment).returncode)


def write_file():
    import ctypes

    import numpy
    from safetensors import TensorSpec, serialize_file

    half = numpy.array([1.0, -2.5, 65504.0, 6.0975552e-05], dtype=numpy.float16)
    upper = [struct.unpack("<I", struct.pack("<f", value))[0] >> 16 for value in [1.0, -2.5, 3.389531389251535e38, 0.1000976562]]
    arrays = {
        "0.dense/kernel": ("float16", [2, 2], half.tobytes()),
        "0.dense/bias": ("float32", [2], numpy.array([0.1, -3.5], dtype=numpy.float32).tobytes()),
        "1.dense/kernel": ("bfloat16", [2, 2], struct.pack("<4H", *upper)),
        "1.dense/bias": ("float64", [2], numpy.array([0.1, 1e-30]).tobytes()),
    }
    # NumPy has no bfloat16, so the tensors are described by their bytes.
    buffers = {name: ctypes.create_string_buffer(data, len(data)) for name, (_, _, data) in arrays.items()}
    tensors = {
        name: TensorSpec(dtype=dtype, shape=shape, data_ptr=ctypes.addressof(buffers[name]), data_len=len(data))
        for name, (dtype, shape, data) in arrays.items()
    }
    serialize_file(tensors, FILE, {"format": "np"})


def read_file():
    """A file of the crate: values, shapes, and the architecture in the metadata."""
    import numpy
    from safetensors import safe_open

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.safetensors"
        command = ["cargo", "test", "--features", "full", "--test", "persistence", "interop::safetensors::write_file"]
        subprocess.run(
            [*command, "--", "--ignored", "--exact"],
            cwd=ROOT, check=True, env=dict(os.environ, AXONAL_SAFETENSORS=str(path)),
        )
        expected = json.loads(path.with_suffix(".json").read_text())
        with safe_open(path, framework="np") as file:
            assert set(file.keys()) == set(expected)
            for name, values in expected.items():
                got = file.get_tensor(name)
                assert list(got.shape) == values["shape"], name
                assert numpy.array_equal(got.flatten(), numpy.array(values["values"], dtype=got.dtype)), name
            architecture = json.loads(file.metadata()["architecture"])
    print(f"read {len(expected)} tensors of", [layer["name"] for layer in architecture["layers"]])


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--venv", type=pathlib.Path, default=ROOT / "target/interop-venv")
    arguments = arguments.parse_args()
    if "AXONAL_INTEROP" not in os.environ:
        reexecute_in(arguments.venv)
    write_file()
    read_file()
    print(f"wrote {FILE.relative_to(ROOT)}")


main()
