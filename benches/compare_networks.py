#!/usr/bin/env python3
"""Compares small networks of every kind of layer with Keras, onnxruntime and OpenVINO, and prints the ratios.

    python benches/compare_networks.py [--threads N ...] [--quick] [--only NAME] [--json FILE]

The networks are those of `benches/networks.rs`. Keras runs with TensorFlow and with JAX (`jit_compile`), by `fit` and
`predict`; onnxruntime and OpenVINO predict with the ONNX files that the bench exports. What is not installed is skipped.
Every library runs in a separate process on the same processors (Linux: `taskset`), one after the other for each network.
The figure is the median of five epochs or predictions after one to warm up, in samples per second.
"""
import argparse, json, os, statistics, subprocess, sys, tempfile, time
from pathlib import Path

# The name of a network, its shape, its rows and its batch size; the same as in networks.rs.
CASES = {
    "lstm": ((50, 16), 2048, 32),
    "gru": ((50, 16), 2048, 32),
    "two_lstm": ((100, 32), 256, 64),
    "conv2d": ((28, 28, 1), 1024, 64),
    "conv2d_batch_norm": ((32, 32, 3), 512, 64),
    "causal_conv1d": ((200, 16), 2048, 32),
    "embedding": ((64,), 16384, 128),
    "masked_embedding": ((64,), 16384, 128),
    "mlp_batch_norm_dropout": ((64,), 16384, 128),
    "mlp_layer_norm": ((64,), 16384, 128),
    "depthwise": ((32, 32, 16), 512, 64),
    "separable": ((32, 32, 16), 512, 64),
    "attention": ((64, 64), 512, 32),
}


def layers_of(name, keras):
    l = keras.layers
    convolution_block = lambda filters: [l.Conv2D(filters, 3, padding="same"), l.BatchNormalization(),
                                         l.Activation("relu"), l.MaxPooling2D(2)]
    dense_block = lambda: [l.Dense(128), l.BatchNormalization(), l.Activation("relu"), l.Dropout(0.3)]
    causal = lambda: l.Conv1D(32, 3, padding="causal", activation="relu")
    return {
        "lstm": lambda: [l.LSTM(64)],
        "gru": lambda: [l.GRU(64)],
        "two_lstm": lambda: [l.LSTM(128, return_sequences=True), l.LSTM(128)],
        "conv2d": lambda: [l.Conv2D(32, 3, activation="relu"), l.MaxPooling2D(2), l.Conv2D(64, 3, activation="relu"),
                           l.MaxPooling2D(2), l.Flatten()],
        "conv2d_batch_norm": lambda: convolution_block(32) + convolution_block(64) + [l.Flatten()],
        "causal_conv1d": lambda: [causal(), causal(), l.GlobalAveragePooling1D()],
        "embedding": lambda: [l.Embedding(5000, 32), l.GlobalAveragePooling1D()],
        "masked_embedding": lambda: [l.Embedding(5000, 32, mask_zero=True), l.GlobalAveragePooling1D()],
        "mlp_batch_norm_dropout": lambda: dense_block() + dense_block(),
        "mlp_layer_norm": lambda: [l.Dense(128, activation="relu"), l.LayerNormalization(),
                                   l.Dense(128, activation="relu"), l.LayerNormalization()],
        "depthwise": lambda: [l.DepthwiseConv2D(3, padding="same", activation="relu"), l.Conv2D(32, 1, activation="relu"),
                              l.GlobalAveragePooling2D()],
        "separable": lambda: [l.SeparableConv2D(32, 3, activation="relu"), l.MaxPooling2D(2),
                              l.SeparableConv2D(64, 3, activation="relu"), l.GlobalAveragePooling2D()],
    }.get(name, lambda: None)()


def network(name, shape, keras):
    inputs = keras.Input(shape)
    if name == "attention":
        y = inputs + keras.layers.MultiHeadAttention(4, 16)(inputs, inputs)
        y = keras.layers.GlobalAveragePooling1D()(keras.layers.LayerNormalization()(y))
    else:
        y = inputs
        for layer in layers_of(name, keras):
            y = layer(y)
    return keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(y))


def data(name, shape, rows):
    import numpy as np
    random = np.random.default_rng(7)
    if "embedding" in name:
        return random.integers(0, 5000, (rows, *shape)).astype(np.int32), (np.arange(rows) % 10).astype(np.int32)
    return random.random((rows, *shape), dtype=np.float32), (np.arange(rows) % 10).astype(np.int32)


def rate(work, rows):
    work()
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return rows / statistics.median(seconds)


