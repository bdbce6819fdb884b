//! Fits on batches that are read again in each pass: the bits of a plain fit on all rows, for any batches; errors of batches
//! and of passes that differ.

use crate::clustering::distributed::{Shared, blobs, normal, shared, weights};
use crate::common::assert_error_contains;
use axonal::ndarray::{Array1, Array2, array, s};
use axonal::prelude::*;
use proptest::prelude::*;
use std::cell::Cell;
use std::ops::Range;

/// The ranges of batches of these lengths, one length after the other.
fn ranges(n: usize, lens: &[usize]) -> Vec<Range<usize>> {
    let mut ends = vec![0];
    for len in lens.iter().cycle() {
        let end = ends[ends.len() - 1];
        if end == n {
            break;
        }
        ends.push((end + len).min(n));
    }
    ends.windows(2).map(|ends| ends[0]..ends[1]).collect()
}

/// Fits on batches of these lengths, others in every second pass.
fn fit_batches<F: Float>(
    kmeans: &mut KMeans<F>,
    x: &Array2<F>,
    weights: Option<&Array1<F>>,
    lens: &[usize],
) -> Result<axonal::cluster::KMeansReport> {
    let ranges = |pass| ranges(x.nrows(), if pass % 2 == 0 { lens } else { &[777] });
    match weights {
        Some(w) => kmeans.fit_batches(|pass| {
            Ok(ranges(pass).into_iter().map(|rows| (x.slice(s![rows.clone(), ..]), w.slice(s![rows]))))
        }),
        None => kmeans.fit_batches(|pass| Ok(ranges(pass).into_iter().map(|rows| x.slice(s![rows, ..])))),
    }
}

/// Fits on all rows, and on batches of these lengths: every number must be the same.
fn assert_same_bits<F: Float>(
    kmeans: &KMeans<F>,
    x: &Array2<F>,
    weights: Option<&Array1<F>>,
    lens: &[usize],
) -> Shared {
    let mut whole = kmeans.clone();
    let report = match weights {
        Some(weights) => whole.fit_weighted(x, weights),
        None => whole.fit(x),
    };
    let want = shared(&whole, &report.unwrap());
    let mut kmeans = kmeans.clone();
    let report = fit_batches(&mut kmeans, x, weights, lens).unwrap();
    assert_eq!(shared(&kmeans, &report), want, "batches of {lens:?}, {kmeans:?}");
    assert_eq!(kmeans.cluster_sizes().unwrap(), whole.cluster_sizes().unwrap());
    assert_eq!(kmeans.predict(x).unwrap(), whole.predict(x).unwrap());
    want
}

fn check_options<F: Float>() {
    let (n, d) = (4500, 5);
    let (x, w) = (blobs::<F>(n, d, 1), weights::<F>(n, 2));
    let given = x.slice(s![..;600, ..]).to_owned();
    let base = || KMeans::<F>::new(8).seed(5).max_iter(25);
    let variants = [
        base(),
        base().n_init(3),
        base().init(KMeansInit::Random).n_init(2),
        base().init(KMeansInit::Centers(given)),
        base().spherical(true),
        base().max_points_per_center(150).tol(0.0),
        base().max_points_per_center(300).init(KMeansInit::Random).n_init(2),
    ];
    let lens: [&[usize]; 4] = [&[1000], &[4500], &[1, 2000, 30], &[1024, 0, 2048]];
    for (index, kmeans) in variants.iter().enumerate() {
        for weights in [None, Some(&w)] {
            assert_same_bits(kmeans, &x, weights, lens[index % 4]);
        }
    }
}

#[test]
fn every_option_has_the_bits_of_a_plain_fit() {
    check_options::<f32>();
    check_options::<f64>();
}

#[test]
fn rows_in_other_layouts_and_large_batches_have_the_bits_of_a_plain_fit() {
    // Wide rows, so that large batches are read in place.
    let x = blobs::<f64>(5000, 40, 4);
    let kmeans = KMeans::new(5).seed(2).max_iter(6);
    for lens in [&[5000][..], &[4096, 900], &[3, 4900]] {
        assert_same_bits(&kmeans, &x, None, lens);
    }
    let mut whole = kmeans.clone();
    whole.fit(&x).unwrap();
    let columns = x.t().as_standard_layout().into_owned();
    let mut batched = kmeans.clone();
    batched.fit_batches(|_| Ok([columns.t()])).unwrap();
    assert_eq!(batched.cluster_centers().unwrap(), whole.cluster_centers().unwrap());
}

