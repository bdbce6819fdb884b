//! Transformers: values that scikit-learn gives, ways back, refusals.

use crate::common::error_message;
use crate::temporary::temporary_path;
use axonal::ndarray::{Array1, Array2, array, s};
use axonal::prelude::*;
#[cfg(feature = "pca")]
use axonal::preprocessing::PcaComponents;
use axonal::preprocessing::{Category, CategoryValue, Impute};
use axonal::preprocessing::{MaxAbsScaler, OrdinalEncoder, PolynomialFeatures, RobustScaler};

fn close(got: &Array2<f64>, want: &Array2<f64>, tolerance: f64) {
    assert_eq!(got.dim(), want.dim());
    assert!(
        got.iter().zip(want).all(|(g, w)| (g - w).abs() <= tolerance * w.abs().max(1.0)),
        "{got}\n{want}"
    );
}

#[test]
fn standard_scaler_gives_mean_zero_and_variance_one() {
    let x = array![[1.0, -1.0, 2.0], [2.0, 0.0, 0.0], [0.0, 1.0, -1.0]];
    let mut scaler = StandardScaler::new();
    scaler.fit(&x).unwrap();
    // scikit-learn's user guide, "Standardization, or mean removal and variance scaling".
    let want = array![
        [0.0, -1.22474487, 1.33630621],
        [1.22474487, 0.0, -0.26726124],
        [-1.22474487, 1.22474487, -1.06904497]
    ];
    close(&scaler.transform(&x).unwrap(), &want, 1e-8);
    assert!((&scaler.mean().unwrap() - &array![1.0, 0.0, 1.0 / 3.0]).iter().all(|v| v.abs() < 1e-15));
    close(&scaler.inverse_transform(&want).unwrap(), &x, 1e-8);
}

#[test]
fn a_constant_feature_is_centered_and_not_blown_up() {
    // 0.1 has no exact sum: the mean of its copies is off by a rounding, and so is the variance from 0.
    let mut x = Array2::from_elem((1000, 2), 0.1_f64);
    x.slice_mut(s![.., 1]).fill(1e8 + 0.1);
    let mut scaler = StandardScaler::new();
    scaler.fit(&x).unwrap();
    assert_eq!(scaler.scale().unwrap(), array![1.0, 1.0]);
    assert!(scaler.transform(&x).unwrap().iter().all(|v| v.abs() < 1e-6));
}

#[test]
fn a_small_spread_around_a_large_mean_survives() {
    let x = Array2::from_shape_fn((1000, 1), |(row, _)| 1e9 + (row % 2) as f64);
    let mut scaler = StandardScaler::new();
    scaler.fit(&x).unwrap();
    assert_eq!((scaler.mean().unwrap()[0], scaler.variance().unwrap()[0]), (1e9 + 0.5, 0.25));
}

#[test]
fn one_scaler_serves_both_precisions_and_any_layout() {
    let x = Array2::from_shape_fn((20, 3), |(row, column)| ((row * 7 + column * 3) % 11) as f64);
    let mut scaler = StandardScaler::new();
    scaler.fit(&x).unwrap();
    let z = scaler.transform(&x).unwrap();
    assert_eq!(scaler.transform(&x.mapv(|v| v as f32)).unwrap(), z.mapv(|v| v as f32));
    let wide = Array2::from_shape_fn((3, 40), |(column, row)| x[[row / 2, column]]);
    let view = wide.slice(s![.., ..;2]);
    let mut other = scaler.unfitted();
    other.fit(&view.t()).unwrap();
    assert_eq!(other, scaler);
    assert_eq!(other.transform(&view.t()).unwrap(), z);
}

#[test]
fn the_switches_of_standard_scaler_leave_out_their_half() {
    let x = array![[1.0], [5.0]];
    let transformed = |mut scaler: StandardScaler| {
        scaler.fit(&x).unwrap();
        let z = scaler.transform(&x).unwrap();
        assert_eq!(scaler.inverse_transform(&z).unwrap(), x);
        z
    };
    assert_eq!(transformed(StandardScaler::new().with_mean(false)), array![[0.5], [2.5]]);
    assert_eq!(transformed(StandardScaler::new().with_std(false)), array![[-2.0], [2.0]]);
}

