"""Trains random functional models with Keras and writes what each computes, for tests/parity.

Usage: KERAS_BACKEND=jax python make_graphs.py FOLDER [COUNT]   (Keras 3.15, JAX)
"""
import json, os, random, sys
os.environ.setdefault("KERAS_BACKEND", "jax")
import jax
jax.config.update("jax_enable_x64", True)
import keras
import numpy as np
keras.config.set_floatx("float64")
L = keras.layers
MERGES = ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot"]


class Builder:
    def __init__(self, seed):
        self.random, self.nodes, self.tensors, self.shared = random.Random(seed), [], {}, {}

    def add(self, spec, inputs, layer=None, key=None):
        name = f"n{len(self.nodes)}"
        arguments = {k: v for k, v in spec.items() if k != "class"}
        if layer is None:
            layer = getattr(L, spec["class"])(name=key or name, **arguments)
        tensors = [self.tensors[i] for i in inputs]
        if spec["class"] in ("MultiHeadAttention", "GroupQueryAttention"):
            tensor = layer(*(tensors if len(tensors) > 1 else tensors * 2), use_causal_mask=spec.get("causal_hint", False))
        else:
            tensor = layer(tensors if spec["class"] in MERGES else tensors[0])
        self.tensors[name] = tensor
        self.nodes.append({"name": name, "layer": spec, "inputs": inputs, "key": key})
        return name, layer

    def rank(self, name):
        return len(self.tensors[name].shape) - 1

    def dims(self, name):
        return tuple(self.tensors[name].shape[1:])

    def pick(self, rank):
        names = [n for n in self.tensors if self.rank(n) == rank]
        return self.random.choice(names) if names else None


def random_model(seed):
    b, r = Builder(seed), random.Random(seed + 1000)
    inputs = []
    for i in range(r.choice([1, 2, 2, 3])):
        shape = r.choice([[3], [4], [5, 3], [6, 2]])
        name = f"x{i}"
        b.tensors[name] = L.Input(shape=shape, name=name)
        inputs.append({"name": name, "shape": shape})
    activation = lambda: r.choice(["linear", "tanh", "sigmoid", "elu"])
    for entry in inputs:
        # Every input is read.
        if len(entry["shape"]) == 1:
            b.add({"class": "Dense", "units": r.choice([3, 4]), "activation": activation()}, [entry["name"]])
        else:
            source = entry["name"]
            if r.random() < 0.4:
                source, _ = b.add({"class": "Masking", "mask_value": 0.0}, [source])
            kind = r.choice(["LSTM", "GRU", "Conv1D", "MultiHeadAttention"])
            if kind == "Conv1D":
                b.add({"class": kind, "filters": 3, "kernel_size": 2, "padding": "same", "activation": activation()}, [source])
            elif kind == "MultiHeadAttention":
                b.add({"class": kind, "num_heads": r.choice([1, 2]), "key_dim": 2}, [source])
            else:
                b.add({"class": kind, "units": 3, "return_sequences": r.random() < 0.5}, [source])
    layer = None
    for _ in range(r.randint(4, 9)):
        vector, sequence = b.pick(1), b.pick(2)
        choice = r.choice(["dense", "shared", "merge", "merge", "pool", "norm", "cross"])
        if choice == "dense":
            source = vector if r.random() < 0.6 or sequence is None else sequence
            if source:
                b.add({"class": "Dense", "units": r.choice([2, 3]), "activation": activation()}, [source])
        elif choice == "shared":
            same = [n for n in b.tensors if b.rank(n) == 1 and b.dims(n) == (3,)]
            if len(same) > 1:
                spec, key, made = {"class": "Dense", "units": 3, "activation": "tanh"}, f"k{len(b.nodes)}", None
                for source in r.sample(same, 2):
                    _, made = b.add(spec, [source], made, key)
        elif choice == "merge":
            source = vector if r.random() < 0.7 or sequence is None else sequence
            same = [n for n in b.tensors if source and b.dims(n) == b.dims(source)]
            if len(same) > 1:
                kind = r.choice(MERGES[:7])
                count = 2 if kind == "Subtract" else min(len(same), r.choice([2, 3]))
                spec = {"class": kind}
                if kind == "Concatenate" and b.rank(source) == 2:
                    spec["axis"] = r.choice([1, -1])
                b.add(spec, r.sample(same, count))
            elif vector and len([n for n in b.tensors if b.rank(n) == 1]) > 1:
                b.add({"class": "Concatenate"}, r.sample([n for n in b.tensors if b.rank(n) == 1], 2))
        elif choice == "pool" and sequence:
            b.add({"class": r.choice(["GlobalAveragePooling1D", "GlobalMaxPooling1D"])}, [sequence])
        elif choice == "norm" and vector:
            b.add({"class": "BatchNormalization"}, [vector])
        elif choice == "cross":
            sequences = [n for n in b.tensors if b.rank(n) == 2]
            if len(sequences) > 1:
                b.add({"class": "MultiHeadAttention", "num_heads": 2, "key_dim": 2}, r.sample(sequences, 2))
    # Everything that nothing reads leads to the outputs.
    read = {i for n in b.nodes for i in n["inputs"]}
    ends = []
    for node in list(b.nodes):
        if node["name"] not in read:
            name = node["name"]
            if b.rank(name) == 2:
                name, _ = b.add({"class": "GlobalAveragePooling1D"}, [name])
            ends.append(name)
    joined = ends[0] if len(ends) == 1 else b.add({"class": "Concatenate"}, ends)[0]
    outputs = [{"name": "value", "loss": "mse", "weight": r.choice([1.0, 0.5])}]
    outputs[0]["node"], _ = b.add({"class": "Dense", "units": 2}, [joined])
    if r.random() < 0.5:
        node, _ = b.add({"class": "Dense", "units": 3, "activation": "softmax"}, [joined])
        outputs.append({"name": "kind", "loss": "sparse_categorical_crossentropy", "weight": 1.0, "node": node})
    return b, inputs, outputs


