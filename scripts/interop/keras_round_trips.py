#!/usr/bin/env python3
"""Round trips of models between real Keras and this crate.

    scripts/interop/keras_round_trips.py make FOLDER [N [S]] N random models (60) after seed S (0), trained a little and saved by Keras
    scripts/interop/keras_round_trips.py graphs FOLDER [N [S]]   the same of functional models with branches
    cargo run --release --features keras --example keras_round_trip -- FOLDER
    scripts/interop/keras_round_trips.py compare FOLDER      prints a row of docs/interop.md, and fails on any difference

    scripts/interop/keras_round_trips.py fixtures FOLDER     the committed files of tests/persistence/keras for this Keras
    scripts/interop/keras_round_trips.py digits FILE         the model of examples/from_keras.rs

Needs keras with the backend jax (or TensorFlow for tf.keras): python3 -m venv V && V/bin/pip install keras jax scikit-learn
"""
import json
import os
import random
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np

if os.environ.get("TF_KERAS"):
    import tensorflow
    from tensorflow import keras
    VERSION = "tf_" + tensorflow.__version__
else:
    import keras
    VERSION = keras.__version__

L = keras.layers
ROWS, STEPS = 12, 3


# --------------------------------------------------------------------------------------------- random configurations

ACTIVATIONS = [
    "linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "sigmoid", "hard_sigmoid", "log_sigmoid",
    "tanh", "hard_tanh", "softplus", "softsign", "silu", "hard_silu", "mish", "exponential", "softmax", "log_softmax",
    "squareplus", "tanh_shrink", "soft_shrink", "hard_shrink", "sparse_plus", "sparse_sigmoid", "sparsemax",
]


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.noisy = False

    def activation(self):
        return self.r.choice([a for a in ACTIVATIONS if a not in ("exponential",)])

    def regularizer(self):
        return self.r.choice([None, None, keras.regularizers.L1(1e-3), keras.regularizers.L2(1e-3),
                              keras.regularizers.L1L2(1e-3, 2e-3)])

    def constraint(self):
        c = keras.constraints
        return self.r.choice([None, None, None, c.MaxNorm(1.5), c.NonNeg(), c.UnitNorm(), c.MinMaxNorm(0.2, 1.5, 0.7)])

    def initializer(self):
        i = keras.initializers
        return self.r.choice([
            "glorot_uniform", "he_normal", i.RandomNormal(0.0, 0.3), i.RandomUniform(-0.4, 0.4),
            i.TruncatedNormal(0.0, 0.3), i.VarianceScaling(1.5, "fan_avg", "uniform"), i.LecunNormal(), i.GlorotNormal(),
            i.HeUniform(), i.LecunUniform(), i.Orthogonal(0.8), i.Constant(0.2)])

    def weights(self):
        return dict(kernel_initializer=self.initializer(), kernel_regularizer=self.regularizer(),
                    bias_initializer=self.r.choice(["zeros", "ones", keras.initializers.Constant(0.1)]),
                    kernel_constraint=self.constraint(), use_bias=self.r.random() < 0.8)

    def noise(self, layer):
        self.noisy = True
        return layer

    def vector(self):
        r = self.r
        return r.choice([
            lambda: L.Dense(r.randint(2, 6), activation=self.activation(), **self.weights(),
                            activity_regularizer=r.choice([None, None, keras.regularizers.L2(1e-3)])),
            lambda: L.Dense(r.randint(2, 6), activation=self.activation(), **self.weights()),
            lambda: L.BatchNormalization(momentum=r.choice([0.9, 0.99]), epsilon=r.choice([1e-3, 1e-2]),
                                         scale=r.random() < 0.7, center=r.random() < 0.7),
            lambda: L.LayerNormalization(scale=r.random() < 0.7),
            lambda: L.GroupNormalization(groups=-1) if r.random() < 0.3 else L.GroupNormalization(groups=1),
            lambda: L.UnitNormalization(),
            lambda: L.RMSNormalization() if hasattr(L, "RMSNormalization") else L.UnitNormalization(),
            lambda: L.Activation(self.activation()),
            lambda: L.ReLU(max_value=r.choice([None, 1.5]), negative_slope=r.choice([0.0, 0.1]),
                           threshold=r.choice([0.0, 0.1])),
            lambda: L.LeakyReLU(negative_slope=0.15), lambda: L.PReLU(alpha_initializer=keras.initializers.Constant(0.2)),
            lambda: L.ELU(alpha=0.7), lambda: L.Softmax(), lambda: L.Rescaling(1.5, offset=0.2),
            lambda: L.ActivityRegularization(l1=1e-3, l2=1e-3), lambda: L.Identity(),
            lambda: self.noise(L.Dropout(0.3)), lambda: self.noise(L.GaussianNoise(0.1)),
            lambda: self.noise(L.GaussianDropout(0.2)), lambda: self.noise(L.AlphaDropout(0.2)),
        ])()

    def recurrent(self, sequences, both=False):
        r = self.r
        cell = r.choice([L.SimpleRNN, L.LSTM, L.GRU])
        settings = dict(units=r.randint(2, 4), return_sequences=sequences, go_backwards=not both and r.random() < 0.2,
                        kernel_regularizer=self.regularizer(), recurrent_regularizer=self.regularizer(),
                        recurrent_constraint=self.constraint(), use_bias=r.random() < 0.8,
                        activation=r.choice(["tanh", "sigmoid", "softsign"]))
        if cell is not L.SimpleRNN:
            settings["recurrent_activation"] = r.choice(["sigmoid", "hard_sigmoid"])
        if cell is L.GRU:
            settings["reset_after"] = r.random() < 0.6
        if cell is L.LSTM:
            settings["unit_forget_bias"] = r.random() < 0.6
        if r.random() < 0.15:
            settings["dropout"] = 0.2
            self.noisy = True
        return cell(**settings)

    def sequence(self, shape):
        r, (steps, features) = self.r, shape
        choices = [
            lambda: self.recurrent(True),
            lambda: L.Bidirectional(self.recurrent(True, both=True), merge_mode=r.choice(["concat", "sum", "ave", "mul"])),
            lambda: L.TimeDistributed(L.Dense(r.randint(2, 4), activation=self.activation())),
            lambda: L.TimeDistributed(L.BatchNormalization()),
            lambda: L.Conv1D(r.randint(2, 4), r.randint(1, min(3, steps)), padding=r.choice(["same", "causal"]),
                             activation=self.activation(), **self.weights()),
            lambda: L.ZeroPadding1D((1, 2)), lambda: L.UpSampling1D(2), lambda: L.Permute((2, 1)),
            lambda: L.LayerNormalization(axis=-1), lambda: L.BatchNormalization(axis=1), lambda: L.Softmax(axis=1),
            lambda: L.PReLU(shared_axes=[1]), lambda: L.Reshape((-1, steps)),
            lambda: self.noise(L.SpatialDropout1D(0.2)), lambda: L.Masking(mask_value=0.5),
            lambda: L.Dense(3, activation=self.activation(), **self.weights()),
        ]
        if steps >= 3:
            choices += [lambda: L.MaxPooling1D(2), lambda: L.AveragePooling1D(2, strides=1, padding="same"),
                        lambda: L.Cropping1D((1, 1)),
                        lambda: L.Conv1D(2, 2, strides=2), lambda: L.Conv1D(2, 2, dilation_rate=2)]
        return r.choice(choices)()

    def image(self, shape):
        r, (rows, columns, channels) = self.r, shape
        w = self.weights
        choices = [
            lambda: L.Conv2D(r.randint(1, 3), (r.randint(1, 2), r.randint(1, 3)), padding="same",
                             activation=self.activation(), **w()),
            lambda: L.Conv2DTranspose(2, 2, strides=r.choice([1, 2]), padding=r.choice(["same", "valid"])),
            lambda: L.DepthwiseConv2D(2, padding="same", depth_multiplier=r.randint(1, 2),
                                      depthwise_regularizer=self.regularizer()),
            lambda: L.SeparableConv2D(3, 2, padding="same", depth_multiplier=r.randint(1, 2),
                                      pointwise_regularizer=self.regularizer(), depthwise_initializer="he_normal"),
            lambda: L.MaxPooling2D(2, padding="same"), lambda: L.AveragePooling2D((1, 2), padding="same"),
            lambda: L.ZeroPadding2D(((1, 0), (0, 1))), lambda: L.UpSampling2D((1, 2)),
            lambda: L.UpSampling2D(2, interpolation="bilinear"), lambda: L.BatchNormalization(),
            lambda: L.GroupNormalization(groups=1), lambda: self.noise(L.SpatialDropout2D(0.2)),
            lambda: L.Activation(self.activation()), lambda: L.LayerNormalization(axis=[1, 2]),
        ]
        if rows >= 3 and columns >= 3:
            choices += [lambda: L.Cropping2D(((1, 0), (0, 1))), lambda: L.Conv2D(2, 2, strides=2),
                        lambda: L.Conv2D(2, 2, dilation_rate=2)]
        if channels % 2 == 0:
            choices += [lambda: L.Conv2D(4, 2, padding="same", groups=2)]
        return r.choice(choices)()

    def layers(self):
        """The layers up to a vector, with an input."""
        r = self.r
        kind = r.choice(["vector", "vector", "sequence", "sequence", "image", "integers"])
        if kind == "vector":
            self.shape, self.integers = (r.randint(3, 6),), None
            model = [keras.Input(self.shape)]
            if r.random() < 0.3:
                n = self.shape[0]
                model.append(L.Normalization(mean=[0.1] * n, variance=[1.5] * n))
            model += [self.vector() for _ in range(r.randint(1, 4))]
            return model
        if kind == "image":
            self.shape, self.integers = (r.randint(3, 5), r.randint(3, 5), r.randint(1, 2)), None
            model, shape = [keras.Input(self.shape)], self.shape
            for _ in range(r.randint(1, 3)):
                layer = self.image(shape)
                shape = tuple(layer.compute_output_shape((None, *shape)))[1:]
                model.append(layer)
            model.append(r.choice([L.Flatten(), L.GlobalAveragePooling2D(), L.GlobalMaxPooling2D()]))
            return model
        steps = r.randint(4, 6)
        if kind == "integers":
            self.shape, self.integers = (steps,), 9
            model = [keras.Input((steps,)), L.Embedding(9, 3, mask_zero=r.random() < 0.5)]
            shape = (steps, 3)
        else:
            self.shape, self.integers = (steps, r.randint(2, 3)), None
            model, shape = [keras.Input(self.shape)], self.shape
        for _ in range(r.randint(0, 2) if kind == "integers" and model[-1].mask_zero else r.randint(1, 3)):
            layer = self.recurrent(True) if kind == "integers" and model[1].mask_zero else self.sequence(shape)
            shape = tuple(layer.compute_output_shape((None, *shape)))[1:]
            model.append(layer)
        model.append(r.choice([lambda: self.recurrent(False), lambda: L.Bidirectional(self.recurrent(False, both=True)),
                               L.GlobalAveragePooling1D])())
        return model

    def output(self):
        """The last layers, the loss, its metrics and the form of the targets."""
        r, losses, m = self.r, keras.losses, keras.metrics
        form = r.choice(["classes", "classes", "one_hot", "binary", "multilabel", "values", "values"])
        if form == "classes":
            k, loss = r.randint(2, 4), losses.SparseCategoricalCrossentropy(from_logits=r.random() < 0.3)
            metrics = ["accuracy", m.SparseTopKCategoricalAccuracy(k=2), m.SparseCategoricalCrossentropy()]
            activation = "linear" if loss.get_config()["from_logits"] else "softmax"
            metrics = metrics[:1] if activation == "linear" else metrics
            return form, k, [L.Dense(k, activation=activation)], loss, metrics
        if form == "one_hot":
            k = r.randint(2, 4)
            loss = r.choice([losses.CategoricalCrossentropy(label_smoothing=0.1), losses.CategoricalFocalCrossentropy(),
                             losses.KLDivergence(), losses.CategoricalHinge(),
                             losses.CategoricalCrossentropy(reduction="sum")])
            metrics = ["accuracy", m.CategoricalAccuracy(name="own"), m.F1Score(average="macro"),
                       m.TopKCategoricalAccuracy(k=2), m.FBetaScore(average="weighted", beta=2.0)]
            return form, k, [L.Dense(k, activation="softmax")], loss, metrics
        if form in ("binary", "multilabel"):
            k = 1 if form == "binary" else r.randint(2, 3)
            loss = r.choice([losses.BinaryCrossentropy(), losses.BinaryCrossentropy(label_smoothing=0.1), "bce",
                             losses.BinaryFocalCrossentropy(gamma=1.5), losses.Dice(), losses.Tversky(alpha=0.4, beta=0.6)])
            metrics = [m.BinaryAccuracy(threshold=0.4), m.AUC(num_thresholds=50), m.AUC(curve="PR", name="pr"),
                       m.Precision(), m.Recall(thresholds=0.3), m.TruePositives(), m.FalseNegatives()]
            return form, k, [L.Dense(k, activation="sigmoid")], loss, metrics
        k = r.randint(1, 3)
        positive = r.random() < 0.3
        plain = [losses.MeanSquaredError(), losses.MeanAbsoluteError(), losses.Huber(), losses.LogCosh(), "mse",
                 losses.MeanSquaredError(reduction="sum"), losses.CosineSimilarity(), losses.Hinge()]
        loss = r.choice([losses.Poisson(), losses.MeanSquaredLogarithmicError()] if positive else plain)
        hinge = not isinstance(loss, str) and loss.name == "hinge"
        metrics = ["mae", m.RootMeanSquaredError(), m.MeanSquaredError(name="squares"), m.LogCoshError(),
                   m.CosineSimilarity(), m.R2Score()]
        return "signs" if hinge else "positive" if positive else "values", k, [
            L.Dense(k, activation="softplus" if positive else "linear")], loss, metrics

    def optimizer(self):
        r, o, s = self.r, keras.optimizers, keras.optimizers.schedules
        rate = r.choice([0.01, 0.02, s.ExponentialDecay(0.02, 3, 0.8), s.CosineDecay(0.01, 20, alpha=0.1),
                         s.CosineDecay(0.001, 20, warmup_target=0.02, warmup_steps=4), s.InverseTimeDecay(0.02, 4, 0.5),
                         s.PolynomialDecay(0.02, 20, 0.001), s.PiecewiseConstantDecay([2, 5], [0.02, 0.01, 0.005]),
                         s.CosineDecayRestarts(0.02, 4)])
        base = r.choice([{}, {}, {"clipnorm": 1.0}, {"global_clipnorm": 0.5}, {"clipvalue": 0.1}, {"weight_decay": 0.01},
                         {"use_ema": True, "ema_momentum": 0.9},
                         {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 2},
                         {"gradient_accumulation_steps": 2}])
        if VERSION.startswith("3.0."):
            base.pop("gradient_accumulation_steps", None)
        choices = [
            lambda: o.SGD(rate, **base), lambda: o.SGD(rate, momentum=0.9, **base),
            lambda: o.SGD(rate, momentum=0.8, nesterov=True, **base), lambda: o.Adam(rate, **base),
            lambda: o.Adam(rate, amsgrad=True, **base), lambda: o.AdamW(rate, **{"weight_decay": 0.02, **base}),
            lambda: o.Nadam(rate, **base), lambda: o.Adamax(rate, **base), lambda: o.RMSprop(rate, **base),
            lambda: o.RMSprop(rate, momentum=0.8, centered=True, **base), lambda: o.RMSprop(rate, momentum=0.8, **base),
            lambda: o.RMSprop(rate, centered=True, **base), lambda: o.Adagrad(rate, **base),
            lambda: o.Adadelta(rate, **base), lambda: o.Lion(rate, **base), lambda: o.Ftrl(rate, **base),
            lambda: o.Adafactor(rate, **base),
        ]
        if hasattr(o, "Lamb"):
            choices.append(lambda: o.Lamb(rate, **base))
        return r.choice(choices)()

    def case(self):
        body = self.layers()
        form, k, last, loss, metrics = self.output()
        model = keras.Sequential(body + last)
        if self.r.random() < 0.2 and len(body) > 1:
            body[1].trainable = False
        metrics = self.r.sample(metrics, min(2, len(metrics)))
        model.compile(optimizer=self.optimizer(), loss=loss, metrics=metrics)
        g = np.random.default_rng(self.r.randrange(1 << 30))
        if self.integers:
            x = g.integers(1, self.integers, (ROWS, *self.shape)).astype("float32")
            for row in range(ROWS):
                x[row, self.shape[0] - row % 3:] = 0
        else:
            x = g.normal(size=(ROWS, *self.shape)).astype("float32")
        y = {"classes": lambda: g.integers(0, k, ROWS), "one_hot": lambda: np.eye(k)[g.integers(0, k, ROWS)],
             "binary": lambda: g.integers(0, 2, (ROWS, 1)), "multilabel": lambda: g.integers(0, 2, (ROWS, k)),
             "values": lambda: g.normal(size=(ROWS, k)), "positive": lambda: g.random((ROWS, k)) * 3,
             "signs": lambda: g.integers(0, 2, (ROWS, k)) * 2 - 1}[form]()
        y = y.astype("int64" if form == "classes" else "float32")
        return model, x, y, form == "classes"


