"""Writes cases.json: what scikit-learn answers for the workflow's transformers, splitters and metrics.

Run with scikit-learn 1.9: python3 generate.py
"""

import json
import pathlib

import numpy as np
import sklearn
from sklearn import metrics, model_selection, preprocessing
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer

rng = np.random.default_rng(20)
cases = []


def plain(value):
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value


def case(kind, name, **fields):
    cases.append({"kind": kind, "name": name, **{k: plain(v) for k, v in fields.items()}})


# Data that are easy to get wrong: features of very different sizes, constants, a large offset, few distinct values.
mixed = np.column_stack(
    [
        rng.normal(size=40),
        rng.normal(1e6, 3.0, size=40),
        np.full(40, 0.1),
        np.full(40, 1e8 + 0.3),
        rng.integers(0, 4, size=40).astype(float),
        rng.exponential(1e-6, size=40),
        np.zeros(40),
    ]
)
new = np.column_stack([rng.normal(size=6), rng.normal(1e6, 9.0, size=6), np.linspace(0, 1, 6), np.linspace(0, 2e8, 6),
                       rng.integers(-1, 6, size=6).astype(float), rng.exponential(3e-6, size=6), np.linspace(-1, 1, 6)])
iris, wine = load_iris(), load_wine()


def transformer(kind, name, model, x, z, **settings):
    model.fit(x)
    fields = {a: getattr(model, a) for a in ("mean_", "var_", "scale_", "data_min_", "data_max_", "center_", "max_abs_",
                                             "statistics_") if getattr(model, a, None) is not None}
    transformed = model.transform(z)
    if kind != "imputer" and hasattr(model, "inverse_transform"):
        fields["inverse"] = model.inverse_transform(transformed)
    case(kind, name, settings=settings, x=x, z=z, transformed=transformed, fitted=fields)


for with_mean in (True, False):
    for with_std in (True, False):
        transformer("standard", f"mean {with_mean}, std {with_std}",
                    preprocessing.StandardScaler(with_mean=with_mean, with_std=with_std), mixed, new,
                    with_mean=with_mean, with_std=with_std)
transformer("standard", "wine", preprocessing.StandardScaler(), wine.data, wine.data[:9], with_mean=True, with_std=True)
transformer("standard", "one row", preprocessing.StandardScaler(), mixed[:1], new, with_mean=True, with_std=True)
for lo, hi, clip in ((0, 1, False), (-2, 3, False), (0, 1, True)):
    transformer("min_max", f"{lo} to {hi}, clip {clip}", preprocessing.MinMaxScaler((lo, hi), clip=clip), mixed, new,
                lo=lo, hi=hi, clip=clip)
for centering, scaling, lo, hi in ((True, True, 25, 75), (False, True, 10, 90), (True, False, 25, 75), (True, True, 1, 99)):
    transformer("robust", f"{centering} {scaling} {lo} {hi}",
                preprocessing.RobustScaler(with_centering=centering, with_scaling=scaling, quantile_range=(lo, hi)),
                mixed, new, with_centering=centering, with_scaling=scaling, lo=lo, hi=hi)
transformer("robust", "wine", preprocessing.RobustScaler(), wine.data, wine.data[:9],
            with_centering=True, with_scaling=True, lo=25, hi=75)
transformer("max_abs", "mixed", preprocessing.MaxAbsScaler(), mixed, new)
for norm in ("l1", "l2", "max"):
    transformer("normalizer", norm, preprocessing.Normalizer(norm=norm), mixed, np.vstack([new, np.zeros(7)]), norm=norm)

holes = mixed.copy()
holes[rng.random(holes.shape) < 0.3] = np.nan
holes[0] = mixed[0]
for strategy in ("mean", "median", "most_frequent", "constant"):
    transformer("imputer", strategy, SimpleImputer(strategy=strategy, fill_value=7.5), holes, holes, strategy=strategy)

small = rng.normal(size=(5, 3))
for degree, interaction_only, include_bias in ((2, False, True), (3, False, False), (3, True, True), (1, False, True), (0, False, True)):
    model = preprocessing.PolynomialFeatures(degree, interaction_only=interaction_only, include_bias=include_bias)
    case("polynomial", f"{degree} {interaction_only} {include_bias}", degree=degree, interaction_only=interaction_only,
         include_bias=include_bias, x=small, transformed=model.fit_transform(small),
         names=list(model.get_feature_names_out(["a", "b", "c"])))