#[test]
fn standard_scaler_refuses_what_it_cannot_use() {
    let mut scaler = StandardScaler::new();
    let x = array![[1.0, 2.0], [3.0, 5.0]];
    assert_eq!(
        error_message(scaler.transform(&x)),
        "this StandardScaler is not fitted yet: call fit before transform"
    );
    assert!(error_message(scaler.inverse_transform(&x)).contains("inverse_transform"));
    assert!(error_message(scaler.fit(&Array2::<f32>::zeros((0, 2)))).contains("at least 1 sample"));
    assert!(error_message(scaler.fit(&Array2::<f32>::zeros((2, 0)))).contains("at least 1 feature"));
    assert!(error_message(scaler.fit(&array![[1.0, f64::NAN]])).contains("NaN at [0, 1]"));
    scaler.fit(&x).unwrap();
    assert_eq!(
        error_message(scaler.transform(&array![[1.0]])),
        "x: expected 2 features a row, got 1 features"
    );
    assert!(error_message(scaler.transform(&array![[f64::INFINITY, 0.0]])).contains("inf at [0, 0]"));
    assert_eq!(scaler.transform(&Array2::<f32>::zeros((0, 2))).unwrap().dim(), (0, 2));
    assert!(error_message(scaler.unfitted().transform(&x)).contains("not fitted"));
}

/// Every transformer of tables, on `x`: what `fit` says and, where it is fitted, what `transform` says of `z`.
fn all_say(x: &Array2<f64>, z: &Array2<f64>) -> Vec<String> {
    fn one<T>(mut transformer: T, x: &Array2<f64>, z: &Array2<f64>) -> String
    where
        T: Fit<Array2<f64>> + Transform<Array2<f64>, Output = Array2<f64>>,
    {
        transformer
            .fit(x, ())
            .and_then(|_| transformer.transform(z))
            .map_or_else(|e| e.to_string(), |_| "ok".into())
    }
    vec![
        one(StandardScaler::new(), x, z),
        one(MinMaxScaler::new(), x, z),
        one(MaxAbsScaler::new(), x, z),
        one(RobustScaler::new(), x, z),
        one(OneHotEncoder::new(), x, z),
        one(OrdinalEncoder::new(), x, z),
        one(PolynomialFeatures::new(2), x, z),
        one(SimpleImputer::new(), x, z),
        one(ColumnTransformer::new().step(StandardScaler::new(), [0]), x, z),
        #[cfg(feature = "pca")]
        one(Pca::new(1), x, z),
    ]
}

#[test]
fn every_transformer_refuses_what_none_can_use() {
    let x = array![[1.0, 2.0], [2.0, 2.0], [1.0, 5.0]];
    let every = |messages: Vec<String>, word: &str| {
        for (number, message) in messages.iter().enumerate() {
            assert!(message.contains(word), "transformer {number}: {message}");
        }
    };
    every(all_say(&x, &x), "ok");
    every(all_say(&Array2::zeros((0, 2)), &x), "x is empty");
    every(all_say(&Array2::zeros((3, 0)), &x), "x is empty");
    every(all_say(&x, &Array2::ones((3, 3))), "x: expected 2 features a row, got 3 features");
    let mut poisoned = x.clone();
    poisoned[[1, 0]] = f64::INFINITY;
    every(all_say(&poisoned, &x), "inf at [1, 0]");
    let mut unequal = all_say(&x, &poisoned);
    // To the encoders infinity is a category that they have not seen; each step counts its own rows and columns.
    unequal
        .drain(4..6)
        .for_each(|message| assert!(message.contains("inf at [1, 0], expected one of"), "{message}"));
    every(unequal, "inf at [1, 0]");
}

#[test]
fn numbers_whose_squares_overflow_are_refused() {
    let x = array![[1e200], [-1e200], [1e200]];
    assert!(error_message(StandardScaler::new().fit(&x)).contains("StandardScaler: x is too large"));
    let x = array![[1e308], [-1e308], [1.5e308], [-1.5e308]];
    assert!(error_message(MinMaxScaler::new().fit(&x)).contains("MinMaxScaler: x is too large"));
    assert!(error_message(RobustScaler::new().fit(&x)).contains("RobustScaler: x is too large"));
    #[cfg(feature = "pca")]
    assert!(
        error_message(Pca::new(1).fit(&array![[1e200, 0.0], [-1e200, 0.0]])).contains("Pca: x is too large")
    );
}

