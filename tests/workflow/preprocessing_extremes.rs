//! Transformers of equal values, of very small and very large ones, and the errors where a result has no float.

use crate::common::error_message;
use axonal::Float;
use axonal::ndarray::{Array2, array};
use axonal::prelude::*;
#[cfg(feature = "pca")]
use axonal::preprocessing::PcaSolver;
use axonal::preprocessing::{Impute, Norm};
use axonal::preprocessing::{MaxAbsScaler, Normalizer, PolynomialFeatures, RobustScaler};

fn close(got: &Array2<f64>, want: &Array2<f64>, tolerance: f64) {
    assert_eq!(got.dim(), want.dim());
    let near = |(g, w): (&f64, &f64)| g == w || (g - w).abs() <= tolerance * w.abs();
    assert!(got.iter().zip(want).all(near), "{got:?}\n{want:?}");
}

/// Numbers from a linear congruential generator, from -1 to 1.
fn random(n: usize, seed: u64) -> impl Iterator<Item = f64> {
    let step = |state: &u64| {
        Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    };
    std::iter::successors(Some(seed), step)
        .skip(1)
        .map(|state| (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0)
        .take(n)
}

#[test]
fn columns_of_any_scale_are_scaled_alike() {
    let x = array![[1.0], [2.0], [4.0], [7.0], [-3.0]];
    for scale in [1e-20, 1e-100, 1e-200, 1e-300, 1e-5, 1e100, 1e150] {
        let scaled = &x * scale;
        type Transformed = Box<dyn FnMut(&Array2<f64>) -> Array2<f64>>;
        let both = |mut a: Transformed| close(&a(&scaled), &a(&x), 1e-13);
        both(Box::new(|x| MinMaxScaler::new().fit_transform(x).unwrap()));
        both(Box::new(|x| MaxAbsScaler::new().fit_transform(x).unwrap()));
        both(Box::new(|x| RobustScaler::new().fit_transform(x).unwrap()));
        both(Box::new(|x| StandardScaler::new().fit_transform(x).unwrap()));
        both(Box::new(|x| Normalizer::new().transform(&x.t()).unwrap()));
        // In parts as well.
        let mut parts = StandardScaler::new();
        for row in scaled.rows() {
            parts.partial_fit(&row.insert_axis(axonal::ndarray::Axis(0))).unwrap();
        }
        close(&parts.transform(&scaled).unwrap(), &StandardScaler::new().fit_transform(&x).unwrap(), 1e-12);
        let z = parts.transform(&scaled).unwrap();
        close(&parts.inverse_transform(&z).unwrap(), &scaled, 1e-13);
    }
    // The smallest numbers there are.
    let smallest = array![[0.0], [5e-324]];
    assert_eq!(MinMaxScaler::new().fit_transform(&smallest).unwrap(), array![[0.0], [1.0]]);
    assert_eq!(MaxAbsScaler::new().fit_transform(&smallest).unwrap(), array![[0.0], [1.0]]);
    let smallest = smallest.mapv(|v| if v > 0.0 { 1e-45_f32 } else { 0.0 });
    assert_eq!(MinMaxScaler::new().fit_transform(&smallest).unwrap(), array![[0.0], [1.0]]);
    close(
        &StandardScaler::new().fit_transform(&smallest).unwrap().mapv(f64::from),
        &array![[-1.0], [1.0]],
        1e-7,
    );
}

#[test]
fn equal_values_are_centered_exactly_and_not_scaled() {
    for value in [0.1, 1.0 / 3.0, -1e8 - 0.1, 1e-20, 1e300, 1.7e308, 5e-324, 0.0] {
        for n in [1, 2, 3, 10, 1000] {
            let x = Array2::from_elem((n, 2), value);
            let zeros = Array2::<f64>::zeros((n, 2));
            assert_eq!(StandardScaler::new().fit_transform(&x).unwrap(), zeros, "{n} times {value}");
            assert_eq!(MinMaxScaler::new().fit_transform(&x).unwrap(), zeros);
            assert_eq!(RobustScaler::new().fit_transform(&x).unwrap(), zeros);
            let mut holes = x.clone();
            holes[[0, 1]] = f64::NAN;
            holes[[0, 0]] = value;
            if n > 1 {
                assert_eq!(SimpleImputer::new().fit_transform(&holes).unwrap(), x, "{n} times {value}");
            }
            let mut parts = StandardScaler::new();
            (0..3).for_each(|_| parts.partial_fit(&x).unwrap());
            assert_eq!((parts.variance().unwrap()[0], parts.scale().unwrap()[0]), (0.0, 1.0));
            assert_eq!(parts.mean().unwrap()[0], value);
        }
    }
}

fn min_max_hits_its_ends<F: Float>() {
    let ranges = [(0.0, 1.0), (-1.0, 1.0), (-2.0, 3.0), (0.1, 0.7), (1.0 / 3.0, 1e3), (-1e300, 1e300)];
    for seed in 0..300 {
        let n = 2 + seed as usize % 9;
        let (offset, spread) =
            [(0.0, 1.0), (-100.0, 5.0), (5e4, 1.0), (1.0, 1e-7), (0.0, 1e-30)][seed as usize % 5];
        let x = Array2::from_shape_vec((n, 1), random(n, seed).map(|v| F::of(offset + spread * v)).collect())
            .unwrap();
        let (min, max) =
            x.iter().fold((F::infinity(), F::neg_infinity()), |(lo, hi), &v| (v.min(lo), v.max(hi)));
        for (lo, hi) in ranges.into_iter().filter(|(_, hi)| F::of(*hi).is_finite()) {
            let mut scaler = MinMaxScaler::new().feature_range(lo, hi);
            let z = scaler.fit_transform(&x).unwrap();
            for (&x, &z) in x.iter().zip(&z) {
                assert!(F::of(lo) <= z && z <= F::of(hi), "{x} became {z}, outside {lo} to {hi}");
                if min < max && (x == min || x == max) {
                    assert_eq!(z, F::of(if x == min { lo } else { hi }), "{x}");
                }
            }
            let back = scaler.inverse_transform(&z).unwrap();
            for (&x, &back) in x.iter().zip(&back) {
                let widest = min.abs().max(max.abs()).as_f64();
                assert!(
                    (x - back).as_f64().abs() <= 8.0 * F::epsilon().as_f64() * widest,
                    "{x} came back as {back}"
                );
                let ends_are_exact = [lo, hi].iter().all(|end| F::of(*end).as_f64() == *end);
                assert!(!ends_are_exact || (x != min && x != max) || x == back, "{x} came back as {back}");
            }
        }
    }
}

#[test]
fn min_and_max_become_the_ends_of_the_range_and_nothing_leaves_it() {
    min_max_hits_its_ends::<f64>();
    min_max_hits_its_ends::<f32>();
    let x = array![[-100.60891342629567], [-103.45466086031098], [-96.23247959032804]];
    let z = MinMaxScaler::new().fit_transform(&x).unwrap();
    assert_eq!((z[[1, 0]], z[[2, 0]]), (0.0, 1.0));
    // What fit has not seen may leave the range, unless it is clipped; also where the difference has no float.
    let mut scaler = MinMaxScaler::new();
    scaler.fit(&array![[1e308], [1.5e308]]).unwrap();
    assert_eq!(scaler.transform(&array![[-1.5e308], [1.75e308]]).unwrap(), array![[-5.0], [1.5]]);
    let clipping = scaler.clip(true);
    assert_eq!(clipping.transform(&array![[-1.5e308], [1.75e308]]).unwrap(), array![[0.0], [1.0]]);
    assert!(
        error_message(MinMaxScaler::new().feature_range(-1e308, 1e308).fit(&x))
            .contains("lo < hi with finite hi - lo")
    );
}

#[test]
fn norms_of_any_size_are_divided_by() {
    let root = 0.5_f64.sqrt();
    for size in [1.0, 1e200, 1e-200, 1.7e308, 1e-300, 1e154, 1e-154] {
        let x = array![[size, -size], [0.0, 0.0], [0.0, size]];
        let rows = |half: f64| array![[half, -half], [0.0, 0.0], [0.0, 1.0]];
        close(&Normalizer::new().transform(&x).unwrap(), &rows(root), 1e-15);
        close(&Normalizer::new().norm(Norm::L1).transform(&x).unwrap(), &rows(0.5), 1e-15);
        close(&Normalizer::new().norm(Norm::Max).transform(&x).unwrap(), &rows(1.0), 1e-15);
    }
    close(
        &Normalizer::new().transform(&array![[3e300, 4e300, 1e-10]]).unwrap(),
        &array![[0.6, 0.8, 2e-311]],
        1e-15,
    );
    // 3 and 4 units of the smallest number.
    close(&Normalizer::new().transform(&array![[15e-324, 20e-324]]).unwrap(), &array![[0.6, 0.8]], 1e-15);
    for size in [f32::MAX, 1e20, 1e-30, 1e-45] {
        let z = Normalizer::new().transform(&array![[size, size]]).unwrap();
        close(&z.mapv(f64::from), &array![[root, root]], 1e-7);
    }
}

#[test]
fn replacements_are_finite() {
    let hole = |values: [f64; 3]| array![[values[0]], [values[1]], [values[2]], [f64::NAN]];
    let filled = |strategy, values| {
        SimpleImputer::new().strategy(strategy).fit_transform(&hole(values)).unwrap()[[3, 0]]
    };
    assert_eq!(filled(Impute::Mean, [1.7e308; 3]), 1.7e308);
    assert_eq!(filled(Impute::Mean, [1.5e308, 1.6e308, 1.7e308]), 1.6e308);
    assert_eq!(filled(Impute::Mean, [f64::MAX, -f64::MAX, 0.0]), 0.0);
    assert_eq!(filled(Impute::Mean, [5e-324, 5e-324, 5e-324]), 5e-324);
    assert_eq!(filled(Impute::Mean, [0.1; 3]), 0.1);
    assert_eq!(filled(Impute::Median, [f64::NAN, -1.7e308, 1.7e308]), 0.0);
    assert_eq!(filled(Impute::Median, [f64::NAN, 1.5e308, 1.7e308]), 1.6e308);
    let mut constant = SimpleImputer::new().strategy(Impute::Constant(1e300));
    let message = error_message(constant.fit_transform(&array![[1.0_f32, 2.0], [3.0, f32::NAN]]));
    assert!(
        message.contains("1e300 for the missing value at [1, 1]") && message.contains("f64"),
        "{message}"
    );
}

#[test]
fn results_beyond_the_type_are_errors_with_a_place() {
    let fitted = array![[1e-20, 1.0], [2e-20, 2.0], [4e-20, 4.0]];
    let large = array![[1e-20, 1.0], [1e300, 1.0]];
    let checks = |message: String, owner: &str, place: &str| {
        for word in
            [owner, "is too large at", place, "expected values whose results fit f64", "scale the column"]
        {
            assert!(message.contains(word), "{message}, without {word}");
        }
    };
    let mut standard = StandardScaler::new();
    standard.fit(&fitted).unwrap();
    checks(error_message(standard.transform(&large)), "StandardScaler: x", "[1, 0] (1e300)");
    let mut min_max = MinMaxScaler::new();
    min_max.fit(&fitted).unwrap();
    checks(error_message(min_max.transform(&large)), "MinMaxScaler: x", "[1, 0] (1e300)");
    let mut max_abs = MaxAbsScaler::new();
    max_abs.fit(&fitted).unwrap();
    checks(error_message(max_abs.transform(&large)), "MaxAbsScaler: x", "[1, 0] (1e300)");
    let mut robust = RobustScaler::new();
    robust.fit(&fitted).unwrap();
    checks(error_message(robust.transform(&large)), "RobustScaler: x", "[1, 0] (1e300)");
    // On the way back.
    let mut wide = MaxAbsScaler::new();
    wide.fit(&array![[1.0, 1e300]]).unwrap();
    checks(
        error_message(wide.inverse_transform(&array![[0.0, 0.0], [1.0, 1e10]])),
        "MaxAbsScaler: z",
        "[1, 1]",
    );
    // The column is the caller's also behind a ColumnTransformer.
    let mut columns = ColumnTransformer::new().step(MaxAbsScaler::new(), [1, 0]);
    columns.fit(&fitted).unwrap();
    checks(error_message(columns.transform(&large)), "MaxAbsScaler: x", "[1, 0] (1e300)");
    // A result that f64 holds, but not f32.
    let message = error_message(max_abs.transform(&array![[1e25_f32, 1.0]]));
    assert!(message.contains("[0, 0]") && message.contains("fit f32; convert the data to f64"), "{message}");
}

#[test]
fn statistics_beyond_f64_are_errors_with_a_place() {
    let x = array![[0.0, 1.0], [1.0, -1e200], [2.0, 1.5e200]];
    let message = error_message(StandardScaler::new().fit(&x));
    assert!(message.contains("StandardScaler: x is too large at [2, 1] (1.5e200)"), "{message}");
    assert!(message.ends_with("divide the column by a constant first"), "{message}");
    let x = array![[0.0, 1.2e308], [1.0, -1.5e308], [2.0, 0.0], [3.0, 1.7e308], [4.0, -1.1e308]];
    assert!(
        error_message(MinMaxScaler::new().fit(&x))
            .contains("MinMaxScaler: x is too large at [3, 1] (1.7e308)")
    );
    assert!(
        error_message(RobustScaler::new().fit(&x))
            .contains("RobustScaler: x is too large at [3, 1] (1.7e308)")
    );
    // A range that has a float is scaled by, however large the values are.
    let x = array![[1.7e308], [1.6e308], [1.5e308]];
    close(&MinMaxScaler::new().fit_transform(&x).unwrap(), &array![[1.0], [0.5], [0.0]], 1e-14);
    close(&RobustScaler::new().fit_transform(&x).unwrap(), &array![[1.0], [0.0], [-1.0]], 1e-14);
}

#[test]
fn products_over_and_underflow_only_as_a_whole() {
    let products =
        |degree, x: &Array2<f64>| PolynomialFeatures::new(degree).include_bias(false).fit_transform(x);
    // a, b, then aab = 1e100 through 1e400, and abb = 1e-250 as it comes.
    let x = array![[1e200, 1e-300]];
    let message = error_message(products(3, &x));
    assert!(message.contains("PolynomialFeatures: x is too large at [0, 0] (1e200)"), "{message}");
    let interactions = PolynomialFeatures::new(3).interaction_only(true).include_bias(false);
    let all = interactions.clone().fit_transform(&array![[1e200, 1e200, 1e-300]]);
    assert!(error_message(all).contains("[0, 0] (1e200)"), "ab has no float");
    let all = interactions.clone().fit_transform(&array![[1e-200, 1e-200, 1e300]]).unwrap();
    close(&all, &array![[1e-200, 1e-200, 1e300, 0.0, 1e100, 1e100, 1e-100]], 1e-14);
    let all = interactions.clone().fit_transform(&array![[1e-30_f32, 1e-30, 1e30]]).unwrap();
    close(&all.mapv(f64::from), &array![[1e-30, 1e-30, 1e30, 0.0, 1.0, 1.0, 1e-30]], 1e-6);
    assert!(
        error_message(interactions.clone().fit_transform(&array![[1.0_f32, 1e20, 1e30]])).contains("fit f32")
    );
    let x = array![[0.0, -0.0, 1e-320], [2.0, 3.0, 1.0]];
    let mut zeros = interactions;
    assert_eq!(zeros.fit_transform(&x).unwrap().row(1).to_vec(), [2.0, 3.0, 1.0, 6.0, 2.0, 3.0, 6.0]);
    assert!(zeros.transform(&x).unwrap().row(0).iter().skip(3).all(|v| *v == 0.0));
}

#[cfg(feature = "pca")]
#[test]
fn pca_of_equal_rows_explains_nothing() {
    for value in [0.1, 1.0 / 3.0, -1e8 - 0.1, 1e-20, 0.0] {
        for (rows, columns) in [(10, 3), (100, 3), (3, 5)] {
            for solver in [PcaSolver::Exact, PcaSolver::Randomized] {
                for whiten in [false, true] {
                    let x = Array2::from_shape_fn((rows, columns), |(_, column)| value * (column + 1) as f64);
                    let mut pca = Pca::new(2).solver(solver).whiten(whiten);
                    let z = pca.fit_transform(&x).unwrap();
                    assert_eq!(z, Array2::<f64>::zeros((rows, 2)), "{value}");
                    assert_eq!(pca.explained_variance_ratio().unwrap(), array![0.0, 0.0]);
                    assert_eq!(pca.explained_variance().unwrap(), array![0.0, 0.0]);
                    let components = pca.components().unwrap();
                    close(&components.dot(&components.t()), &Array2::eye(2), 1e-12);
                    assert_eq!(pca.inverse_transform(&z).unwrap(), x);
                }
            }
        }
    }
    // A constant column beside one that varies has no part in it.
    let x = Array2::from_shape_fn((10, 2), |(row, column)| if column == 0 { 0.1 } else { row as f64 });
    let mut pca = Pca::new(2);
    pca.fit(&x).unwrap();
    assert_eq!(pca.explained_variance_ratio().unwrap(), array![1.0, 0.0]);
}

#[cfg(feature = "pca")]
#[test]
fn pca_does_not_depend_on_the_unit() {
    let values: Vec<f64> = random(40 * 3, 5).collect();
    let x = Array2::from_shape_vec((40, 3), values).unwrap() * &array![[5.0, 2.0, 0.5]]
        + &array![[1.0, 0.0, 3.0]];
    let analyze = |x: &Array2<f64>| {
        let mut pca = Pca::new(3).whiten(true);
        let z = pca.fit_transform(x).unwrap();
        (z, pca.explained_variance_ratio().unwrap().to_owned())
    };
    let (z, ratio) = analyze(&x);
    for column in z.columns() {
        let square = column.iter().map(|v| v * v).sum::<f64>() / 39.0;
        assert!((square - 1.0).abs() < 1e-12, "whitened: {square}");
    }
    for unit in [1e-20, 1e-100, 1e20, 1e100] {
        let (other, other_ratio) = analyze(&(&x * unit));
        assert!((&other - &z).iter().all(|v| v.abs() < 1e-11), "{unit}");
        assert!((&other_ratio - &ratio).iter().all(|v| v.abs() < 1e-13), "{unit}");
    }
    let message_at = |unit: f64| error_message(Pca::new(1).fit(&(&x * unit)));
    assert!(
        message_at(1e-200).contains("Pca: x is too small")
            && message_at(1e-200).contains("multiply x by a constant")
    );
    assert!(message_at(1e200).contains("Pca: x is too large at ["));
    let mut pca = Pca::new(1);
    pca.fit(&array![[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]]).unwrap();
    let message = self::error_message(pca.transform(&array![[0.0, 0.0], [1.7e308, 1.7e308]]));
    assert!(message.contains("Pca: x is too large at [1, 0] (1.7e308)"), "{message}");
}