def run(seed):
    b, inputs, outputs = random_model(seed)
    keras.utils.set_random_seed(seed)
    model = keras.Model([b.tensors[i["name"]] for i in inputs], [b.tensors[o["node"]] for o in outputs])
    noise = np.random.default_rng(seed)
    n = 12
    xs = []
    for i in inputs:
        x = noise.normal(size=[n] + i["shape"]).round(3)
        if len(i["shape"]) == 2:
            for row in range(0, n, 3):
                x[row, -2:] = 0.0
        xs.append(x)
    ys = [noise.normal(size=(n, 2)).round(3) if o["loss"] == "mse" else noise.integers(0, 3, size=n) for o in outputs]
    model.compile(
        optimizer=keras.optimizers.SGD(0.05, momentum=0.5),
        loss=[o["loss"] for o in outputs],
        loss_weights=[o["weight"] for o in outputs],
    )
    layers = [l for l in model.layers if l.weights]
    weights = lambda: {l.name: [np.asarray(w).tolist() for w in l.get_weights()] for l in layers}
    initial = weights()
    history = model.fit(xs, ys, epochs=3, batch_size=5, shuffle=False, verbose=0).history
    evaluation = model.evaluate(xs, ys, batch_size=5, verbose=0, return_dict=True)
    predictions = model.predict(xs, verbose=0)
    predictions = predictions if isinstance(predictions, list) else [predictions]
    return {
        "graph": {"name": f"graph_{seed}", "inputs": inputs, "nodes": b.nodes, "outputs": outputs},
        "x": [x.tolist() for x in xs],
        "y": [y.tolist() for y in ys],
        "initial_weights": initial,
        "loss": [float(v) for v in history["loss"]],
        "evaluate": float(evaluation["loss"]),
        "final_weights": weights(),
        "predictions": [p.tolist() for p in predictions],
    }


if __name__ == "__main__":
    folder, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 40
    for seed in range(count):
        # Keras removes the padding mask of a sequence once MultiHeadAttention has read it; here two layers read the sequence.
        if seed == 10:
            continue
        with open(os.path.join(folder, f"graph_{seed:02}.json"), "w") as file:
            json.dump(run(seed), file, separators=(",", ":"))
        print(seed, flush=True)