# ------------------------------------------------------------------------------------------------------------ graphs

class Graph:
    """A random functional model of two inputs, vectors and sequences, with shared layers and one to three outputs."""

    def __init__(self, seed):
        self.r = r = random.Random(seed)
        self.vectors = [keras.Input((4,), name="numbers")]
        self.sequences = [keras.Input((5, 3), name="steps")]
        self.inputs = [self.vectors[0], self.sequences[0]]
        self.shared = {}
        for _ in range(r.randint(3, 9)):
            r.choice([self.dense, self.merge, self.merge, self.share, self.norm, self.sequence, self.merge_sequences,
                      self.attend, self.attend, self.end, self.inner])()
        self.end()
        outputs = []
        for index in range(r.randint(1, 3)):
            h = L.Concatenate()([self.vectors[-1], r.choice(self.vectors)]) if index == 0 else r.choice(self.vectors)
            outputs.append(L.Dense(r.randint(1, 2), name=r.choice([None, f"answer_{index}"]))(h))
        # Both inputs lead to the first output.
        first = L.Concatenate()([outputs[0], L.Flatten()(self.sequences[0]), self.vectors[0]])
        outputs[0] = L.Dense(2, activation="tanh", name="first")(first)
        self.model = keras.Model(self.inputs, outputs)
        o = keras.optimizers
        optimizer = r.choice([lambda: o.Adam(0.01), lambda: o.SGD(0.05, momentum=0.9), lambda: o.RMSprop(0.01),
                              lambda: o.Nadam(0.01), lambda: o.Adafactor(0.01)])()
        losses = [r.choice(["mse", "mae", "huber"]) for _ in outputs]
        weights = [r.choice([1.0, 0.5, 2.0]) for _ in outputs]
        metrics = [r.choice([[], ["mae"]]) for _ in outputs]
        if len(outputs) == 1:
            losses, weights, metrics = losses[0], None, metrics[0]
        self.model.compile(optimizer, losses, loss_weights=weights, metrics=metrics)

    def vector(self):
        return self.r.choice(self.vectors)

    def dense(self):
        self.vectors.append(L.Dense(self.r.randint(3, 4), activation=self.r.choice(["relu", "tanh", "gelu"]))(self.vector()))

    def of_width(self, tensors):
        width = self.r.choice(tensors).shape[-1]
        return [t for t in tensors if t.shape == (None, *t.shape[1:-1], width)]

    def merge(self):
        same = self.of_width(self.vectors)
        a, b = self.r.choice(same), self.r.choice(same)
        kind = self.r.choice([L.Add, L.Subtract, L.Multiply, L.Average, L.Maximum, L.Minimum, L.Concatenate])
        h = kind()([a, b])
        if kind is L.Concatenate:
            h = L.Dense(4)(h)
        self.vectors.append(h)

    def share(self):
        h = self.vector()
        layer = self.shared.setdefault(h.shape[-1], L.Dense(4, activation="sigmoid"))
        self.vectors.append(layer(h))

    def norm(self):
        self.vectors.append(self.r.choice([L.BatchNormalization, L.LayerNormalization])()(self.vector()))

    def sequence(self):
        h = self.r.choice(self.sequences)
        self.sequences.append(self.r.choice([
            lambda h: L.Conv1D(3, 3, padding="same", activation="relu")(h),
            lambda h: L.GRU(3, return_sequences=True)(h),
            lambda h: L.Bidirectional(L.LSTM(2, return_sequences=True), merge_mode="concat")(h),
            lambda h: L.MultiHeadAttention(2, 3)(h, h),
            lambda h: L.MultiHeadAttention(2, 2, use_bias=False)(h, self.r.choice(self.sequences), use_causal_mask=True),
        ])(h))

    def merge_sequences(self):
        h = self.r.choice(self.sequences)
        other = L.Dense(h.shape[-1])(self.r.choice(self.sequences))
        self.sequences.append(self.r.choice([
            lambda: L.Add()([h, other]), lambda: L.Multiply()([h, other]),
            lambda: L.Concatenate(axis=-1)([h, other]), lambda: L.Dense(3)(L.Dot(axes=(2, 2))([h, other]))])())

    def attend(self):
        """Attention without projections of one sequence to another; a mask of the value, a separate key."""
        r = self.r
        query, value = r.choice(self.sequences), r.choice(self.sequences)
        if r.random() < 0.3:
            value = L.Masking(mask_value=0.0)(self.sequences[0])
        inputs = [query, value]
        if value.shape[-1] != query.shape[-1] or r.random() < 0.3:
            inputs.append(L.Dense(query.shape[-1], activation="tanh")(value))
        layer = r.choice([lambda: L.Attention(use_scale=r.random() < 0.7), lambda: L.Attention(use_scale=True, score_mode="concat"),
                          lambda: L.Attention(score_mode="concat"), lambda: L.AdditiveAttention(use_scale=r.random() < 0.7)])()
        self.sequences.append(layer(inputs, use_causal_mask=r.random() < 0.4))

    def end(self):
        h = self.r.choice(self.sequences)
        h = self.r.choice([L.Flatten(), L.GlobalAveragePooling1D(), L.LSTM(3)])(h)
        self.vectors.append(L.Dense(4)(h))

    def inner(self):
        h = self.vector()
        inner = keras.Sequential([keras.Input(h.shape[1:]), L.Dense(3, activation="relu"), L.Dense(4)])
        self.vectors.append(inner(h))


