#!/usr/bin/env python3
"""Compares training and prediction with other libraries and prints the ratios.

    python benches/compare.py [--threads N ...] [--only B1 B4 ...] [--quick] [--json FILE]

It needs numpy. JAX (with optax), PyTorch, Keras, scikit-learn and onnxruntime (with onnx) are compared if they are
installed, else reported as skipped. Every peer trains the same network on data of the same shape with the same batch
size, or predicts as many rows with the same network. The libraries take turns (see peers.py), so that a slow minute of the
machine falls on all of them. The figure is the median of five turns, in samples per second.
"""
import argparse, os, subprocess, sys
import peers

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

    return one


def torch_network(sizes, *last):
    import torch
    torch.set_num_threads(int(os.environ["COMPARE_THREADS"]))
    layers = []
    for i, o in zip(sizes, sizes[1:]):
        layers += [torch.nn.Linear(i, o), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1], *last)


def torch_epoch(sizes, batch, rows, optimizer):
    import torch
    x, y = (torch.from_numpy(values) for values in data(sizes, rows))
    network = torch_network(sizes)
    rule = torch.optim.Adam(network.parameters()) if optimizer == "adam" else torch.optim.SGD(network.parameters(), 0.01)
    loss = torch.nn.BCEWithLogitsLoss() if sizes[-1] == 1 else torch.nn.CrossEntropyLoss()
    return peers.torch_epoch(network, rule, loss, x, y.float()[:, None] if sizes[-1] == 1 else y.long(), batch)


def keras_epoch(sizes, batch, rows, optimizer):
    import keras
    x, y = data(sizes, rows)
    network = keras_network(keras, sizes)
    rule = keras.optimizers.Adam() if optimizer == "adam" else keras.optimizers.SGD(0.01)
    network.compile(rule, "binary_crossentropy" if sizes[-1] == 1 else "sparse_categorical_crossentropy")
    return lambda: network.fit(x, y, batch_size=batch, verbose=0)


def keras_network(keras, sizes):
    layers = [keras.layers.Dense(units, activation="relu") for units in sizes[1:-1]]
    last = keras.layers.Dense(sizes[-1], activation="sigmoid" if sizes[-1] == 1 else "softmax")
    return keras.Sequential([keras.Input((sizes[0],))] + layers + [last])


def weights(sizes):
    import numpy as np
    random = np.random.default_rng(3)
    return [(random.normal(0, (2 / i) ** 0.5, (i, o)).astype(np.float32), np.zeros(o, np.float32))
            for i, o in zip(sizes, sizes[1:])]


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
    return lambda: session.run(None, {"x": x})


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

    return lambda: np.asarray(network(params, x))


def torch_prediction(sizes, rows):
    import torch
    network = torch_network(sizes, torch.nn.Sigmoid() if sizes[-1] == 1 else torch.nn.Softmax(1))
    return peers.torch_predict(network, torch.from_numpy(data(sizes, rows)[0]), rows)


def sklearn_prediction(sizes, rows):
    import warnings, numpy as np
    from sklearn.neural_network import MLPClassifier
    warnings.simplefilter("ignore")
    x, _ = data(sizes, rows)
    network = MLPClassifier(tuple(sizes[1:-1]), max_iter=1).fit(x[:1000], np.arange(1000) % max(sizes[-1], 2))
    return lambda: network.predict_proba(x)


def keras_prediction(sizes, rows):
    import keras
    network = keras_network(keras, sizes)
    x, _ = data(sizes, rows)
    return lambda: network.predict(x, batch_size=256, verbose=0)


TRAINING_PEERS = {"jax": jax_epoch, "torch": torch_epoch, "keras": keras_epoch}
NETWORKS = {"784-128-10": [784, 128, 10], "20-64-32-1": [20, 64, 32, 1]}
ROWS = 10_000
PREDICTION_PEERS = {"onnxruntime": onnxruntime_prediction, "jax": jax_prediction, "torch": torch_prediction,
                    "sklearn": sklearn_prediction, "keras": keras_prediction}


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
            return peers.serve({work: PREDICTION_PEERS[peer](NETWORKS[work], ROWS)})
        sizes, batch, rows, optimizer = WORKS[work]
        return peers.serve({work: TRAINING_PEERS[peer](sizes, batch, rows // share, optimizer)})
    quick, measured = ["--quick"] if given.quick else [], []
    for work in given.only:
        if work in NETWORKS:
            bench, names, rows = peers.bench("predict"), PREDICTION_PEERS, ROWS
        else:
            bench, names, rows = peers.bench("training"), TRAINING_PEERS, WORKS[work][2] // share
        subprocess.run([*bench[:-1], "--no-run"], check=True)
        commands = {"axonal": [*bench, "--serve", work, *quick]}
        commands |= {peer: [sys.executable, __file__, "--peer", peer, work, *quick] for peer in names}
        for threads in given.threads:
            seconds = peers.seconds_in_turns(commands, threads)
            rates = {library: rows / found[work] for library, found in seconds.items()}
            measured.append(peers.report(work, threads, rates))
    if given.json:
        peers.write(given.json, "compare", [*NETWORKS, *WORKS], measured)


if __name__ == "__main__":
    main()
