"""Writes cases.json: what scikit-learn answers for splitters, discretizers, binarizers, weighted kappa and class weights.

Run with scikit-learn 1.9: python3 generate.py
"""

import json
import pathlib
import warnings

import numpy as np
import sklearn
from sklearn import metrics, model_selection, preprocessing
from sklearn.cluster import KMeans
from sklearn.datasets import load_diabetes, load_iris
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

warnings.simplefilter("ignore")
rng = np.random.default_rng(24)
cases = []


def plain(value):
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value


def case(kind, name, **fields):
    cases.append({"kind": kind, "name": name, **{k: plain(v) for k, v in fields.items()}})


# Splitters: folds without shuffling, sizes and class counts with it.
for name, groups, k in [
    ("uneven", rng.integers(0, 7, 40), 3),
    ("ties", np.repeat([5, 2, 9, 4], 6), 2),
    ("many", rng.integers(0, 60, 300), 5),
    ("as many folds as groups", np.array([3, 1, 2, 1, 3]), 3),
]:
    folds = model_selection.GroupKFold(k).split(np.zeros(len(groups)), groups=groups)
    case("group_k_fold", name, groups=groups, k=k, tests=[test for _, test in folds])

for name, y, test_size in [
    ("even", np.arange(60) % 3, 0.25),
    ("imbalanced", np.array([0] * 83 + [1] * 14 + [2] * 5), 0.1),
    ("odd", np.array([0] * 31 + [1] * 17), 0.33),
]:
    splitter = model_selection.StratifiedShuffleSplit(2, test_size=test_size, random_state=0)
    train, test = next(splitter.split(np.zeros(len(y)), y))
    case("stratified_shuffle_split", name, y=y, test_size=test_size, train_counts=np.bincount(y[train]),
         test_counts=np.bincount(y[test]))

for k, repeats, n in [(5, 2, 23), (3, 4, 10)]:
    folds = list(model_selection.RepeatedKFold(n_splits=k, n_repeats=repeats, random_state=0).split(np.zeros(n)))
    case("repeated_k_fold", f"{k} x {repeats} of {n}", k=k, repeats=repeats, n=n, sizes=[len(test) for _, test in folds])
for k, repeats in [(4, 3), (2, 2)]:
    y = np.array([0] * 13 + [1] * 8 + [2] * 5)
    folds = model_selection.RepeatedStratifiedKFold(n_splits=k, n_repeats=repeats, random_state=0).split(y, y)
    case("repeated_stratified_k_fold", f"{k} x {repeats}", k=k, repeats=repeats, y=y,
         sizes=[len(test) for _, test in folds])

# Predictions of the folds, put together: distances to the centers of k-means from given centers.
iris = load_iris()
x = iris.data[::3]
start = x[[0, 20, 40]]
case("cross_val_data", "iris", x=x, start=start)
for name, folds in [("consecutive", model_selection.KFold(5)), ("two", model_selection.KFold(2))]:
    predicted = model_selection.cross_val_predict(KMeans(3, init=start, n_init=1), x, cv=folds)
    case("cross_val_predict", name, k=folds.n_splits, predicted=predicted)

# KBinsDiscretizer: skewed values, ties, a constant, few distinct values, a wide offset.
x = np.column_stack([rng.exponential(size=50), rng.integers(0, 6, 50).astype(float), np.full(50, 3.0),
                     rng.normal(1e5, 2.0, 50), np.repeat(np.arange(5.0), 10)])
z = np.column_stack([rng.exponential(2.0, size=8), rng.integers(-2, 9, 8).astype(float), rng.normal(3, 1, 8),
                     rng.normal(1e5, 6.0, 8), rng.uniform(-1, 6, 8)])
case("k_bins_data", "columns", x=x, z=z)
for strategy in ["uniform", "quantile", "kmeans"]:
    methods = ["averaged_inverted_cdf", "inverted_cdf", "linear"] if strategy == "quantile" else ["averaged_inverted_cdf"]
    for method in methods:
        # With 9 clusters some are empty on the way, which scikit-learn and this crate relocate differently.
        for n_bins in [2, 5] if strategy == "kmeans" else [2, 5, 9]:
            for encode in ["onehot-dense", "ordinal"]:
                bins = preprocessing.KBinsDiscretizer(n_bins, encode=encode, strategy=strategy, quantile_method=method)
                bins.fit(x)
                out = bins.transform(z)
                back = bins.inverse_transform(out)
                case("k_bins", f"{strategy} {method} {n_bins} {encode}", n_bins=n_bins, encode=encode,
                     strategy=strategy, method=method, edges=list(bins.bin_edges_), counts=bins.n_bins_, transformed=out,
                     inverse=back, names=list(bins.get_feature_names_out(["a", "b", "c", "d", "e"])))

# LabelBinarizer.
for name, y, settings in [
    ("three", np.array([4, 2, 9, 2, 4]), {}),
    ("two", np.array([7, 3, 3, 7]), {}),
    ("one", np.array([5, 5]), {}),
    ("signs", np.array([1, 0, 2, 1]), {"neg_label": -1, "pos_label": 3}),
    ("two signs", np.array([1, 0, 1]), {"neg_label": -1, "pos_label": 1}),
]:
    binarizer = preprocessing.LabelBinarizer(**settings)
    columns = binarizer.fit_transform(y)
    case("label_binarizer", name, y=y, columns=columns, classes=binarizer.classes_, settings=settings,
         neg=settings.get("neg_label", 0), pos=settings.get("pos_label", 1))

# FunctionTransformer.
values = rng.exponential(size=(6, 3))
for name in ["log1p", "expm1", "log", "exp", "sqrt", "square", "abs", "reciprocal"]:
    transformer = preprocessing.FunctionTransformer(getattr(np, name))
    case("function", name, x=values, transformed=transformer.fit_transform(values))

# Kappa.
for name, a, b in [
    ("grades", rng.integers(0, 5, 80), None),
    ("gaps", np.array([0, 1, 4, 4, 1, 0, 4]), np.array([0, 4, 4, 1, 1, 1, 4])),
    ("perfect", np.array([0, 1, 2]), np.array([0, 1, 2])),
]:
    b = np.clip(a + rng.integers(-1, 2, len(a)), 0, 4) if b is None else b
    case("kappa", name, a=a, b=b, kappas=[metrics.cohen_kappa_score(a, b, weights=w) for w in [None, "linear", "quadratic"]])

# Class weights.
for name, y in [("imbalanced", np.array([0] * 8 + [1] * 3 + [2])), ("two", np.array([1, 0, 0, 0]))]:
    classes = np.unique(y)
    case("class_weight", name, y=y, weights=compute_class_weight("balanced", classes=classes, y=y),
         sample_weights=compute_sample_weight("balanced", y))

diabetes, raw = load_diabetes(), load_diabetes(scaled=False)
rows = [0, 7, 441]
case("diabetes", "rows", rows=rows, data=diabetes.data[rows], raw=raw.data[rows], target=diabetes.target[rows],
     names=diabetes.feature_names, raw_sums=raw.data.sum(0), target_sum=diabetes.target.sum())

lines = ",\n".join(json.dumps(c) for c in cases)
pathlib.Path(__file__).with_name("cases.json").write_text(f"[\n{lines}\n]\n")
print(len(cases), "cases with scikit-learn", sklearn.__version__)