def graph_case(seed):
    model = Graph(seed).model
    g = np.random.default_rng(seed)
    array = lambda tensor: np.round(g.normal(size=(ROWS, *tensor.shape[1:])), 3).astype("float32")
    inputs = [array(tensor) for tensor in model.inputs]
    for row in range(ROWS if any(isinstance(layer, L.Masking) for layer in model.layers) else 0):
        inputs[1][row, 5 - row % 3:] = 0
    return model, inputs, [array(tensor) for tensor in model.outputs]


# ------------------------------------------------------------------------------------------------------- round trips

def answers(model, x, y):
    scores = model.evaluate(x, y, batch_size=ROWS, verbose=0, return_dict=True)
    predictions = model.predict(x, batch_size=ROWS, verbose=0)
    if isinstance(predictions, list):
        predictions = np.concatenate([np.ravel(output) for output in predictions])
    return {"predictions": np.asarray(predictions, "float64").ravel().tolist(),
            "scores": [[name, float(value)] for name, value in scores.items()]}


def train(model, x, y):
    model.fit(x, y, epochs=STEPS, batch_size=ROWS, shuffle=False, verbose=0)


def lists(arrays):
    return [{"shape": list(array.shape), "values": array.ravel().tolist()} for array in arrays]


def arrays(lists):
    return [np.asarray(array["values"], "float32").reshape(array["shape"]) for array in lists]