#[test]
fn empty_clusters_and_duplicates_have_the_bits_of_a_plain_fit() {
    let far = array![[0.0, 0.0], [1e3, 0.0], [1e3, 1.0], [1e3, 2.0]];
    let symmetric = array![[-1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, -1.0], [-1.0, 0.0], [1.0, 0.0]];
    let away = KMeans::new(4).init(KMeansInit::Centers(far));
    for lens in [&[6][..], &[1], &[4, 2]] {
        assert_same_bits(&away, &symmetric, None, lens);
        assert_same_bits(&away, &symmetric, Some(&array![1.0, 0.0, 3.0, 2.0, 1.0, 1.0]), lens);
    }
    assert_same_bits(&away, &blobs::<f64>(2100, 2, 8), None, &[900]);
    // Fewer distinct rows than clusters, and clusters of equal rows, whose centers become these rows.
    let third = 1.0 / 3.0;
    for n in [12, 2200] {
        let x = Array2::from_shape_fn((n, 3), |(row, column)| (row % 3) as f64 * third + column as f64 * 0.1);
        let five = assert_same_bits(&KMeans::new(5).seed(1), &x, None, &[500]);
        assert_eq!(five.empty_clusters.len(), 2);
        assert_same_bits(&KMeans::new(3).seed(1), &x, None, &[500]);
    }
    assert_same_bits(&KMeans::new(2), &Array2::from_elem((9, 2), 0.7f32), None, &[4]);
}

#[test]
fn extreme_units_have_the_bits_of_a_plain_fit() {
    for (unit, weight) in [(1e-148, 1.0), (1e-30, 1e-200), (1e30, 1e200), (1e145, 1e-290)] {
        let x = blobs::<f64>(1500, 3, 9).mapv(|x| x * unit);
        assert_same_bits(&KMeans::new(4).seed(2), &x, None, &[700]);
        let w = weights::<f64>(1500, 3).mapv(|w| w * weight);
        assert_same_bits(&KMeans::new(4).seed(2), &x, Some(&w), &[700]);
    }
    // Tight clusters far apart, whose inertia is computed from the rows again.
    let tight = Array2::from_shape_fn((1500, 2), |(row, _)| 1e6 * (row % 3) as f64)
        + normal::<f64>(1500, 2, 3).mapv(|x| 1e-3 * x);
    assert_same_bits(&KMeans::new(3).seed(1), &tight, None, &[400]);
}

