"""Writes cases.json: metrics of inputs that rounding makes hard, computed in exact arithmetic.

Run with scikit-learn 1.9 and mpmath: python3 generate.py [cases of each kind]. Every value is computed from fractions, as the
formulas of scikit-learn's documentation say, and rounded once. scikit-learn must agree within 1e-9 on ordinary inputs (the
program fails if not); of how many others it does not, because of rounding, overflow or underflow, is printed by metric.
Numbers are written as strings, so that no JSON parser rounds them.
"""

import collections
import json
import math
import pathlib
import sys
import warnings
from fractions import Fraction

import mpmath
import numpy as np
import sklearn
from sklearn import metrics

warnings.simplefilter("ignore")
mpmath.mp.prec = 4000
rng = np.random.default_rng(21)
N = int(sys.argv[1]) if len(sys.argv) > 1 else 24
cases, wrong, compared = [], collections.Counter(), collections.Counter()


def rounded(value):
    """The nearest float of a fraction or an mpmath number; infinite beyond the range."""
    if isinstance(value, Fraction):
        value = mpmath.mpf(value.numerator) / value.denominator
    if isinstance(value, float) and math.isnan(value):
        return value
    return float(value) if abs(value) < mpmath.mpf(2) ** 1024 else math.copysign(math.inf, value)


def root(value):
    return mpmath.sqrt(mpmath.mpf(value.numerator) / value.denominator)