def save_case(folder, name, model, x, y, labels, noisy):
    train(model, x, y)
    model.save(f"{folder}/{name}.keras")
    want = {"loaded": answers(model, x, y)}
    train(model, x, y)
    want["trained"] = answers(model, x, y)
    if not all(np.isfinite(found["predictions"] + [value for _, value in found["scores"]]).all() for found in want.values()):
        raise ValueError("it diverges")
    data = {"inputs": lists(x), "targets": lists(y)} if isinstance(x, list) else {
        "x": x.ravel().tolist(), "x_shape": list(x.shape), "y": y.ravel().tolist()}
    case = {**data, "labels": labels, "steps": STEPS, "noisy": noisy, "keras": VERSION, "layers": [layer.__class__.__name__ for layer in model.layers],
            "optimizer": model.optimizer.__class__.__name__, "want": want}
    with open(f"{folder}/{name}.case.json", "w") as out:
        json.dump(case, out)


def finite(model, x, y):
    found = answers(model, x, y)
    return np.isfinite(found["predictions"] + [value for _, value in found["scores"]]).all()


def make(folder, n, seed, graphs=False):
    os.makedirs(folder, exist_ok=True)
    made = 0
    while made < n:
        seed += 1
        keras.utils.set_random_seed(seed)
        generator = Generator(seed)
        try:
            model, x, y, labels = (*graph_case(seed), False) if graphs else generator.case()
            if not finite(model, x, y):
                continue
            save_case(folder, f"case{seed:04}", model, x, y, labels, generator.noisy)
        except (ValueError, TypeError, NotImplementedError) as problem:
            print(f"seed {seed}: Keras refuses it: {str(problem).splitlines()[0][:110]}", file=sys.stderr)
            continue
        made += 1
        keras.utils.clear_session(free_memory=True) if VERSION >= "3.1" else keras.utils.clear_session()


