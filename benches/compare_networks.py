#!/usr/bin/env python3
"""Compares small networks of every kind of layer with other libraries, and prints the ratios.

    python benches/compare_networks.py [--threads N ...] [--quick] [--only NAME ...] [--json FILE]

The networks are those of `benches/networks.rs`. Keras runs with TensorFlow and with JAX (`jit_compile`), by `fit` and
`predict`; JAX alone with the epoch compiled as one program, and with a compiled forward pass; PyTorch with its own loop;
onnxruntime and OpenVINO predict with the ONNX files that the bench exports. What is not installed is skipped.
The libraries take turns (see peers.py), so that a slow minute of the machine falls on all of them. The figure is the median
of five turns, in samples per second.
"""
import argparse, os, subprocess, sys, tempfile
import peers

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


def keras_works(name, rows, backend):
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
    return {"train": lambda: model.fit(x, y, batch_size=batch, verbose=0),
            "predict": lambda: model.predict(x, batch_size=256, verbose=0)}


def jax_works(name, rows):
    """A whole epoch compiled as one program, without the last partial batch, and a compiled forward pass."""
    os.environ["KERAS_BACKEND"] = "jax"
    import jax, keras
    shape, _, batch = CASES[name]
    x, y = data(name, shape, rows)
    model, rule = network(name, shape, keras), keras.optimizers.Adam()
    rule.build(model.trainable_variables)
    crossentropy = keras.losses.SparseCategoricalCrossentropy()
    x_train, y_train = jax.numpy.asarray(x), jax.numpy.asarray(y)

    def loss(weights, state, x, y):
        answers, state = model.stateless_call(weights, state, x, training=True)
        return crossentropy(y, answers), state

    @jax.jit
    def epoch(carry, key):
        order = jax.random.permutation(key, rows)[: rows // batch * batch].reshape(-1, batch)

        def step(carry, picked):
            weights, state, moments = carry
            (value, state), grads = jax.value_and_grad(loss, has_aux=True)(weights, state, x_train[picked], y_train[picked])
            weights, moments = rule.stateless_apply(moments, grads, weights)
            return (weights, state, moments), value

        return jax.lax.scan(step, carry, order)

    values = lambda variables: [variable.value for variable in variables]
    weights, state = values(model.trainable_variables), values(model.non_trainable_variables)
    carry = [(weights, state, values(rule.variables))]

    def train():
        carry[0], losses = epoch(carry[0], jax.random.key(1))
        jax.block_until_ready(losses)

    answer = jax.jit(lambda x: model.stateless_call(weights, state, x, training=False)[0])
    predict = in_batches(lambda x: jax.block_until_ready(answer(x)), x)
    return {"train": train, "predict": predict}


def torch_network(name):
    from torch import nn

    class Last(nn.Module):
        """The outputs of the last step of a recurrent layer."""

        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return self.layer(x)[0][:, -1]

    class Mean(nn.Module):
        def __init__(self, *axes):
            super().__init__()
            self.axes = axes

        def forward(self, x):
            return x.mean(self.axes)

    class MaskedMean(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(5000, 32)

        def forward(self, x):
            real = (x != 0).unsqueeze(-1).float()
            return (self.words(x) * real).sum(1) / real.sum(1)

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(64, 4, batch_first=True)

        def forward(self, x):
            return x + self.attention(x, x, x, need_weights=False)[0]

    convolution_block = lambda inputs, filters: [nn.Conv2d(inputs, filters, 3, padding=1), nn.BatchNorm2d(filters), nn.ReLU(),
                                                 nn.MaxPool2d(2)]
    dense_block = lambda inputs: [nn.Linear(inputs, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.3)]
    causal = lambda inputs: [nn.ConstantPad1d((2, 0), 0.0), nn.Conv1d(inputs, 32, 3), nn.ReLU()]
    depthwise = lambda filters, padding, bias: nn.Conv2d(filters, filters, 3, padding=padding, groups=filters, bias=bias)
    layers = {
        "lstm": lambda: [Last(nn.LSTM(16, 64, batch_first=True))],
        "gru": lambda: [Last(nn.GRU(16, 64, batch_first=True))],
        "two_lstm": lambda: [Last(nn.LSTM(32, 128, 2, batch_first=True))],
        "conv2d": lambda: [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
                           nn.Flatten()],
        "conv2d_batch_norm": lambda: convolution_block(3, 32) + convolution_block(32, 64) + [nn.Flatten()],
        "causal_conv1d": lambda: causal(16) + causal(32) + [Mean(2)],
        "embedding": lambda: [nn.Embedding(5000, 32), Mean(1)],
        "masked_embedding": lambda: [MaskedMean()],
        "mlp_batch_norm_dropout": lambda: dense_block(64) + dense_block(128),
        "mlp_layer_norm": lambda: [nn.Linear(64, 128), nn.ReLU(), nn.LayerNorm(128), nn.Linear(128, 128), nn.ReLU(),
                                   nn.LayerNorm(128)],
        "depthwise": lambda: [depthwise(16, 1, True), nn.ReLU(), nn.Conv2d(16, 32, 1), nn.ReLU(), Mean(2, 3)],
        "separable": lambda: [depthwise(16, 0, False), nn.Conv2d(16, 32, 1), nn.ReLU(), nn.MaxPool2d(2),
                              depthwise(32, 0, False), nn.Conv2d(32, 64, 1), nn.ReLU(), Mean(2, 3)],
        "attention": lambda: [Attention(), nn.LayerNorm(64), Mean(1)],
    }[name]()
    return nn.Sequential(*layers, nn.LazyLinear(10))


def torch_works(name, rows):
    import numpy as np, torch
    torch.set_num_threads(int(os.environ["COMPARE_THREADS"]))
    shape, _, batch = CASES[name]
    x, y = data(name, shape, rows)
    if "conv" in name or name in ("depthwise", "separable"):
        # Channels come first.
        x = np.ascontiguousarray(np.moveaxis(x, -1, 1))
    x, y = torch.from_numpy(x), torch.from_numpy(y).long()
    model = torch_network(name)
    model(x[:2])
    train = peers.torch_epoch(model, torch.optim.Adam(model.parameters()), torch.nn.CrossEntropyLoss(), x, y, batch)
    return {"train": train, "predict": peers.torch_predict(torch.nn.Sequential(model, torch.nn.Softmax(1)), x, 256)}


def in_batches(predict, x):
    return lambda: [predict(x[start:start + 256]) for start in range(0, len(x), 256)]


def onnx_inputs(name, rows):
    import numpy as np
    x, _ = data(name, CASES[name][0], rows)
    return x.astype(np.float32)


def onnxruntime_works(name, rows, folder):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ["COMPARE_THREADS"])
    session = onnxruntime.InferenceSession(f"{folder}/{name}.onnx", options, providers=["CPUExecutionProvider"])
    key, x = session.get_inputs()[0], onnx_inputs(name, rows)
    x = x.astype("int64") if "int64" in key.type else x
    return {"predict": in_batches(lambda x: session.run(None, {key.name: x}), x)}


def openvino_works(name, rows, folder):
    import openvino
    settings = {"INFERENCE_NUM_THREADS": int(os.environ["COMPARE_THREADS"]), "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(f"{folder}/{name}.onnx", "CPU", settings)
    x = onnx_inputs(name, rows)
    x = x.astype("int64") if "i64" in str(compiled.input(0).element_type) else x
    return {"predict": in_batches(lambda x: compiled(x), x)}


PEERS = {
    "keras (tensorflow)": lambda name, rows, _: keras_works(name, rows, "tensorflow"),
    "keras (jax)": lambda name, rows, _: keras_works(name, rows, "jax"),
    "jax": lambda name, rows, _: jax_works(name, rows),
    "torch": lambda name, rows, _: torch_works(name, rows),
    "onnxruntime": onnxruntime_works,
    "openvino": openvino_works,
}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--threads", type=int, nargs="+", default=[1])
    arguments.add_argument("--only", nargs="+", choices=CASES, default=[*CASES])
    arguments.add_argument("--quick", action="store_true", help="a quarter of the rows")
    arguments.add_argument("--json", metavar="FILE", help="write the figures to this file, too; rows of other works stay")
    arguments.add_argument("--peer", nargs=3, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    share = 4 if given.quick else 1
    if given.peer:
        peer, name, folder = given.peer
        return peers.serve(PEERS[peer](name, CASES[name][1] // share, folder))
    bench, quick, measured = peers.bench("networks"), ["--quick"] if given.quick else [], []
    subprocess.run([*bench[:-1], "--no-run"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*bench, "--onnx", folder], check=True)
        for name in given.only:
            rows = CASES[name][1] // share
            commands = {"axonal": [*bench, "--serve", name, *quick]}
            commands |= {peer: [sys.executable, __file__, "--peer", peer, name, folder, *quick] for peer in PEERS}
            for threads in given.threads:
                seconds = peers.seconds_in_turns(commands, threads)
                for work in ("train", "predict"):
                    rates = {library: rows / found[work] for library, found in seconds.items() if work in found}
                    measured.append(peers.report(f"{name} {work}", threads, rates))
    if given.json:
        works = [f"{name} {work}" for name in CASES for work in ("train", "predict")]
        peers.write(given.json, "compare_networks", works, measured)


if __name__ == "__main__":
    main()