def keras_rates(name, rows, backend):
    os.environ["KERAS_BACKEND"] = backend
    threads = int(os.environ["COMPARE_THREADS"])
    if backend == "tensorflow":
        import tensorflow as tf
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    import keras
    shape, _, batch = CASES[name]
    x, y = data(name, shape, rows)
    model = network(name, shape, keras)
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile="auto" if backend == "tensorflow" else True)
    return {"train": rate(lambda: model.fit(x, y, batch_size=batch, verbose=0), rows),
            "predict": rate(lambda: model.predict(x, batch_size=256, verbose=0), rows)}


def in_batches(predict, x):
    return lambda: [predict(x[start:start + 256]) for start in range(0, len(x), 256)]


def onnx_inputs(name, rows):
    import numpy as np
    x, _ = data(name, CASES[name][0], rows)
    return x.astype(np.float32)


def onnxruntime_rates(name, rows, folder):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ["COMPARE_THREADS"])
    session = onnxruntime.InferenceSession(f"{folder}/{name}.onnx", options, providers=["CPUExecutionProvider"])
    key, x = session.get_inputs()[0], onnx_inputs(name, rows)
    x = x.astype("int64") if "int64" in key.type else x
    return {"predict": rate(in_batches(lambda x: session.run(None, {key.name: x}), x), rows)}


def openvino_rates(name, rows, folder):
    import openvino
    settings = {"INFERENCE_NUM_THREADS": int(os.environ["COMPARE_THREADS"]), "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(f"{folder}/{name}.onnx", "CPU", settings)
    x = onnx_inputs(name, rows)
    x = x.astype("int64") if "i64" in str(compiled.input(0).element_type) else x
    return {"predict": rate(in_batches(lambda x: compiled(x), x), rows)}


PEERS = {
    "tensorflow": lambda name, rows, _: keras_rates(name, rows, "tensorflow"),
    "jax": lambda name, rows, _: keras_rates(name, rows, "jax"),
    "onnxruntime": onnxruntime_rates,
    "openvino": openvino_rates,
}


def run(command, threads):
    environment = dict(os.environ, COMPARE_THREADS=str(threads), RAYON_NUM_THREADS=str(threads),
                       OMP_NUM_THREADS=str(threads), JAX_PLATFORMS="cpu", TF_CPP_MIN_LOG_LEVEL="3")
    if threads == 1:
        environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    pinned = ["taskset", "-c", ",".join(map(str, range(threads)))] if sys.platform == "linux" else []
    return subprocess.run(pinned + command, env=environment, capture_output=True, text=True)


def bench(arguments, threads):
    command = ["cargo", "bench", "--quiet", "--features", "onnx", "--bench", "networks", "--", *arguments]
    done = run(command, threads)
    if done.returncode:
        sys.exit(done.stderr)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--threads", type=int, nargs="+", default=[1])
    arguments.add_argument("--only", choices=CASES)
    arguments.add_argument("--quick", action="store_true", help="a quarter of the rows")
    arguments.add_argument("--json", metavar="FILE", help="write the figures to this file, too")
    arguments.add_argument("--peer", nargs=3, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    share = 4 if given.quick else 1
    if given.peer:
        peer, name, folder = given.peer
        return print(json.dumps(PEERS[peer](name, CASES[name][1] // share, folder)))
    quick, measured = ["--quick"] if given.quick else [], []
    subprocess.run(["cargo", "bench", "--quiet", "--features", "onnx", "--bench", "networks", "--no-run"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        bench(["--onnx", folder], 1)
        for name in [given.only] if given.only else CASES:
            for threads in given.threads:
                bench(["--json", folder, "--only", name, *quick], threads)
                rows = json.loads(Path(folder, "networks.json").read_text())["rows"]
                rates = {"axonal": {row["name"].split()[1]: row["samples_per_second"]
                                    for row in rows if row["threads"] == threads}}
                for peer in PEERS:
                    done = run([sys.executable, __file__, "--peer", peer, name, folder, *quick], threads)
                    if done.returncode == 0:
                        rates[peer] = json.loads(done.stdout.splitlines()[-1])
                    else:
                        reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
                        print(f"  {peer}: skipped ({reason[0]})")
                for work in ("train", "predict"):
                    own = rates["axonal"][work]
                    theirs = {peer: found[work] for peer, found in rates.items() if peer != "axonal" and work in found}
                    line = "".join(f"   {peer}: {value:,.0f} ({own / value:.2f}x)" for peer, value in theirs.items())
                    print(f"{name:<24}{work:<8} {threads} thread(s) {own:>12,.0f}{line}", flush=True)
                    measured.append({"work": f"{name} {work}", "threads": threads, "axonal": own, "peers": theirs})
    if given.json:
        Path(given.json).write_text(json.dumps({"bench": "compare_networks", "rows": measured}, indent=2) + "\n")


if __name__ == "__main__":
    main()