def difference(got, want):
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape:
        return np.inf
    return float(np.max(np.abs(got - want) / np.maximum(1.0, np.abs(want)), initial=0.0))


def score_difference(got, want):
    """Keras names metrics by class and number; the order is the same."""
    values = lambda scores: [value for name, value in scores if name == "loss"] + [v for n, v in scores if n != "loss"]
    return difference(sorted(values(got)), sorted(values(want)))


def compare(folder, tolerance=2e-3):
    rows = {"read": [], "trained": [], "written": [], "continued": [], "weights": []}
    failures, layers, optimizers = [], set(), set()
    names = sorted(name[:-len(".case.json")] for name in os.listdir(folder) if name.endswith(".case.json"))
    for name in names:
        case = json.load(open(f"{folder}/{name}.case.json"))
        got = json.load(open(f"{folder}/{name}.axonal.json"))
        layers.update(case["layers"])
        optimizers.add(case["optimizer"])
        if "error" in got:
            failures.append(f"{name}: {got['error']}")
            continue
        if "inputs" in case:
            x, y = arrays(case["inputs"]), arrays(case["targets"])
        else:
            x = np.asarray(case["x"], "float32").reshape(case["x_shape"])
            y = np.asarray(case["y"])
            y = y.astype("int64") if case["labels"] else y.astype("float32").reshape(len(x), -1)

        def check(stage, found, wanted, limit):
            for what, value in (("predictions", difference(found["predictions"], wanted["predictions"])),
                                ("scores", score_difference(found["scores"], wanted["scores"]))):
                rows[stage].append(value)
                if not value <= limit:
                    failures.append(f"{name} {stage}: {what} differ by {value:.2e} ({'-'.join(case['layers'])}, "
                                    f"{case['optimizer']})")

        check("read", got["loaded"], case["want"]["loaded"], 2e-5)
        if not case["noisy"]:
            check("trained", got["trained"], case["want"]["trained"], tolerance)
        try:
            model = keras.models.load_model(f"{folder}/{name}.saved.keras")
            check("written", answers(model, x, y), got["trained"], 2e-5)
            # A model inside a model is dissolved, so its weights are no longer under its name.
            if "Sequential" not in case["layers"]:
                clone = keras.models.load_model(f"{folder}/{name}.keras")
                clone.load_weights(f"{folder}/{name}.saved.weights.h5")
                check("weights", answers(clone, x, y), got["trained"], 2e-5)
            if not case["noisy"]:
                train(model, x, y)
                check("continued", answers(model, x, y), got["continued"], tolerance)
        except (ValueError, TypeError) as problem:
            failures.append(f"{name}: Keras refuses the file: {str(problem).splitlines()[-1]}")
        keras.utils.clear_session()
    for failure in failures:
        print(failure)
    cells = [f"{max(values, default=0):.1e} ({len(values) // 2})" for values in rows.values()]
    print(f"| {VERSION} | {len(names)} | {' | '.join(cells)} | {len(failures)} |")
    print(f"{len(layers)} classes of layers: {', '.join(sorted(layers))}")
    print(f"{len(optimizers)} optimizers: {', '.join(sorted(optimizers))}")
    sys.exit(1 if failures else 0)