#[test]
fn settings_outside_of_their_ranges_are_named() {
    let x = array![[1.0, 2.0], [2.0, 2.0], [1.0, 5.0]];
    assert!(
        error_message(MinMaxScaler::new().feature_range(1.0, 0.0).fit(&x))
            .contains("feature_range is (1, 0)")
    );
    assert!(
        error_message(MinMaxScaler::new().feature_range(0.0, f64::NAN).fit(&x)).contains("feature_range")
    );
    assert!(
        error_message(RobustScaler::new().quantile_range(80.0, 20.0).fit(&x))
            .contains("quantile_range is (80, 20)")
    );
    assert!(
        error_message(RobustScaler::new().quantile_range(0.0, 101.0).fit(&x))
            .contains("0 <= lo <= hi <= 100")
    );
    assert!(
        error_message(PolynomialFeatures::new(0).include_bias(false).fit(&x))
            .contains("at least 1, or include_bias")
    );
    assert!(
        error_message(PolynomialFeatures::new(900).fit(&Array2::<f64>::ones((1, 30))))
            .contains("at most 1048576 products")
    );
    assert!(error_message(PolynomialFeatures::new(usize::MAX).fit(&x)).contains("at most 1000"));
    let wide = PolynomialFeatures::new(usize::MAX).interaction_only(true).fit_transform(&x).unwrap();
    assert_eq!(wide.ncols(), 4, "1, a, b, ab: no more than features");
    let imputer = |strategy| SimpleImputer::new().strategy(strategy);
    assert!(error_message(imputer(Impute::Constant(f64::NAN)).fit(&x)).contains("constant is NaN"));
    let hole = array![[f64::NAN, 1.0], [f64::NAN, 2.0]];
    assert!(error_message(imputer(Impute::Median).fit(&hole)).contains("at least 1 value in column 0"));
    assert_eq!(imputer(Impute::Constant(3.0)).fit_transform(&hole).unwrap().column(0), array![3.0, 3.0]);
    let columns = ColumnTransformer::new;
    assert!(
        error_message(columns().step(StandardScaler::new(), [5]).fit(&x))
            .contains("columns is 5, expected below 2")
    );
    assert!(error_message(columns().fit(&x)).contains("at least 1 step"));
    #[cfg(feature = "pca")]
    for (components, word) in [
        (PcaComponents::Count(3), "from 1 to 2"),
        (PcaComponents::Count(0), "from 1 to 2"),
        (PcaComponents::Variance(1.0), "share of the variance"),
        (PcaComponents::Variance(f64::NAN), "share of the variance"),
    ] {
        assert!(error_message(Pca::new(components).fit(&x)).contains(word));
    }
}

#[test]
fn class_numbers_outside_of_the_classes_are_named() {
    assert!(
        error_message(to_categorical::<f32>(&array![0, 3], 3))
            .contains("y[1]: label 3 is not one of the 3 classes")
    );
    assert!(
        error_message(to_categorical::<f32>(&array![0_u64, u64::MAX], 3))
            .contains("y[1]: label 18446744073709551615")
    );
    assert!(
        error_message(to_categorical::<f32>(&array![0], usize::MAX)).contains("a size that fits into memory")
    );
    assert_eq!(to_categorical::<f32>(&Array1::<u8>::zeros(0), 3).unwrap().dim(), (0, 3));
}

#[test]
fn label_encoders_know_their_classes() {
    let encoder = LabelEncoder::from_classes(["b", "a"]).unwrap();
    assert_eq!(encoder.transform(["a", "b"].as_slice()).unwrap(), array![1, 0]);
    assert_eq!(error_message(encoder.transform(["x"].as_slice())), "unknown class \"x\"; known: b, a");
    assert!(
        error_message(encoder.inverse_transform(&array![0, 2]))
            .contains("y[1]: label 2 is not one of the 2 classes")
    );
    assert!(error_message(LabelEncoder::from_classes(["a", "b", "a"])).contains("twice \"a\""));
    assert!(
        error_message(LabelEncoder::new().fit(&Array1::<String>::from_vec(vec![])))
            .contains("classes is empty")
    );
    assert!(error_message(LabelEncoder::new().transform(["x"].as_slice())).contains("not fitted"));
    let path = temporary_path("labels.txt");
    std::fs::write(&path, "zebra\nant\n").unwrap();
    assert_eq!(LabelEncoder::from_file(&path).unwrap().classes().unwrap(), ["zebra", "ant"]);
    std::fs::remove_file(&path).unwrap();
    assert!(error_message(LabelEncoder::from_file(&path)).contains("labels.txt"));
}

#[test]
fn encoders_go_back_only_from_what_they_gave() {
    let x = array![[1.0], [3.0]];
    let mut ordinal = OrdinalEncoder::new();
    ordinal.fit(&x).unwrap();
    for bad in [2.0, 0.5, -1.0, f64::NAN] {
        assert!(
            error_message(ordinal.inverse_transform::<f64>(&array![[bad]]))
                .contains("whole numbers from 0 to 1")
        );
    }
    assert_eq!(ordinal.inverse_transform::<String>(&array![[1.0_f32]]).unwrap(), array![["3"]]);
    let mut one_hot = OneHotEncoder::new();
    one_hot.fit(&array![["a"], ["b"]]).unwrap();
    assert!(
        error_message(one_hot.inverse_transform::<String>(&array![[0.0, 0.0]]))
            .contains("a 1 for one category")
    );
    assert!(
        error_message(one_hot.inverse_transform::<f64>(&array![[0.0, 1.0]]))
            .contains("expected a number, got the text \"b\"")
    );
    assert!(error_message(OneHotEncoder::new().fit(&array![[f64::NAN]])).contains("NaN at [0, 0]"));
    assert_eq!(
        OneHotEncoder::new().fit_transform(&array![[0.0], [-0.0]]).unwrap().ncols(),
        1,
        "both zeros are one"
    );
}

