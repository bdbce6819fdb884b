"""Trains random functional models with Keras and writes what each computes, for tests/parity.

Usage: python make_graphs.py FOLDER [COUNT [FIRST]]   (Keras 3.15, JAX)

A graph follows from its seed. All in float64, without shuffling, from weights and data of a few decimals, which stand in
the file. Results have ten significant digits. At the end it prints how many graphs have each layer and each way to train.
"""
import collections, json, os, random, sys
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_ENABLE_X64", "1")
import keras
import numpy as np
from make_fit import thing
L = keras.layers
SAME_SHAPE = ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"]
MERGES = [*SAME_SHAPE, "Concatenate", "Dot"]
ATTENTION = ["MultiHeadAttention", "GroupQueryAttention"]
SHAPES = [[3], [4], [5, 3], [6, 2], [5, 4, 2], "ids"]
TRAININGS = ["plain", "validation_data", "sample_weight", "class_weight", "validation_split", "sample_weight_of",
             "validation_sample_weight", "class_weight_of"]
OPTIMIZERS = [
    {"class": "optimizers.SGD", "learning_rate": 0.0625, "momentum": 0.5},
    {"class": "optimizers.RMSprop", "learning_rate": 0.0078125},
    {"class": "optimizers.SGD", "learning_rate": 0.125, "momentum": 0.75, "nesterov": True, "global_clipnorm": 1.0},
    {"class": "optimizers.Adam", "learning_rate": 0.015625},
    {"class": "optimizers.Adagrad", "learning_rate": 0.0625},
]
IDS, ROWS, VALIDATION_ROWS, BATCH = 7, 11, 4, 4