texts = np.array([["red", "S"], ["blue", "L"], ["green", "M"], ["red", "L"], ["blue", "S"], ["red", "S"]], dtype=object)
texts2 = np.array([[a, "yes" if i % 2 else "no"] for i, (a, _) in enumerate(texts)], dtype=object)
numbers = np.array([[3.0, -1.0], [0.5, 2.0], [3.0, 2.0], [7.25, -1.0]])
for drop, rust in ((None, "None"), ("first", "First"), ("if_binary", "IfBinary")):
    for name, table in (("texts", texts), ("binary", texts2), ("numbers", numbers)):
        model = preprocessing.OneHotEncoder(sparse_output=False, drop=drop).fit(table)
        case("one_hot", f"{name}, drop {drop}", x=table, drop=rust, transformed=model.transform(table),
             names=list(model.get_feature_names_out(["a", "b"])))
model = preprocessing.OneHotEncoder(sparse_output=False, handle_unknown="ignore").fit(texts)
unseen = np.array([["pink", "S"], ["red", "XXL"]], dtype=object)
case("one_hot_unknown", "ignored", x=texts, z=unseen, transformed=model.transform(unseen))
for name, table in (("texts", texts), ("numbers", numbers)):
    case("ordinal", name, x=table, transformed=preprocessing.OrdinalEncoder().fit_transform(table))
labels = ["b", "a", "c", "a", "Z", "é", "b"]
model = preprocessing.LabelEncoder().fit(labels)
case("label", "names", x=labels, transformed=model.transform(labels), classes=list(model.classes_))

table = np.column_stack([rng.normal(size=8), rng.integers(0, 3, size=8), rng.normal(size=8), rng.normal(size=8)])
for remainder in ("drop", "passthrough"):
    model = ColumnTransformer([("s", preprocessing.StandardScaler(), [2, 0]),
                               ("o", preprocessing.OneHotEncoder(sparse_output=False), [1])], remainder=remainder)
    case("columns", remainder, x=table, remainder=remainder, transformed=model.fit_transform(table))

for name, x, n, whiten in (("iris 2", iris.data, 2, False), ("iris all", iris.data, None, False),
                           ("iris whitened", iris.data, 3, True), ("wine 95 %", wine.data, 0.95, False),
                           ("wide", rng.normal(size=(6, 9)), 4, False), ("few rows", wine.data[::9], 5, False)):
    model = PCA(n_components=n, whiten=whiten, svd_solver="full").fit(x)
    case("pca", name, x=x, n_components=n, whiten=whiten, mean=model.mean_, components=model.components_,
         explained_variance=model.explained_variance_, explained_variance_ratio=model.explained_variance_ratio_,
         singular_values=model.singular_values_, transformed=model.transform(x[:7]))

for n, k in ((10, 5), (11, 3), (7, 7)):
    case("k_fold", f"{k} of {n}", n=n, k=k, tests=[test for _, test in model_selection.KFold(k).split(np.zeros(n))])
for name, y, k in (("iris", iris.target, 5), ("uneven", np.array([2, 2, 0, 1, 1, 1, 0, 0, 0, 0, 2, 1, 1]), 3),
                   ("wine", wine.target, 4)):
    case("stratified", name, y=y, k=k,
         tests=[test for _, test in model_selection.StratifiedKFold(k).split(np.zeros(len(y)), y)])
for n, k, settings in ((13, 3, {}), (20, 4, {"gap": 2}), (20, 3, {"test_size": 3, "max_train_size": 6}), (6, 5, {})):
    splits = list(model_selection.TimeSeriesSplit(k, **settings).split(np.zeros(n)))
    case("time_series", f"{k} of {n} {settings}", n=n, k=k, settings=settings, trains=[a for a, _ in splits], tests=[b for _, b in splits])
for n, test, train in ((10, 0.25, None), (1797, 0.2, None), (101, 0.3, 0.6), (101, None, 0.6), (15, 0.1, None), (100, 0.07, None)):
    a, b = model_selection.train_test_split(np.zeros(n), test_size=test, train_size=train)
    case("split_counts", f"{n} {test} {train}", n=n, test=test, train=train, counts=[len(a), len(b)])
for name, y, test in (("iris", iris.target, 0.2), ("uneven", np.repeat([0, 1, 2], [50, 27, 9]), 0.3)):
    a, b = model_selection.train_test_split(y, test_size=test, stratify=y, random_state=0)
    case("stratified_counts", name, y=y, test=test, train_counts=np.bincount(a), test_counts=np.bincount(b))