#[test]
fn batches_teach_what_the_whole_teaches() {
    let x = Array2::from_shape_fn((101, 3), |(row, column)| ((row * 7 + column * 3) % 23) as f64 - 4.0);
    let (mut standard, mut min_max, mut max_abs) =
        (StandardScaler::new(), MinMaxScaler::new(), MaxAbsScaler::new());
    for start in (0..101).step_by(17) {
        let batch = x.slice(s![start..(start + 17).min(101), ..]);
        standard.partial_fit(&batch).unwrap();
        min_max.partial_fit(&batch).unwrap();
        max_abs.partial_fit(&batch).unwrap();
    }
    close(&standard.transform(&x).unwrap(), &StandardScaler::new().fit_transform(&x).unwrap(), 1e-12);
    assert_eq!(min_max.transform(&x).unwrap(), MinMaxScaler::new().fit_transform(&x).unwrap());
    assert_eq!(max_abs.transform(&x).unwrap(), MaxAbsScaler::new().fit_transform(&x).unwrap());
    let other = Array2::<f64>::ones((2, 4));
    for message in [
        error_message(standard.partial_fit(&other)),
        error_message(min_max.partial_fit(&other)),
        error_message(max_abs.partial_fit(&other)),
    ] {
        assert!(message.contains("expected 3 features a row, got 4"), "{message}");
    }
    // fit forgets the batches before it.
    standard.fit(&x).unwrap();
    close(&standard.transform(&x).unwrap(), &StandardScaler::new().fit_transform(&x).unwrap(), 0.0);
}

#[test]
fn encoders_take_integers_of_every_type() {
    fn check<T>(values: [T; 3])
    where
        T: CategoryValue<Code = f64> + TryFrom<Category, Error = axonal::Error> + PartialEq,
        T: std::fmt::Debug,
    {
        let x = Array2::from_shape_vec((3, 1), values.to_vec()).unwrap();
        let mut one_hot = OneHotEncoder::new();
        let columns = one_hot.fit_transform(&x).unwrap();
        assert_eq!(columns, array![[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]);
        assert_eq!(one_hot.inverse_transform::<T>(&columns).unwrap(), x);
        let mut ordinal = OrdinalEncoder::new();
        let codes = ordinal.fit_transform(&x).unwrap();
        assert_eq!(codes, array![[1.0], [0.0], [2.0]]);
        assert_eq!(ordinal.inverse_transform::<T>(&codes).unwrap(), x);
    }
    check([3_u8, 0, u8::MAX]);
    check([3_i8, i8::MIN, i8::MAX]);
    check([3_u16, 0, u16::MAX]);
    check([3_i16, i16::MIN, i16::MAX]);
    check([3_u32, 0, u32::MAX]);
    check([3_i32, i32::MIN, i32::MAX]);
    check([3_u64, 0, u64::MAX]);
    check([3_usize, 0, usize::MAX]);
    check([3_u128, 0, u128::MAX]);
    check([3_i64, -3, i64::MAX]);
    check([3_isize, -3, isize::MAX]);
    check([3_i128, -3, i128::MAX]);
    // Neighbors that f64 would round together.
    check([(1_u64 << 53) + 1, 1 << 53, (1 << 53) + 2]);

    // Equal numbers of different types are one category.
    let mut encoder = OrdinalEncoder::new();
    encoder.fit(&array![[1.0], [7.0]]).unwrap();
    assert_eq!(encoder.transform(&array![[7_usize], [1]]).unwrap(), array![[1.0], [0.0]]);
    let unknown = error_message(encoder.transform(&array![[9_007_199_254_740_993_u64]]));
    assert!(unknown.contains("x is 9007199254740993 at [0, 0], expected one of 1, 7"), "{unknown}");
    let mut encoder = OrdinalEncoder::new();
    encoder.fit(&array![[0.5], [300.0]]).unwrap();
    assert!(
        error_message(encoder.inverse_transform::<usize>(&array![[0.0]]))
            .contains("expected usize, got \"0.5\"")
    );
    assert!(
        error_message(encoder.inverse_transform::<u8>(&array![[1.0]])).contains("expected u8, got \"300\"")
    );
}
