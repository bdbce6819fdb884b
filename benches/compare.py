#!/usr/bin/env python3
"""Compares training and prediction with other libraries and prints the ratios.

    python benches/compare.py [--threads N ...] [--only B1 B4 ...] [--quick] [--json FILE]

It needs numpy. JAX (with optax), PyTorch, Keras, scikit-learn and onnxruntime (with onnx) are compared if they are
installed, else reported as skipped. Every peer trains the same network on data of the same shape with the same batch
size, or predicts as many rows with the same network, in a separate process on the same processors (Linux: `taskset`).
The figure is the median of five epochs, or of 15 predictions, after one to warm up.
"""
import argparse, json, os, statistics, subprocess, sys, tempfile, time
from pathlib import Path

WORKS = {
    "B1": ([784, 128, 10], 32, 60_000, "adam"),
    "B2": ([784, 512, 512, 10], 128, 20_000, "adam"),
    "B3": ([20, 64, 32, 1], 32, 10_000, "adam"),
    "B4": ([784, 128, 10], 1, 5_000, "sgd"),
}


def data(sizes, rows):
    import numpy as np
    x = np.random.default_rng(7).random((rows, sizes[0]), dtype=np.float32)
    return x, (np.arange(rows) % max(sizes[-1], 2)).astype(np.int32)


def epochs(one):
    one()
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        one()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def jax_epoch(sizes, batch, rows, optimizer):
    """A whole epoch compiled as one program, without the last partial batch."""
    import jax, jax.numpy as jnp, optax
    x, y = data(sizes, rows)
    x, y = jnp.asarray(x), jnp.asarray(y)
    keys = jax.random.split(jax.random.key(0), len(sizes))
    glorot = jax.nn.initializers.glorot_uniform()
    params = [(glorot(k, (i, o)), jnp.zeros(o)) for k, i, o in zip(keys, sizes, sizes[1:])]
    rule = optax.adam(1e-3) if optimizer == "adam" else optax.sgd(0.01)

    def loss(params, x, y):
        for kernel, bias in params[:-1]:
            x = jax.nn.relu(x @ kernel + bias)
        logits = x @ params[-1][0] + params[-1][1]
        if sizes[-1] == 1:
            return optax.sigmoid_binary_cross_entropy(logits[:, 0], y.astype(jnp.float32)).mean()
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    @jax.jit
    def epoch(params, state, key):
        order = jax.random.permutation(key, rows)[: rows // batch * batch].reshape(-1, batch)

        def step(carry, rows_of_batch):
            params, state = carry
            value, grads = jax.value_and_grad(loss)(params, x[rows_of_batch], y[rows_of_batch])
            updates, state = rule.update(grads, state, params)
            return (optax.apply_updates(params, updates), state), value

        return jax.lax.scan(step, (params, state), order)

    carry = [params, rule.init(params)]

    def one():
        (carry[0], carry[1]), values = epoch(*carry, jax.random.key(1))
        jax.block_until_ready(values)

    return epochs(one)


def torch_epoch(sizes, batch, rows, optimizer):
    import torch
    torch.set_num_threads(int(os.environ["COMPARE_THREADS"]))
    x, y = (torch.from_numpy(values) for values in data(sizes, rows))
    layers = []
    for i, o in zip(sizes, sizes[1:]):
        layers += [torch.nn.Linear(i, o), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1])
    rule = torch.optim.Adam(network.parameters()) if optimizer == "adam" else torch.optim.SGD(network.parameters(), 0.01)
    loss = torch.nn.BCEWithLogitsLoss() if sizes[-1] == 1 else torch.nn.CrossEntropyLoss()
    y = y.float()[:, None] if sizes[-1] == 1 else y.long()

    def one():
        order = torch.randperm(rows)
        for start in range(0, rows, batch):
            picked = order[start:start + batch]
            rule.zero_grad()
            loss(network(x[picked]), y[picked]).backward()
            rule.step()

    return epochs(one)


