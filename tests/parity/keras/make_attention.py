"""Computes Attention and AdditiveAttention of Keras and their gradients, for tests/parity.

Usage: KERAS_BACKEND=jax python make_attention.py FILE   (Keras 3.15, JAX)

Each case has inputs, masks (null for none), weights, the output in inference, the gradient dy that flows back, and the gradients of
the inputs and weights. Cases of f32 have no gradients: in f32 a query without a valid key reads the mean of all values, as in this
crate; in f64 the scores are still visible beside the 1e9 that Keras subtracts from them.

keras.ops.tanh of Keras 3.15 rounds f64 to f32; the program replaces it by that of JAX.
"""
import json, os, sys
os.environ.setdefault("KERAS_BACKEND", "jax")
import jax
jax.config.update("jax_enable_x64", True)
import keras
import numpy as np
from keras.src import ops

ops.tanh = jax.numpy.tanh


def case(seed, layer, settings, steps, features, key=False, masks=None, causal=False, dtype="float64"):
    """`steps` and `features` are those of the query and of the value; `masks` the valid steps of (query, value), sample by sample."""
    g = np.random.default_rng(seed)
    n, (tq, tv), (dim, value_dim) = 3, steps, features
    array = lambda *shape: g.normal(size=shape).round(3).astype(dtype)
    inputs = [array(n, tq, dim), array(n, tv, value_dim)] + ([array(n, tv, dim)] if key else [])
    made = getattr(keras.layers, layer)(**settings, dtype=dtype)
    made.build([x.shape for x in inputs])
    weights = [array(*w.shape) + 0.5 for w in made.weights]
    valid = masks and [[[step < length for step in range(t)] for length in lengths] if lengths else None
                       for lengths, t in zip(masks, (tq, tv))]
    given = valid and [None if mask is None else np.array(mask) for mask in valid]

    def apply(inputs, weights):
        return made.stateless_call(weights, [], inputs, mask=given, use_causal_mask=causal, training=False)[0]

    y, back = jax.vjp(apply, inputs, weights)
    dy = array(*y.shape)
    d_inputs, d_weights = back(dy)
    lists = lambda arrays: [np.asarray(a, "float64").tolist() for a in arrays]
    found = {"layer": layer, "settings": settings, "causal": causal, "inputs": lists(inputs), "masks": valid, "dtype": dtype,
             "weights": lists(weights), "weight_names": [w.name for w in made.weights], "y": lists([y])[0]}
    if dtype == "float64":
        found |= {"dy": lists([dy])[0], "d_inputs": lists(d_inputs), "d_weights": lists(d_weights)}
    return found


def cases():
    kinds = [("Attention", {}), ("Attention", {"use_scale": True}), ("Attention", {"score_mode": "concat"}),
             ("Attention", {"score_mode": "concat", "use_scale": True}), ("AdditiveAttention", {}),
             ("AdditiveAttention", {"use_scale": False})]
    seed = 0
    for layer, settings in kinds:
        for form in [{}, {"key": True}, {"causal": True}, {"masks": ([4, 2, 3], [5, 1, 3])}, {"masks": (None, [2, 5, 4]), "key": True},
                     {"masks": ([1, 4, 2], None), "causal": True}, {"masks": ([4, 4, 1], [3, 5, 1]), "key": True, "causal": True}]:
            seed += 1
            dim = 3 if "key" not in form else 2
            yield case(seed, layer, settings, (4, 5), (dim, 3), **form)
        yield case(seed + 100, layer, settings, (4, 5), (3, 3), masks=([4, 2, 3], [0, 2, 0]), causal=seed % 2 == 0, dtype="float32")


if __name__ == "__main__":
    with open(sys.argv[1], "w") as file:
        json.dump({"keras": keras.__version__, "attention_cases": list(cases())}, file, separators=(",", ":"))