class Builder:
    """A graph that grows node by node, in Keras and as the description for the file."""

    def __init__(self, seed):
        self.random, self.nodes, self.tensors, self.layers, self.readers = random.Random(seed), [], {}, {}, {}
        self.retired, self.optimizer = set(), OPTIMIZERS[seed % len(OPTIMIZERS)]
        # The gradient of a key's bias is 0 but for rounding, which these optimizers divide by its own size.
        self.has_attention_bias = self.optimizer["class"] not in ("optimizers.Adam", "optimizers.RMSprop")

    def input(self, name, shape):
        self.tensors[name], self.readers[name] = L.Input(shape=shape, name=name), 0

    def add(self, spec, *inputs, key=None, trainable=True, name=None):
        name = name or f"n{len(self.nodes)}"
        layer = self.layers.get(key)
        if layer is None:
            arguments = {k: thing(v) for k, v in spec.items() if k not in ("class", "causal_hint")}
            layer = getattr(L, spec["class"])(name=key or name, **arguments)
            layer.trainable = trainable
        if key:
            self.layers[key] = layer
        tensors = [self.tensors[i] for i in inputs]
        if spec["class"] in ATTENTION:
            # Keras removes the padding mask of a sequence that MultiHeadAttention has read: nothing else may read it.
            self.retired.update(i for i in inputs if self.is_masked(i))
            tensors = tensors if len(tensors) > 1 else tensors * 2
            self.tensors[name] = layer(*tensors, use_causal_mask=spec.get("causal_hint", False))
        else:
            self.tensors[name] = layer(tensors if spec["class"] in MERGES else tensors[0])
        self.readers[name] = 0
        for i in inputs:
            self.readers[i] += 1
        node = {"name": name, "layer": spec, "inputs": list(inputs)}
        self.nodes.append({**node, **({"key": key} if key else {}), **({} if trainable else {"trainable": False})})
        return name

    def dims(self, name):
        return tuple(self.tensors[name].shape[1:])

    def is_masked(self, name):
        return getattr(self.tensors[name], "_keras_mask", None) is not None

    def of_rank(self, rank):
        return [n for n in self.tensors if len(self.dims(n)) == rank and n not in self.retired and n not in self.ids()]

    def ids(self):
        return [n for n in self.tensors if n.startswith("ids")]

    def pick(self, names):
        """One of the names; rather one that nothing reads yet."""
        unread = [n for n in names if self.readers[n] == 0]
        return self.random.choice(unread if unread and self.random.random() < 0.6 else names)

    def chance(self, probability):
        return self.random.random() < probability

    def activation(self):
        return self.random.choice(["linear", "tanh", "sigmoid", "elu", "relu", "gelu", "softplus", "silu"])

    def dense(self, units, activation=None):
        spec = {"class": "Dense", "units": units, "activation": activation or self.activation()}
        options = {
            "kernel_regularizer": {"class": "regularizers.L2", "l2": 0.0625},
            "bias_regularizer": {"class": "regularizers.L1", "l1": 0.03125},
            "activity_regularizer": {"class": "regularizers.L2", "l2": 0.015625},
            "kernel_constraint": {"class": "constraints.MaxNorm", "max_value": 1.0},
            "use_bias": False,
        }
        if self.chance(0.3):
            option = self.random.choice(list(options))
            spec[option] = options[option]
        return spec

    # ------------------------------------------------------------------------------------------------- one layer more

    def on_vector(self, source):
        n = self.dims(source)[0]
        choices = [
            lambda: self.dense(self.random.choice([2, 3, 4])), lambda: self.dense(self.random.choice([3, 4])),
            lambda: {"class": "BatchNormalization", "momentum": 0.75}, lambda: {"class": "BatchNormalization", "center": False},
            lambda: {"class": "LayerNormalization"}, lambda: {"class": "UnitNormalization"},
            lambda: {"class": "RMSNormalization"}, lambda: {"class": "PReLU"},
            lambda: {"class": "LeakyReLU", "negative_slope": 0.25}, lambda: {"class": "Activation", "activation": "mish"},
            lambda: {"class": "Rescaling", "scale": 0.5, "offset": 0.25}, lambda: {"class": "RepeatVector", "n": 3},
            lambda: {"class": "Softmax"}, lambda: {"class": "ELU", "alpha": 0.5},
            lambda: {"class": "ActivityRegularization", "l2": 0.03125},
        ]
        if n % 2 == 0:
            choices.append(lambda: {"class": "Reshape", "target_shape": [n // 2, 2]})
        self.add(self.random.choice(choices)(), source, trainable=not self.chance(0.1))

    def recurrent(self, sequences):
        # SimpleRNN in float64 raises an error in Keras 3.15 on JAX; tests/parity/keras/sequences has it, from TensorFlow.
        spec = {"class": self.random.choice(["LSTM", "GRU"]), "units": self.random.choice([2, 3]),
                "return_sequences": sequences}
        if spec["class"] == "GRU":
            spec["reset_after"] = self.chance(0.5)
        if self.chance(0.3):
            spec["recurrent_regularizer"] = {"class": "regularizers.L2", "l2": 0.03125}
        return spec

    def on_sequence(self, source):
        steps, features = self.dims(source)
        nested = lambda spec: {**spec, "class": "layers." + spec["class"]}
        bidirectional = lambda: {
            "class": "Bidirectional", "layer": nested(self.recurrent(self.chance(0.5))),
            "merge_mode": self.random.choice(["concat", "sum", "ave", "mul"])}
        choices = [
            *[lambda: self.recurrent(self.chance(0.5))] * 3, *[bidirectional] * 2, lambda: {**self.recurrent(self.chance(0.5)), "go_backwards": True},
            lambda: {"class": "Conv1D", "filters": 3, "kernel_size": 2, "padding": self.random.choice(["same", "causal"]),
                     "activation": self.activation()},
            lambda: {"class": "Conv1D", "filters": 2, "kernel_size": min(2, steps)},
            lambda: {"class": "MultiHeadAttention", "num_heads": self.random.choice([1, 2]), "key_dim": 2,
                     "use_bias": self.has_attention_bias, "causal_hint": self.chance(0.3)},
            lambda: {"class": "GroupQueryAttention", "head_dim": 2, "num_query_heads": 2, "num_key_value_heads": 1,
                     "use_bias": self.has_attention_bias},
            lambda: {"class": "TimeDistributed", "layer": nested(self.dense(3, "tanh"))},
            lambda: self.dense(3), lambda: {"class": "LayerNormalization"}, lambda: {"class": "BatchNormalization"},
            lambda: {"class": "Masking"}, lambda: {"class": "GlobalAveragePooling1D"}, lambda: {"class": "GlobalMaxPooling1D"},
            lambda: {"class": "Flatten"}, lambda: {"class": "ZeroPadding1D", "padding": 1},
            lambda: {"class": "UpSampling1D", "size": 2}, lambda: {"class": "Permute", "dims": [2, 1]},
        ]
        if steps >= 3:
            choices += [lambda: {"class": "MaxPooling1D", "pool_size": 2}, lambda: {"class": "Cropping1D", "cropping": 1},
                        lambda: {"class": "AveragePooling1D", "pool_size": 2, "strides": 1, "padding": "same"}]
        spec = self.random.choice(choices)()
        if spec["class"] in ATTENTION and self.is_masked(source) and self.readers[source]:
            return
        self.add(spec, source)

    def on_image(self, source):
        rows, columns, _ = self.dims(source)
        pad = lambda: self.random.choice(["same", "valid"])
        choices = [
            lambda: {"class": "DepthwiseConv2D", "kernel_size": 2, "padding": "same"},
            lambda: {"class": "Conv2DTranspose", "filters": 2, "kernel_size": 2, "strides": 2, "padding": pad()},
            lambda: {"class": "MaxPooling2D", "pool_size": 2, "padding": "same"}, lambda: {"class": "BatchNormalization"},
            lambda: {"class": "GroupNormalization", "groups": 1}, lambda: {"class": "UpSampling2D", "size": 2},
            lambda: {"class": "ZeroPadding2D", "padding": 1}, lambda: {"class": "GlobalAveragePooling2D"},
            lambda: {"class": "GlobalMaxPooling2D"}, lambda: {"class": "PReLU", "shared_axes": [1, 2]},
        ]
        if min(rows, columns) >= 2:
            choices += [
                *[lambda: {"class": "Conv2D", "filters": 2, "kernel_size": 2, "padding": pad(),
                           "activation": self.activation()}] * 3,
                lambda: {"class": "Conv2D", "filters": 3, "kernel_size": 2, "strides": 2, "activation": self.activation()},
                lambda: {"class": "SeparableConv2D", "filters": 2, "kernel_size": 2, "padding": pad()},
                lambda: {"class": "AveragePooling2D", "pool_size": 2, "padding": pad()}]
        if min(rows, columns) >= 3:
            choices.append(lambda: {"class": "Cropping2D", "cropping": 1})
        if rows * columns > 40:
            choices = [lambda: {"class": "AveragePooling2D", "pool_size": 3}]
        self.add(self.random.choice(choices)(), source)

    def merge(self):
        by_dims = collections.defaultdict(list)
        for rank in (1, 2, 3):
            for n in self.of_rank(rank):
                by_dims[self.dims(n)].append(n)
        groups = [names for names in by_dims.values() if len(names) > 1]
        if not groups:
            return
        names = self.random.choice(groups)
        rank = len(self.dims(names[0]))
        kind = self.random.choice(MERGES if rank < 3 else MERGES[:-1])
        spec, count = {"class": kind}, self.random.choice([2, 3])
        if kind == "Concatenate":
            spec["axis"] = self.random.choice([1, -1])
        if kind == "Dot":
            # Attention computes in f32 on JAX: its inputs stay small.
            spec.update(axes=rank, normalize=self.chance(0.3) or rank == 2)
        self.add(spec, *self.random.sample(names, 2 if kind in ("Subtract", "Dot") else min(len(names), count)))

    def share(self):
        """Applies a layer with one set of weights two or three times."""
        rank = self.random.choice([1, 2])
        sources = self.of_rank(rank)
        if not sources:
            return
        dims = self.dims(self.random.choice(sources))
        same = [n for n in sources if self.dims(n) == dims]
        key = f"k{len(self.nodes)}"
        spec = self.dense(dims[-1], "tanh") if rank == 1 else self.random.choice([
            self.dense(dims[-1], "tanh"), {"class": "LSTM", "units": dims[-1], "return_sequences": True},
            {"class": "Conv1D", "filters": dims[-1], "kernel_size": 2, "padding": "same"}])
        # Keras counts the activity penalty of the last call only.
        spec.pop("activity_regularizer", None)
        if len(same) > 1:
            for source in self.random.sample(same, min(len(same), self.random.choice([2, 3]))):
                self.add(spec, source, key=key)
        else:
            again = self.add(spec, same[0], key=key)
            self.add(spec, again, key=key)

    def cross(self):
        """Attention of a sequence over another one."""
        free = [n for n in self.of_rank(2) if not (self.is_masked(n) and self.readers[n])]
        if len(free) > 1:
            spec = {"class": "MultiHeadAttention", "num_heads": 2, "key_dim": 2, "use_bias": self.chance(0.5) and self.has_attention_bias}
            self.add(spec, *self.random.sample(free, 2))

    def grow(self):
        step = self.random.choice(["layer", "layer", "layer", "layer", "merge", "merge", "share", "cross"])
        if step != "layer":
            return getattr(self, step)()
        ranks = [rank for rank in (1, 2, 3) if self.of_rank(rank)]
        rank = self.random.choice(ranks)
        [self.on_vector, self.on_sequence, self.on_image][rank - 1](self.pick(self.of_rank(rank)))


# ------------------------------------------------------------------------------------------------------ whole models

def inputs_of(b, seed):
    inputs = []
    for i in range(b.random.choice([1, 2, 2, 3])):
        shape = SHAPES[(seed + i * b.random.choice([1, 2])) % len(SHAPES)]
        name, shape = (f"ids{i}", [6]) if shape == "ids" else (f"x{i}", shape)
        b.input(name, shape)
        inputs.append({"name": name, "shape": shape})
        # Each input is read, and sequences are masked now and then.
        if name in b.ids():
            b.add({"class": "Embedding", "input_dim": IDS, "output_dim": b.random.choice([2, 3]), "mask_zero": b.chance(0.7)}, name)
        elif len(shape) == 2 and b.chance(0.5):
            b.add({"class": "Masking"}, name)
        else:
            [b.on_vector, b.on_sequence, b.on_image][len(shape) - 1](name)
            if b.readers[name] == 0:
                b.add({"class": "Dense", "units": 3}, name)
    return inputs


def output(b, name, source):
    """Adds an output; its description with loss, metrics and target."""
    r = b.random
    weight = r.choice([1.0, 0.5, 2.0])
    metric = lambda *choices: [m for m in choices if b.chance(0.5)]
    if name.startswith("value"):
        node = b.add({"class": "Dense", "units": r.choice([1, 2])}, source, name=name)
        loss = r.choice(["mse", "mae", {"class": "losses.Huber", "delta": 0.5}, {"class": "losses.LogCosh"}])
        metrics = metric("mae", {"class": "metrics.RootMeanSquaredError"}, {"class": "metrics.CosineSimilarity"})
        form = ["values", *b.dims(node)]
    elif name.startswith("kind"):
        k = r.choice([2, 3])
        node = b.add({"class": "Dense", "units": k, "activation": "softmax"}, source, name=name)
        loss = {"class": "losses.SparseCategoricalCrossentropy"}
        metrics = metric("accuracy", {"class": "metrics.SparseTopKCategoricalAccuracy", "k": 2})
        form = ["labels", k, *b.dims(node)[:-1]]
    elif name.startswith("class"):
        node = b.add({"class": "Dense", "units": 3}, source, name=name)
        loss = {"class": "losses.CategoricalCrossentropy", "from_logits": True, "label_smoothing": 0.125}
        metrics, form = metric("accuracy"), ["one_hot", 3]
    else:
        node = b.add({"class": "Dense", "units": 1, "activation": "sigmoid"}, source, name=name)
        loss = r.choice(["binary_crossentropy", {"class": "losses.BinaryFocalCrossentropy"}])
        metrics = metric("accuracy", {"class": "metrics.AUC", "num_thresholds": 25}, {"class": "metrics.Precision"})
        form = ["labels", 2, 1]
    weighted = [{"class": "metrics.MeanSquaredError", "name": "weighted"}] if form[0] == "values" and b.chance(0.3) else []
    return {"name": name, "node": node, "loss": loss, "weight": weight, "metrics": metrics, "weighted_metrics": weighted}, form


def random_model(seed):
    b = Builder(seed)
    inputs = inputs_of(b, seed)
    for _ in range(b.random.randint(4, 9)):
        b.grow()
    outputs, forms = [], []
    sequences = [n for n in b.of_rank(2) if b.dims(n)[0] <= 8]
    training = TRAININGS[seed % len(TRAININGS)]
    # Keras raises an error for one weight for each sample where an output has several steps.
    by_sample = training in ("class_weight", "sample_weight", "validation_sample_weight")
    if sequences and not by_sample and b.chance(0.5):
        made, form = output(b, b.random.choice(["value_of_step", "kind_of_step"]), b.pick(sequences))
        outputs.append(made)
        forms.append(form)
    # Everything that nothing reads leads to the outputs.
    ends = []
    for name in [n for n in b.tensors if b.readers[n] == 0 and n not in [o["node"] for o in outputs]]:
        rank = len(b.dims(name))
        if rank > 1:
            pool = b.random.choice(["GlobalAveragePooling", "GlobalMaxPooling"] if rank == 2 else ["GlobalAveragePooling"])
            name = b.add({"class": f"{pool}{rank - 1}D"}, name)
        ends.append(name)
    joined = ends[0] if len(ends) == 1 else b.add({"class": "Concatenate"}, *ends)
    names = ["kind" if b.chance(0.5) else "flag"] if training == "class_weight" else \
        ["kind", "value"] if training == "class_weight_of" else \
        b.random.sample(["value", "kind", "flag", "class"], b.random.choice([1, 1, 2, 3]))
    for name in names:
        made, form = output(b, name, joined)
        outputs.append(made)
        forms.append(form)
    return b, inputs, outputs, forms, training


def numbers(noise, *shape):
    return noise.normal(size=shape).round(2)


def samples(noise, n, inputs, forms):
    xs, ys = [], []
    for i in inputs:
        x = noise.integers(1, IDS, size=(n, *i["shape"])) if i["name"].startswith("ids") else numbers(noise, n, *i["shape"])
        if len(i["shape"]) == 2 or i["name"].startswith("ids"):
            # Sequences end early.
            for row in range(0, n, 3):
                x[row, -2:] = 0
        xs.append(x)
    for kind, *shape in forms:
        ys.append(numbers(noise, n, *shape) if kind == "values" else np.eye(shape[0])[noise.integers(0, shape[0], n)]
                  if kind == "one_hot" else noise.integers(0, shape[0], (n, *shape[1:])))
    return xs, ys


def rounded(value):
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(v) for v in value]
    return float(f"{float(value):.10g}")


def fit_arguments(case, noise, inputs, outputs, forms, ys, training):
    """The arguments of Keras's fit and evaluate; what the runner reads of them goes into the case."""
    fit, of_evaluate = {"epochs": 3 if len(case["graph"]["nodes"]) < 14 else 2, "batch_size": BATCH}, {}
    case["fit"] = dict(fit)
    names = [o["name"] for o in outputs]
    per_sample = lambda n: noise.integers(1, 9, n) / 4
    if training in ("validation_data", "validation_sample_weight"):
        xs_val, ys_val = samples(noise, VALIDATION_ROWS, inputs, forms)
        fit["validation_data"], case["x_val"], case["y_val"] = (xs_val, ys_val), xs_val, ys_val
        if training == "validation_sample_weight":
            case["validation_sample_weight"] = per_sample(VALIDATION_ROWS)
            fit["validation_data"] += (case["validation_sample_weight"],)
    elif training == "validation_split":
        fit["validation_split"] = case["fit"]["validation_split"] = 0.25
    elif training == "sample_weight":
        fit["sample_weight"] = of_evaluate["sample_weight"] = case["sample_weight"] = per_sample(ROWS)
    elif training == "sample_weight_of":
        weights = [noise.integers(1, 9, y.shape[:1 + o["name"].endswith("step")]) / 4 for o, y in zip(outputs, ys)]
        fit["sample_weight"] = of_evaluate["sample_weight"] = weights
        case["sample_weight_of"] = dict(zip(names, weights))
    elif training == "class_weight":
        classes = {str(k): weight for k, weight in zip(range(forms[0][1]), [0.5, 2.0, 1.25])}
        case["fit"]["class_weight"], fit["class_weight"] = classes, {int(k): v for k, v in classes.items()}
    elif training == "class_weight_of":
        # Keras takes class weights for one output only; those of several are sample weights.
        classes = [0.5, 2.0, 1.25]
        case["class_weight_of"] = {"kind": {str(k): v for k, v in enumerate(classes[:forms[names.index("kind")][1]])}}
        fit["sample_weight"] = [np.take(classes, y) if name == "kind" else np.ones(y.shape[:1 + name.endswith("step")])
                                for name, y in zip(names, ys)]
    return fit, of_evaluate


def compile_model(model, outputs, optimizer):
    by_name = lambda key: {o["name"]: [thing(m) for m in o[key]] for o in outputs}
    one = len(outputs) == 1
    losses, weights = [thing(o["loss"]) for o in outputs], [o["weight"] for o in outputs]
    metrics, weighted = by_name("metrics"), by_name("weighted_metrics")
    only = outputs[0]["name"]
    model.compile(optimizer=thing(optimizer), loss=losses[0] if one else losses, loss_weights=weights,
                  metrics=metrics[only] if one else metrics, weighted_metrics=weighted[only] if one else weighted)


def run(seed):
    b, inputs, outputs, forms, training = random_model(seed)
    noise = np.random.default_rng(seed)
    model = keras.Model([b.tensors[i["name"]] for i in inputs], [b.tensors[o["node"]] for o in outputs])
    layers = [layer for layer in model.layers if layer.weights]
    for layer in layers:
        layer.set_weights([w if "moving" in v.path or v.path.endswith("gamma") else numbers(noise, *w.shape) * 0.5
                           for v, w in zip(layer.weights, layer.get_weights())])
    weights = lambda: {layer.name: [w.tolist() for w in layer.get_weights()] for layer in layers}
    xs, ys = samples(noise, ROWS, inputs, forms)
    case = {"keras": keras.__version__, "graph": {"name": f"graph_{seed:02}", "inputs": inputs, "nodes": b.nodes,
                                                  "outputs": outputs}, "optimizer": b.optimizer, "x": xs, "y": ys}
    fit, of_evaluate = fit_arguments(case, noise, inputs, outputs, forms, ys, training)
    compile_model(model, outputs, b.optimizer)
    case["initial_weights"] = rounded(weights())
    # Keras takes class weights only beside targets that are no list.
    ys = ys[0] if len(ys) == 1 else ys
    history = model.fit(xs, ys, shuffle=False, verbose=0, **fit).history
    scores = model.evaluate(xs, ys, batch_size=BATCH, verbose=0, return_dict=True, **of_evaluate)
    predictions = model.predict(xs, verbose=0)
    predictions = predictions if isinstance(predictions, list) else [predictions]
    case.update(history=rounded(history), evaluate=rounded(scores), final_weights=rounded(weights()),
                predictions=rounded([p.tolist() for p in predictions]))
    if not all(np.isfinite(history["loss"])) or max(history["loss"]) > 50:
        raise ValueError("the loss is out of bounds")
    return case, training


if __name__ == "__main__":
    folder, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 40
    first, seen = int(sys.argv[3]) if len(sys.argv) > 3 else 0, collections.Counter()
    for seed in range(first, first + count):
        case, training = run(seed)
        with open(os.path.join(folder, f"graph_{seed:02}.json"), "w") as file:
            json.dump(case, file, separators=(",", ":"), default=lambda array: array.tolist())
        shared = ["shared"] if any("key" in n for n in case["graph"]["nodes"]) else []
        seen.update({n["layer"]["class"] for n in case["graph"]["nodes"]} | {training, *shared})
        print(seed, training, len(case["graph"]["nodes"]), case["history"]["loss"], flush=True)
        keras.backend.clear_session()
    print(dict(sorted(seen.items())))