# ---------------------------------------------------------------------------------------------------------- fixtures

def fixture_models():
    """Small models that show what versions of Keras write differently."""
    r, c, o = keras.regularizers, keras.constraints, keras.optimizers
    inputs = keras.Input((6,), name="numbers")
    h = L.Dense(5, activation="relu", kernel_regularizer=r.L2(1e-3), name="first")(inputs)
    h = L.BatchNormalization(name="norm")(h)
    functional = keras.Model(inputs, L.Dense(3, activation="softmax", name="last")(h), name="chain")
    functional.compile(o.SGD(0.05, momentum=0.9, nesterov=True), "sparse_categorical_crossentropy", metrics=["accuracy"])
    yield "functional", functional, (6,), 3
    sequence = keras.Sequential([
        keras.Input((5, 4)), L.Bidirectional(L.LSTM(3, return_sequences=True)), L.GRU(3, dropout=0.0),
        L.Dense(1, activation="sigmoid", kernel_constraint=c.MaxNorm(2.0))])
    sequence.compile(o.Adam(0.01, clipnorm=1.0), "binary_crossentropy", metrics=["accuracy", keras.metrics.AUC(name="auc")])
    yield "sequence", sequence, (5, 4), 0
    image = keras.Sequential([
        keras.Input((6, 6, 2)), L.Conv2D(3, 3, padding="same", activation="relu"), L.MaxPooling2D(),
        L.SeparableConv2D(4, 2), L.LeakyReLU(0.2), L.Flatten(), L.Dense(3)])
    rate = o.schedules.ExponentialDecay(0.02, 10, 0.9)
    image.compile(o.RMSprop(rate, momentum=0.5), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    yield "image", image, (6, 6, 2), 3


def attention_fixture(folder):
    """Attention without projections, in all forms, with padding masks of queries and values."""
    keras.utils.set_random_seed(7)
    query, value = keras.Input((4, 3), name="query"), keras.Input((5, 3), name="value")
    q, v = L.Masking()(query), L.Masking()(value)
    dot = L.Attention(use_scale=True, name="dot")([q, v])
    concat = L.Attention(score_mode="concat", use_scale=True, name="concat")([dot, v, L.Dense(3)(value)], use_causal_mask=True)
    additive = L.AdditiveAttention(name="additive")([concat, v])
    plain = L.AdditiveAttention(use_scale=False)([L.Attention()([query, value]), value], use_causal_mask=True)
    joined = L.Concatenate()([L.Flatten()(h) for h in [concat, additive, plain]])
    model = keras.Model([query, value], L.Dense(2, name="answer")(joined))
    model.compile(keras.optimizers.Adam(0.02), "mse")
    g = np.random.default_rng(3)
    array = lambda *shape: np.round(g.normal(size=(ROWS, *shape)), 3).astype("float32")
    x, y = [array(4, 3), array(5, 3)], [array(2)]
    for row in range(ROWS):
        x[0][row, 4 - row % 2:], x[1][row, 5 - row % 3:] = 0, 0
    save_graph_fixture(f"{folder}/attention_{VERSION.replace('.', '_')}", model, x, y)


def save_graph_fixture(name, model, x, y):
    train(model, x, y)
    model.save(name + (".h5" if os.environ.get("TF_KERAS") else ".keras"))
    want = {"loaded": answers(model, x, y)}
    train(model, x, y)
    want["trained"] = answers(model, x, y)
    with open(f"{name}.case.json", "w") as out:
        json.dump({"inputs": lists(x), "targets": lists(y), "want": want}, out)


def graph_fixture(folder):
    """Two inputs and outputs, a shared layer, attention, a model inside the model."""
    keras.utils.set_random_seed(7)
    a, b = keras.Input((4,), name="numbers"), keras.Input((5, 3), name="steps")
    shared = L.Dense(3, activation="tanh", name="shared")
    inner = keras.Sequential([keras.Input((3,)), L.Dense(4, activation="relu"), L.Dense(3)])
    if os.environ.get("TF_KERAS"):
        # The weights of a model inside the model are not read from the legacy format.
        inner = L.Dense(3)
    attention = L.MultiHeadAttention(2, 3, name="look")(b, b, use_causal_mask=True)
    deeper = L.Add()([b, attention])
    summary = L.LSTM(3)(L.Bidirectional(L.LSTM(2, return_sequences=True))(deeper))
    first, second = shared(a), shared(L.Dense(4)(summary))
    joined = L.Concatenate()([first, L.Maximum()([first, second]), inner(second), L.Dot(axes=-1)([first, second])])
    price = L.Dense(1, name="price")(L.BatchNormalization()(joined))
    model = keras.Model([a, b], [price, L.Dense(2, name="angles")(L.Subtract()([first, second]))], name="graph")
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), ["mse", "mae"], loss_weights=[1.0, 0.5], metrics=[["mae"], []])
    g = np.random.default_rng(3)
    array = lambda *shape: np.round(g.normal(size=(ROWS, *shape)), 3).astype("float32")
    save_graph_fixture(f"{folder}/graph_{VERSION.replace('.', '_')}", model, [array(4), array(5, 3)], [array(1), array(2)])