for name, n_classes, n, noise in (("binary", 2, 60, 0.3), ("three", 3, 80, 0.5), ("many", 8, 200, 0.4), ("perfect", 3, 20, 0.0)):
    y = rng.integers(0, n_classes, size=n)
    p = np.where(rng.random(n) < noise, rng.integers(0, n_classes, size=n), y)
    scores = {}
    for average in ("macro", "micro", "weighted") + (("binary",) if n_classes == 2 else ()):
        scores[average] = [f(y, p, average=average, zero_division=0) for f in
                           (metrics.precision_score, metrics.recall_score, metrics.f1_score, metrics.jaccard_score)] + [
            metrics.fbeta_score(y, p, beta=2, average=average, zero_division=0)]
    case("classes", name, y=y, p=p, scores=scores, confusion=metrics.confusion_matrix(y, p),
         accuracy=metrics.accuracy_score(y, p), balanced=metrics.balanced_accuracy_score(y, p),
         matthews=metrics.matthews_corrcoef(y, p), kappa=metrics.cohen_kappa_score(y, p),
         by_true=metrics.confusion_matrix(y, p, normalize="true"), by_pred=metrics.confusion_matrix(y, p, normalize="pred"),
         of_all=metrics.confusion_matrix(y, p, normalize="all"),
         report=metrics.classification_report(y, p, digits=3, zero_division=0))
y, p = np.array([0, 0, 5, 5, 9]), np.array([0, 5, 5, 7, 0])
case("classes", "classes never predicted, and others never true", y=y, p=p,
     scores={a: [f(y, p, average=a, zero_division=0) for f in
                 (metrics.precision_score, metrics.recall_score, metrics.f1_score, metrics.jaccard_score)] +
             [metrics.fbeta_score(y, p, beta=2, average=a, zero_division=0)] for a in ("macro", "micro", "weighted")},
     confusion=metrics.confusion_matrix(y, p), accuracy=0.4, balanced=metrics.balanced_accuracy_score(y, p),
     matthews=metrics.matthews_corrcoef(y, p), kappa=metrics.cohen_kappa_score(y, p),
     by_true=metrics.confusion_matrix(y, p, normalize="true"), by_pred=metrics.confusion_matrix(y, p, normalize="pred"),
     of_all=metrics.confusion_matrix(y, p, normalize="all"),
     report=metrics.classification_report(y, p, digits=3, zero_division=0))

for name, decimals in (("distinct", 9), ("ties", 1)):
    y = rng.integers(0, 2, size=50)
    s = np.clip(np.round(0.5 + 0.3 * (y - 0.5) + 0.3 * rng.normal(size=50), decimals), 0, 1)
    fpr, tpr, thresholds = metrics.roc_curve(y, s, drop_intermediate=False)
    precision, recall, pr_thresholds = metrics.precision_recall_curve(y, s)
    case("scores", name, y=y, s=s, fpr=fpr, tpr=tpr, thresholds=thresholds[1:], auc=metrics.roc_auc_score(y, s),
         precision=precision, recall=recall, pr_thresholds=pr_thresholds,
         average_precision=metrics.average_precision_score(y, s), brier=metrics.brier_score_loss(y, s))
y = rng.integers(0, 4, size=70)
raw = rng.random((70, 4)) + 0.7 * np.eye(4)[y]
prob = raw / raw.sum(axis=1, keepdims=True)
prob[0] = [1, 0, 0, 0]
y[0] = 1
case("probabilities", "four classes", y=y, p=prob, log_loss=metrics.log_loss(y, prob),
     top=[metrics.top_k_accuracy_score(y, prob, k=k) for k in (1, 2, 3)],
     auc_macro=metrics.roc_auc_score(y, prob, multi_class="ovr", average="macro"),
     auc_weighted=metrics.roc_auc_score(y, prob, multi_class="ovr", average="weighted"))

for name, t, p in (("one output", rng.exponential(3, 40), rng.exponential(3, 40)),
                   ("good", np.arange(20.0), np.arange(20.0) + rng.normal(0, 0.1, 20).clip(-0.9)),
                   ("two outputs", rng.exponential(3, (30, 2)), rng.exponential(3, (30, 2))),
                   ("constant, missed", np.full(5, 2.0), np.array([2.0, 2, 2, 2, 3])),
                   ("constant, hit", np.full(5, 2.0), np.full(5, 2.0)),
                   ("with zeros", np.array([0.0, 1, 2]), np.array([0.0, 1, 4]))):
    case("values", name, shape=t.shape, t=t.ravel(), p=p.ravel(), r2=metrics.r2_score(t, p), mse=metrics.mean_squared_error(t, p),
         rmse=metrics.root_mean_squared_error(t, p), mae=metrics.mean_absolute_error(t, p),
         median=metrics.median_absolute_error(t, p), mape=metrics.mean_absolute_percentage_error(t, p),
         msle=metrics.mean_squared_log_error(t, p), rmsle=metrics.root_mean_squared_log_error(t, p),
         explained=metrics.explained_variance_score(t, p), pinball=metrics.mean_pinball_loss(t, p, alpha=0.3))