def keras_epoch(sizes, batch, rows, optimizer):
    import keras
    x, y = data(sizes, rows)
    network = keras_network(keras, sizes)
    rule = keras.optimizers.Adam() if optimizer == "adam" else keras.optimizers.SGD(0.01)
    network.compile(rule, "binary_crossentropy" if sizes[-1] == 1 else "sparse_categorical_crossentropy")
    return epochs(lambda: network.fit(x, y, batch_size=batch, verbose=0))


def keras_network(keras, sizes):
    layers = [keras.layers.Dense(units, activation="relu") for units in sizes[1:-1]]
    last = keras.layers.Dense(sizes[-1], activation="sigmoid" if sizes[-1] == 1 else "softmax")
    return keras.Sequential([keras.Input((sizes[0],))] + layers + [last])


def weights(sizes):
    import numpy as np
    random = np.random.default_rng(3)
    return [(random.normal(0, (2 / i) ** 0.5, (i, o)).astype(np.float32), np.zeros(o, np.float32))
            for i, o in zip(sizes, sizes[1:])]


def predictions(one):
    one()
    seconds = []
    for _ in range(15):
        begun = time.perf_counter()
        one()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def onnxruntime_prediction(sizes, rows):
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper
    nodes, constants, name = [], [], "x"
    for index, (kernel, bias) in enumerate(weights(sizes)):
        constants += [numpy_helper.from_array(kernel, f"w{index}"), numpy_helper.from_array(bias, f"b{index}")]
        nodes.append(helper.make_node("Gemm", [name, f"w{index}", f"b{index}"], [f"z{index}"]))
        last = "Sigmoid" if sizes[-1] == 1 else "Softmax"
        name = f"y{index}"
        nodes.append(helper.make_node("Relu" if index < len(sizes) - 2 else last, [f"z{index}"], [name]))
    graph = helper.make_graph(nodes, "network", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", sizes[0]])],
                              [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", sizes[-1]])], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ["COMPARE_THREADS"])
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    x, _ = data(sizes, rows)
    return predictions(lambda: session.run(None, {"x": x}))


def jax_prediction(sizes, rows):
    import jax, numpy as np
    x, _ = data(sizes, rows)
    params = jax.device_put(weights(sizes))

    @jax.jit
    def network(params, x):
        for kernel, bias in params[:-1]:
            x = jax.nn.relu(x @ kernel + bias)
        x = x @ params[-1][0] + params[-1][1]
        return jax.nn.sigmoid(x) if sizes[-1] == 1 else jax.nn.softmax(x)

    return predictions(lambda: np.asarray(network(params, x)))


def torch_prediction(sizes, rows):
    import torch
    torch.set_num_threads(int(os.environ["COMPARE_THREADS"]))
    x = torch.from_numpy(data(sizes, rows)[0])
    layers = []
    for i, o in zip(sizes, sizes[1:]):
        layers += [torch.nn.Linear(i, o), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1], torch.nn.Sigmoid() if sizes[-1] == 1 else torch.nn.Softmax(1)).eval()
    with torch.inference_mode():
        return predictions(lambda: network(x))


def sklearn_prediction(sizes, rows):
    import warnings, numpy as np
    from sklearn.neural_network import MLPClassifier
    warnings.simplefilter("ignore")
    x, _ = data(sizes, rows)
    network = MLPClassifier(tuple(sizes[1:-1]), max_iter=1).fit(x[:1000], np.arange(1000) % max(sizes[-1], 2))
    return predictions(lambda: network.predict_proba(x))


def keras_prediction(sizes, rows):
    import keras
    network = keras_network(keras, sizes)
    x, _ = data(sizes, rows)
    return predictions(lambda: network.predict(x, batch_size=256, verbose=0))


TRAINING_PEERS = {"jax": jax_epoch, "torch": torch_epoch, "keras": keras_epoch}
NETWORKS = {"784-128-10": [784, 128, 10], "20-64-32-1": [20, 64, 32, 1]}
ROWS = 10_000
PREDICTION_PEERS = {"onnxruntime": onnxruntime_prediction, "jax": jax_prediction, "torch": torch_prediction,
                    "sklearn": sklearn_prediction, "keras": keras_prediction}


def run(command, threads):
    environment = dict(os.environ, COMPARE_THREADS=str(threads), RAYON_NUM_THREADS=str(threads),
                       OMP_NUM_THREADS=str(threads), JAX_PLATFORMS="cpu")
    if threads == 1:
        environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    pinned = ["taskset", "-c", ",".join(map(str, range(threads)))] if sys.platform == "linux" else []
    return subprocess.run(pinned + command, env=environment, capture_output=True, text=True)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--threads", type=int, nargs="+", default=[1])
    arguments.add_argument("--only", nargs="+", choices=[*NETWORKS, *WORKS], default=[*NETWORKS, *WORKS])
    arguments.add_argument("--json", metavar="FILE", help="write the figures to this file, too; rows of other works stay")
    arguments.add_argument("--quick", action="store_true", help="a tenth of the rows")
    arguments.add_argument("--peer", nargs=2, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    share = 10 if given.quick else 1
    if given.peer:
        peer, work = given.peer
        if work in NETWORKS:
            print(PREDICTION_PEERS[peer](NETWORKS[work], ROWS))
        else:
            sizes, batch, rows, optimizer = WORKS[work]
            print(TRAINING_PEERS[peer](sizes, batch, rows // share, optimizer))
        return
    quick = ["--quick"] if given.quick else []
    measured = []

    def ours(bench, threads):
        with tempfile.TemporaryDirectory() as folder:
            # The feature is that of compare_networks.py, so that the library is compiled once.
            build = ["cargo", "bench", "--quiet", "--features", "onnx", "--bench", bench]
            subprocess.run([*build, "--no-run"], check=True)
            done = run([*build, "--", "--json", folder] + quick, threads)
            if done.returncode:
                sys.exit(done.stderr)
            rows = json.loads(Path(folder, f"{bench}.json").read_text())["rows"]
        return {row["name"]: row for row in rows if row["threads"] == threads}

    def compare(work, own, rows, peers, threads):
        line, found = f"{work:<12}{own:>14,.0f}", {}
        for peer in peers:
            done = run([sys.executable, __file__, "--peer", peer, work] + quick, threads)
            if done.returncode:
                reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
                line += f"   {peer}: skipped ({reason[0]})"
            else:
                theirs = rows / float(done.stdout.split()[-1])
                line += f"   {peer}: {theirs:,.0f} ({own / theirs:.2f}x)"
                found[peer] = theirs
        print(line, flush=True)
        measured.append({"work": work, "threads": threads, "axonal": own, "peers": found})

    for threads in given.threads:
        print(f"{threads} thread(s), rows per second of {ROWS:,} predictions\n{'network':<12}{'axonal':>14}")
        networks = [network for network in NETWORKS if network in given.only]
        predicted = ours("predict", threads) if networks else {}
        for network in networks:
            compare(network, predicted[f"{network} {ROWS} predict"]["rows_per_second"], ROWS, PREDICTION_PEERS, threads)
        print(f"{threads} thread(s), samples per second of training\n{'work':<12}{'axonal':>14}")
        works = [work for work in WORKS if work in given.only]
        rows_of_bench = ours("training", threads) if works else {}
        trained = {name.split()[0]: row for name, row in rows_of_bench.items() if "samples_per_second" in row}
        for work in works:
            rows = WORKS[work][2]
            compare(work, trained[work]["samples_per_second"], rows // share, TRAINING_PEERS, threads)
    if given.json:
        path, order = Path(given.json), [*NETWORKS, *WORKS]
        kept = json.loads(path.read_text())["rows"] if path.exists() else []
        rows = {(order.index(row["work"]), row["threads"]): row for row in kept + measured}
        rows = [rows[key] for key in sorted(rows)]
        path.write_text(json.dumps({"bench": "compare", "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