#[test]
fn tiny_data_has_the_bits_of_a_plain_fit() {
    for n in 1..6 {
        let x = normal::<f32>(n, 2, n as u64);
        for k in 1..=n {
            assert_same_bits(&KMeans::new(k).seed(4), &x, None, &[2]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn random_data_has_the_bits_of_a_plain_fit(
        n in 20usize..2600,
        d in 1usize..9,
        k in 1usize..12,
        lens in prop::collection::vec(1usize..1500, 1..4),
        seed in 0u64..1000,
        (weighted, given, rounded) in any::<(bool, bool, bool)>(),
    ) {
        let mut x = normal::<f32>(n, d, seed);
        if rounded {
            x.mapv_inplace(f32::round);
        }
        let mut kmeans = KMeans::new(k).seed(seed).max_iter(40);
        if given {
            kmeans = kmeans.init(KMeansInit::Centers(normal(k, d, seed + 1)));
        }
        let w = weights(n, seed);
        assert_same_bits(&kmeans, &x, weighted.then_some(&w), &lens);
    }
}

/// The passes of a fit beside those of its iterations and of the last labels.
fn extra_passes(kmeans: KMeans<f32>) -> usize {
    let x = normal::<f32>(1500, 4, 3);
    let passes = Cell::new(0);
    let mut kmeans = kmeans;
    let report = kmeans.fit_batches(|pass| {
        assert_eq!(pass, passes.replace(pass + 1));
        Ok([x.view()])
    });
    passes.get() - report.unwrap().n_iter
}

#[test]
fn the_number_of_passes_is_the_documented_one() {
    let base = || KMeans::new(6).max_iter(2).tol(0.0).n_init(1);
    let given = normal::<f32>(6, 4, 5);
    assert_eq!(extra_passes(base().init(KMeansInit::Centers(given))), 2 + 1);
    assert_eq!(extra_passes(base().init(KMeansInit::Random)), 2 + 1 + 1);
    assert_eq!(extra_passes(base()), 2 + 2 * 6 + 1);
    assert_eq!(extra_passes(base().spherical(true)), 3 + 2 * 6 + 1);
    // Two passes for the moments, one for the rows, one for the labels: the iterations run in memory.
    let x = blobs::<f32>(1500, 4, 3);
    let passes = Cell::new(0);
    let mut part = base().max_points_per_center(50);
    part.fit_batches(|pass| {
        passes.set(pass + 1);
        Ok([x.view()])
    })
    .unwrap();
    assert_eq!(passes.get(), 4);
}

#[test]
fn labels_are_not_kept_and_say_so() {
    let x = blobs::<f64>(300, 3, 1);
    let mut kmeans = KMeans::new(3).seed(1);
    fit_batches(&mut kmeans, &x, None, &[70]).unwrap();
    assert_error_contains(kmeans.labels(), "predict computes them batch by batch");
    assert_eq!(kmeans.cluster_sizes().unwrap().sum(), 300);
    let loaded = KMeans::<f64>::from_bytes(&kmeans.to_bytes().unwrap()).unwrap();
    assert_error_contains(loaded.labels(), "fit_batches keeps no labels");
    assert_error_contains(loaded.cluster_sizes(), "fit_batches keeps no labels");
    assert_eq!(loaded.predict(&x).unwrap(), kmeans.predict(&x).unwrap());
    // A plain fit has labels again.
    kmeans.fit(&x).unwrap();
    assert_eq!(kmeans.labels().unwrap().len(), 300);
}

#[test]
fn batches_that_do_not_fit_are_errors_that_name_them() {
    let x = normal::<f64>(30, 3, 1);
    let kmeans = || KMeans::new(3).seed(1);
    let columns = kmeans().fit_batches(|_| Ok([x.view(), x.slice(s![.., ..2])]));
    assert_error_contains(
        columns,
        "x of batch 2 of pass 1: expected 3 columns, as the batches before, got 2 columns",
    );
    let mut nan = x.clone();
    nan[[4, 2]] = f64::NAN;
    let not_finite = kmeans().fit_batches(|_| Ok([x.view(), nan.view()]));
    assert_error_contains(not_finite, "x of batch 2 of pass 1 contains NaN at [4, 2]");
    let none = kmeans().fit_batches(|_| Ok(Vec::<Array2<f64>>::new()));
    assert_error_contains(none, "the first pass is empty");
    let no_rows = kmeans().fit_batches(|_| Ok([x.slice(s![..0, ..])]));
    assert_error_contains(no_rows, "the first pass is empty");
    let no_columns = kmeans().fit_batches(|_| Ok([x.slice(s![.., ..0])]));
    assert_error_contains(no_columns, "at least 1 feature");
    let few = KMeans::new(31).fit_batches(|_| Ok([x.view()]));
    assert_error_contains(few, "n_samples=30 should be >= n_clusters=31");
    let short = kmeans().fit_batches(|_| Ok([(x.view(), Array1::ones(29))]));
    assert_error_contains(short, "sample_weight of batch 1 of pass 1: expected 30");
    let negative = kmeans().fit_batches(|_| Ok([(x.view(), Array1::from_elem(30, -1.0))]));
    assert_error_contains(negative, "is negative");
    let zero = kmeans().fit_batches(|_| Ok([(x.view(), Array1::zeros(30))]));
    assert_error_contains(zero, "all weights are zero");
    let function = KMeansInit::function(|x, k, _| Ok(x.slice(s![..k, ..]).to_owned()));
    assert_error_contains(kmeans().init(function).fit_batches(|_| Ok([x.view()])), "init is a function");
    let init = KMeansInit::Centers(Array2::zeros((3, 2)));
    assert_error_contains(kmeans().init(init).fit_batches(|_| Ok([x.view()])), "initial centers");
    let far = kmeans().fit_batches(|_| Ok([x.mapv(|x| x * 1e160)]));
    assert_error_contains(far, "scale x down");
    let near = KMeans::new(2).fit_batches(|_| Ok([array![[0.0]], array![[1e-200]]]));
    assert_error_contains(near, "row 1 lies 1.0e-200 from row 0");
}

#[test]
fn errors_of_the_source_end_the_fit() {
    let x = normal::<f64>(30, 3, 1);
    let lost = || Error::invalid_parameter("disk", "read", "failed", "rows");
    let open = KMeans::new(3).fit_batches(|pass| if pass < 2 { Ok([x.view()]) } else { Err(lost()) });
    assert_error_contains(open, "disk: read is failed");
    let mut kmeans = KMeans::new(3);
    let batch =
        kmeans.fit_batches(|pass| Ok([Ok(x.view()), if pass < 3 { Ok(x.view()) } else { Err(lost()) }]));
    assert_error_contains(batch, "disk: read is failed");
    assert!(kmeans.cluster_centers().is_err(), "a fit that failed leaves no centers");
}

#[test]
fn a_pass_that_differs_from_the_first_is_an_error() {
    let x = normal::<f64>(30, 3, 1);
    let hint = "return the same rows in every pass";
    let rows = |len: usize| x.slice(s![..len, ..]);
    let fewer = KMeans::new(3).fit_batches(|pass| Ok([rows(if pass == 0 { 30 } else { 29 })]));
    assert_error_contains(fewer, "pass 2: expected the 30 rows of the first pass, got 29");
    let more = KMeans::new(3).fit_batches(|pass| Ok([rows(if pass == 0 { 29 } else { 30 })]));
    assert_error_contains(more, "expected the 29 rows of the first pass, got at least 30");
    let shuffled = KMeans::new(3).fit_batches(|pass| {
        let mut x = x.clone();
        x.swap([0, 0], [pass % 2, 0]);
        Ok([x])
    });
    assert_error_contains(shuffled, hint);
    // A generator that is not seeded anew continues with other rows.
    let mut rng = axonal::rng::Rng::new(1, axonal::rng::Purpose::Other, 0);
    let noise = KMeans::new(3).fit_batches(|_| Ok([Array2::from_shape_simple_fn((50, 2), || rng.normal())]));
    assert_error_contains(noise, hint);
    let weights = KMeans::new(3).fit_batches(|pass| {
        let mut w = Array1::<f64>::ones(30);
        w[7] += (pass > 0) as u8 as f64;
        Ok([(x.view(), w)])
    });
    assert_error_contains(weights, hint);
}