# Weighted samples, some of them with no weight at all.
for name, n_classes, n in (("binary", 2, 50), ("four", 4, 80)):
    y = rng.integers(0, n_classes, size=n)
    p = np.where(rng.random(n) < 0.4, rng.integers(0, n_classes, size=n), y)
    w = np.where(rng.random(n) < 0.2, 0.0, rng.exponential(2.0, size=n))
    scores = {}
    for average in ("macro", "micro", "weighted") + (("binary",) if n_classes == 2 else ()):
        how = {"average": average, "zero_division": 0, "sample_weight": w}
        scores[average] = [f(y, p, **how) for f in (metrics.precision_score, metrics.recall_score, metrics.f1_score,
                                                    metrics.jaccard_score)] + [metrics.fbeta_score(y, p, beta=2, **how)]
    case("weighted_classes", name, y=y, p=p, w=w, scores=scores, accuracy=metrics.accuracy_score(y, p, sample_weight=w),
         by_true=metrics.confusion_matrix(y, p, normalize="true", sample_weight=w),
         balanced=metrics.balanced_accuracy_score(y, p, sample_weight=w),
         matthews=metrics.matthews_corrcoef(y, p, sample_weight=w), kappa=metrics.cohen_kappa_score(y, p, sample_weight=w))
for name, decimals in (("distinct", 9), ("ties", 1)):
    y = rng.integers(0, 2, size=50)
    s = np.clip(np.round(0.5 + 0.3 * (y - 0.5) + 0.3 * rng.normal(size=50), decimals), 0, 1)
    w = np.where(rng.random(50) < 0.2, 0.0, rng.exponential(2.0, size=50))
    prob = np.column_stack([1 - s, s])
    fpr, tpr, _ = metrics.roc_curve(y, s, drop_intermediate=False, sample_weight=w)
    case("weighted_scores", name, y=y, s=s, w=w, fpr=fpr, tpr=tpr, auc=metrics.roc_auc_score(y, s, sample_weight=w),
         average_precision=metrics.average_precision_score(y, s, sample_weight=w),
         brier=metrics.brier_score_loss(y, s, sample_weight=w), log_loss=metrics.log_loss(y, prob, sample_weight=w))
for name, t, p in (("one output", rng.exponential(3, 40), rng.exponential(3, 40)),
                   ("two outputs", rng.exponential(3, (30, 2)), rng.exponential(3, (30, 2)))):
    w = np.where(rng.random(len(t)) < 0.2, 0.0, rng.exponential(2.0, size=len(t)))
    how = {"sample_weight": w}
    case("weighted_values", name, shape=t.shape, t=t.ravel(), p=p.ravel(), w=w, r2=metrics.r2_score(t, p, **how),
         mse=metrics.mean_squared_error(t, p, **how), rmse=metrics.root_mean_squared_error(t, p, **how),
         mae=metrics.mean_absolute_error(t, p, **how), mape=metrics.mean_absolute_percentage_error(t, p, **how),
         msle=metrics.mean_squared_log_error(t, p, **how), rmsle=metrics.root_mean_squared_log_error(t, p, **how),
         explained=metrics.explained_variance_score(t, p, **how),
         pinball=metrics.mean_pinball_loss(t, p, alpha=0.3, **how))

# Random projections: where the spectrum falls steeply, any of them finds the same components.
steep = rng.normal(size=(60, 8)) * 3.0 ** -np.arange(8) @ rng.normal(size=(8, 40))
steep += 1e-9 * rng.normal(size=steep.shape)
for name, x, n in (("steep", steep, 5), ("digits", load_digits().data[:200], 6)):
    model = PCA(n_components=n, svd_solver="randomized", random_state=0, iterated_power=20).fit(x)
    case("pca_randomized", name, x=x, n_components=n, mean=model.mean_, components=model.components_,
         explained_variance=model.explained_variance_, explained_variance_ratio=model.explained_variance_ratio_,
         singular_values=model.singular_values_, transformed=model.transform(x[:7]))

print(len(cases), "cases of scikit-learn", sklearn.__version__)
here = pathlib.Path(__file__).parent
(here / "cases.json").write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
