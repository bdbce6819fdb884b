"""Writes cases.json: what scikit-learn answers for tables with columns of numbers and texts.

Run with scikit-learn 1.9.1 and pandas: python3 generate.py
"""

import json
import pathlib

import numpy as np
import pandas as pd
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, PolynomialFeatures, StandardScaler

rng = np.random.default_rng(5)
n = 24
train = pd.DataFrame(
    {
        "age": np.where(rng.random(n) < 0.2, np.nan, rng.integers(18, 80, n)),
        "plan": rng.choice(["basic", "plus", "pro"], n),
        "spend": np.where(rng.random(n) < 0.2, np.nan, np.round(rng.random(n) * 100, 2)),
        "city": rng.choice(["Bonn", "Lyon, FR", "Ålesund"], n),
    }
)
test = train.sample(8, random_state=1).reset_index(drop=True)
test.loc[0, "city"] = "Oslo"
test.loc[1, "age"] = np.nan
test = test[["city", "spend", "age", "plan"]]


def columns(frame):
    return {
        name: [None if isinstance(v, float) and np.isnan(v) else v for v in frame[name].tolist()]
        for name in frame.columns
    }


def case(name, transformer):
    fitted = transformer.fit(train)
    return {
        "name": name,
        "train": columns(train),
        "test": columns(test),
        "transformed": fitted.transform(train).tolist(),
        "test_transformed": fitted.transform(test).tolist(),
        "names": fitted.get_feature_names_out().tolist(),
    }


def compose(*steps, **options):
    return ColumnTransformer(list(steps), verbose_feature_names_out=False, sparse_threshold=0, **options)


numbers = ["spend", "age"]
one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
ordered = [["pro", "basic", "plus"]]
cases = [
    case(
        "impute_scale_one_hot",
        compose(
            ("numbers", make_pipeline(SimpleImputer(strategy="mean"), StandardScaler()), numbers),
            ("texts", one_hot, ["plan", "city"]),
        ),
    ),
    case(
        "given_order",
        compose(
            ("numbers", SimpleImputer(strategy="median"), numbers),
            ("one_hot", OneHotEncoder(categories=ordered, sparse_output=False), ["plan"]),
            ("ordinal", OrdinalEncoder(categories=ordered), ["plan"]),
            (
                "unknown",
                OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
                ["city"],
            ),
        ),
    ),
    case(
        "products",
        compose(
            (
                "numbers",
                make_pipeline(SimpleImputer(strategy="constant", fill_value=1.5), PolynomialFeatures(2)),
                ["age", "spend"],
            ),
            ("texts", make_pipeline(one_hot, StandardScaler()), ["city"]),
        ),
    ),
]
path = pathlib.Path(__file__).parent / "cases.json"
path.write_text(json.dumps({"sklearn": sklearn.__version__, "cases": cases}, indent=1) + "\n")