def plain(value):
    if isinstance(value, (np.ndarray, list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (int, np.integer, str)) or value is None:
        return value if not isinstance(value, np.integer) else int(value)
    return repr(float(value))


def compare(name, exact, theirs, ordinary):
    compared[name] += 1
    try:
        theirs = float(theirs())
    except (ValueError, FloatingPointError):
        theirs = math.nan
    same = math.isnan(exact) and math.isnan(theirs) or exact == theirs
    if not same and not abs(exact - theirs) <= 1e-9 * max(1, abs(exact)):
        assert not ordinary, f"{name}: {exact} exactly, {theirs} by scikit-learn"
        wrong[name] += 1


def case(kind, name, want, **fields):
    cases.append({"kind": kind, "name": name, **{k: plain(v) for k, v in fields.items()},
                  "want": {k: plain(v) for k, v in want.items()}})


def mean(values, weights):
    return sum((v * w for v, w in zip(values, weights)), Fraction(0)) / sum(weights)


def of_values(name, t, p, w=None, ordinary=False):
    ft, fp = [Fraction(float(v)) for v in t], [Fraction(float(v)) for v in p]
    fw = [Fraction(float(v)) for v in w] if w is not None else [Fraction(1)] * len(t)
    errors = [a - b for a, b in zip(ft, fp)]
    mse = mean([e * e for e in errors], fw)
    center, bias = mean(ft, fw), mean(errors, fw)
    total = mean([(v - center) ** 2 for v in ft], fw)
    residual = mean([(e - bias) ** 2 for e in errors], fw)
    share = lambda left: 1 - left / total if total else Fraction(int(left == 0))
    epsilon = Fraction(float(np.finfo(float).eps))
    alpha = Fraction(0.3)
    exact = {
        "r2": share(mse), "explained": share(residual), "mse": mse, "rmse": root(mse),
        "mae": mean([abs(e) for e in errors], fw),
        "mape": mean([abs(e) / max(abs(v), epsilon) for e, v in zip(errors, ft)], fw),
        "pinball": mean([max(alpha * e, (alpha - 1) * e) for e in errors], fw),
    }
    if w is None:
        ordered = sorted(abs(e) for e in errors)
        exact["median"] = (ordered[(len(t) - 1) // 2] + ordered[len(t) // 2]) / 2
        exact["max"] = ordered[-1]
    exact = {k: rounded(v) for k, v in exact.items()}
    how = {} if w is None else {"sample_weight": w}
    for key, theirs in (("r2", metrics.r2_score), ("explained", metrics.explained_variance_score),
                        ("mse", metrics.mean_squared_error), ("rmse", metrics.root_mean_squared_error),
                        ("mae", metrics.mean_absolute_error), ("mape", metrics.mean_absolute_percentage_error)):
        compare(key, exact[key], lambda: theirs(t, p, **how), ordinary)
    case("values", name, exact, t=t, p=p, w=w)


def of_classes(name, y, p, w=None, ordinary=False):
    fw = [Fraction(float(v)) for v in w] if w is not None else [Fraction(1)] * len(y)
    classes = sorted({*y.tolist(), *p.tolist()})
    matrix = {(a, b): Fraction(0) for a in classes for b in classes}
    for a, b, weight in zip(y.tolist(), p.tolist(), fw):
        matrix[a, b] += weight
    s = sum(fw)
    truths = {a: sum(matrix[a, b] for b in classes) for a in classes}
    predictions = {b: sum(matrix[a, b] for a in classes) for b in classes}
    hits = sum(matrix[a, a] for a in classes)
    chance = sum(truths[a] * predictions[a] for a in classes)
    square = (s * s - sum(v * v for v in truths.values())) * (s * s - sum(v * v for v in predictions.values()))
    ratio = lambda a, b: a / b if b else Fraction(0)
    f1 = {a: ratio(2 * matrix[a, a], truths[a] + predictions[a]) for a in classes}
    jaccard = {a: ratio(matrix[a, a], truths[a] + predictions[a] - matrix[a, a]) for a in classes}
    recalls = [matrix[a, a] / truths[a] for a in classes if truths[a]]
    exact = {
        "accuracy": hits / s, "balanced": sum(recalls) / len(recalls),
        "matthews": mpmath.mpf((hits * s - chance).numerator) / (hits * s - chance).denominator / root(square) if square else Fraction(0),
        "kappa": (hits * s - chance) / (s * s - chance) if s * s != chance else math.nan,
        "f1_macro": sum(f1.values()) / len(classes),
        "f1_weighted": sum(f1[a] * truths[a] for a in classes) / s,
        "jaccard_macro": sum(jaccard.values()) / len(classes),
    }
    exact = {k: rounded(v) for k, v in exact.items()}
    how = {} if w is None else {"sample_weight": w}
    for key, theirs in (("accuracy", metrics.accuracy_score), ("balanced", metrics.balanced_accuracy_score),
                        ("matthews", metrics.matthews_corrcoef), ("kappa", metrics.cohen_kappa_score)):
        compare(key, exact[key], lambda: theirs(y, p, **how), ordinary)
    compare("f1_macro", exact["f1_macro"], lambda: metrics.f1_score(y, p, average="macro", zero_division=0, **how), ordinary)
    compare("f1_weighted", exact["f1_weighted"], lambda: metrics.f1_score(y, p, average="weighted", zero_division=0, **how), ordinary)
    compare("jaccard_macro", exact["jaccard_macro"], lambda: metrics.jaccard_score(y, p, average="macro", zero_division=0, **how), ordinary)
    case("classes", name, exact, y=y, p=p, w=w)


def of_scores(name, y, s, w=None, ordinary=False):
    fw = [Fraction(float(v)) for v in w] if w is not None else [Fraction(1)] * len(y)
    positives = sum(weight for weight, label in zip(fw, y) if label)
    negatives = sum(weight for weight, label in zip(fw, y) if not label)
    hits = alarms = area = average = Fraction(0)
    for score in sorted(set(s.tolist()), reverse=True):
        gain = sum((fw[i] for i in range(len(y)) if s[i] == score and y[i]), Fraction(0))
        false = sum((fw[i] for i in range(len(y)) if s[i] == score and not y[i]), Fraction(0))
        area += false * (2 * hits + gain) / 2
        hits, alarms = hits + gain, alarms + false
        if gain:
            average += gain * hits / (hits + alarms)
    exact = {"auc": rounded(area / positives / negatives), "average_precision": rounded(average / positives)}
    how = {} if w is None else {"sample_weight": w}
    compare("auc", exact["auc"], lambda: metrics.roc_auc_score(y, s, **how), ordinary)
    compare("average_precision", exact["average_precision"], lambda: metrics.average_precision_score(y, s, **how), ordinary)
    case("scores", name, exact, y=y, s=s, w=w)


def weights(n, kind):
    """No weights, or ones that are some zero, very unequal, tiny or huge."""
    if kind == 0:
        return None
    w = np.where(rng.random(n) < 0.2, 0.0, rng.exponential(2.0, size=n))
    w[: 2] = rng.exponential(2.0, size=2) + 0.1
    return w * [1.0, 1.0, 1e-150, 1e290][kind] if kind != 1 else np.where(w > 0, w ** 6, 0.0)


# Values: constants whose mean is not exact, offsets, neighbors in the last place, both ends of the range.
for value in (0.1, 1 / 3, 1e8 + 0.1, 1e-20, 1.1e200, 1.7e308, 5e-324):
    for n in (3, 10, 100):
        constant = np.full(n, value)
        of_values(f"constant {value}, hit, {n}", constant, constant.copy())
        of_values(f"constant {value}, missed by a constant, {n}", constant, constant * 0.75)
        missed = constant.copy()
        missed[0] = constant[0] * 0.5
        of_values(f"constant {value}, missed once, {n}", constant, missed)
        of_values(f"constant {value} but where nothing counts, {n}", np.append(constant, 7.0), np.append(constant, 1e300),
                  np.append(rng.random(n) + 0.5, 0.0))
up = np.nextafter
of_values("neighbors in the last place", np.array([0.1, up(0.1, 1), 0.1, 0.1]), np.array([0.1, 0.1, 0.1, 0.1]))
of_values("neighbors, predicted", np.array([0.1, up(0.1, 1), 0.1, 0.1]), np.array([0.1, up(0.1, 1), 0.1, up(0.1, 1)]))
of_values("differences beyond the range", np.array([1.7e308, -1.7e308, 1e308, 0.0]), np.array([-1.7e308, 1.7e308, 1e308, 1.0]))
of_values("one difference beyond the range", np.array([1.7e308, 1.0, 2.0, 3.0, 5.0]), np.array([-1.7e308, 1.0, 2.0, 3.0, 5.0]))
for index in range(N):
    n = int(rng.integers(2, 40))
    offset, spread = [(0, 1), (5e4, 1), (1e8, 1e-3), (-1e12, 1), (0.1, 1e-9), (0, 1e-20), (0, 1e-200), (0, 1e200), (1e300, 1e290),
                      (0, 1e-310), (0, 3e307), (1e6, 1e-9)][index % 12]
    t = offset + spread * rng.normal(size=n).clip(-3, 3)
    if index % 5 == 0:
        t = offset + spread * np.round(rng.normal(size=n).clip(-3, 3))
    p = t + spread * [0.0, 1e-3, 1.0][index % 3] * rng.normal(size=n).clip(-2, 2) + spread * (index % 4 == 3)
    kind = index // 2 % 4
    of_values(f"random {index}: {offset} ± {spread}", t, p, weights(n, kind), index % 12 < 2 and kind < 2 and len(set(t)) > 1)

# Classes: one class only, one predicted, independent, rare.
for n, kind in ((7, 0), (10, 1), (30, 1), (50, 2), (50, 3), (200, 1)):
    y, w = rng.integers(0, 3, size=n), weights(n, kind)
    of_classes(f"constant predictor, {n}, weights {kind}", y, np.ones_like(y), w)
    of_classes(f"constant truth, {n}, weights {kind}", np.ones_like(y), y, w)
    of_classes(f"one class, hit, {n}, weights {kind}", np.ones_like(y), np.ones_like(y), w)
    of_classes(f"one class, missed, {n}, weights {kind}", np.ones_like(y), np.zeros_like(y), w)
    of_classes(f"perfect, {n}, weights {kind}", y, y.copy(), w)
y = np.repeat([0, 0, 1, 1], 5)
of_classes("independent", y, np.tile([0, 1], 10), np.repeat([0.1, 0.1, 0.7, 0.7], 5))
of_classes("one rare class", np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.array([1e9, 3.0, 2.0, 1.0]))
of_classes("two rare classes", np.array([0, 0, 1, 2, 1]), np.array([0, 1, 2, 2, 1]), np.array([1e12, 0.3, 0.2, 0.1, 0.7]))
for index in range(N):
    n, n_classes = int(rng.integers(2, 60)), int(rng.integers(2, 6))
    y = rng.integers(0, n_classes, size=n)
    p = np.where(rng.random(n) < [0.0, 0.2, 1.0][index % 3], rng.integers(0, n_classes, size=n), y)
    of_classes(f"random {index}", y, p, weights(n, index % 4), index % 4 < 2 and len(set(y)) > 1 and len(set(p)) > 1)

# Scores: ties, scores apart by the last place, both ends of the range, perfect and reversed rankings.
for index in range(N):
    n = int(rng.integers(4, 50))
    y = rng.integers(0, 2, size=n)
    y[:2] = [0, 1]
    s = [rng.random(n), np.round(rng.random(n), 1), 1 + 2.0 ** -52 * rng.integers(0, 4, size=n), 1e-310 * rng.random(n),
         1e308 * rng.normal(size=n).clip(-1.7, 1.7), y + 0.1 * rng.random(n), 1.0 - y, np.full(n, 0.1)][index % 8]
    kind = index // 2 % 4
    of_scores(f"random {index}", y, s, weights(n, kind), index % 8 != 4 and kind < 2)

print(len(cases), "cases; scikit-learn", sklearn.__version__, "differs from exact arithmetic in",
      {name: f"{count} of {compared[name]}" for name, count in sorted(wrong.items())})
here = pathlib.Path(__file__).parent
(here / "cases.json").write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