def fixtures(folder):
    os.makedirs(folder, exist_ok=True)
    graph_fixture(folder)
    attention_fixture(folder)
    for name, model, shape, classes in fixture_models():
        keras.utils.set_random_seed(7)
        g = np.random.default_rng(3)
        x = np.round(g.normal(size=(ROWS, *shape)), 3).astype("float32")
        y = g.integers(0, classes, ROWS) if classes else g.integers(0, 2, (ROWS, 1)).astype("float32")
        train(model, x, y)
        tag = VERSION.replace(".", "_")
        extensions = ["h5"] if os.environ.get("TF_KERAS") else ["keras", "h5"] if name == "functional" else ["keras"]
        for extension in extensions:
            model.save(f"{folder}/{name}_{tag}.{extension}")
        want = {"loaded": answers(model, x, y)}
        train(model, x, y)
        want["trained"] = answers(model, x, y)
        case = {"x": x.ravel().tolist(), "x_shape": list(x.shape), "y": y.ravel().tolist(), "labels": bool(classes),
                "steps": STEPS, "want": want}
        case["x"] = [round(value, 3) for value in case["x"]]
        with open(f"{folder}/{name}_{tag}.case.json", "w") as out:
            json.dump(case, out)


def digits(path):
    """A network for the digits of scikit-learn, trained for a few epochs."""
    from sklearn.datasets import load_digits
    data = load_digits()
    x, y = data.data.astype("float32"), data.target
    keras.utils.set_random_seed(1)
    model = keras.Sequential([
        keras.Input((64,)), L.Rescaling(1 / 16), L.Dense(32, activation="relu"), L.Dropout(0.1),
        L.Dense(10, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x[:1400], y[:1400], epochs=8, batch_size=32, verbose=0)
    print(model.evaluate(x[1400:], y[1400:], verbose=0))
    model.save(path)


if __name__ == "__main__":
    command, *arguments = sys.argv[1:] or ["help"]
    if command in ("make", "graphs"):
        make(arguments[0], *map(int, (arguments[1:] + ["60", "0"][len(arguments) - 1:])[:2]), graphs=command == "graphs")
    elif command == "compare":
        compare(arguments[0])
    elif command == "fixtures":
        fixtures(arguments[0])
    elif command == "digits":
        digits(arguments[0])
    else:
        sys.exit(__doc__)
