//! Fits on the rows of several ranks: the same bits as a plain fit on all rows, for any number of ranks and any split; errors
//! on every rank, and no rank that waits forever.

use crate::common::assert_error_contains;
use axonal::distributed::{Collective, Threads};
use axonal::ndarray::{Array1, Array2, Axis, array, concatenate, s};
use axonal::prelude::*;
use axonal::rng::{Purpose, Rng};
use proptest::prelude::*;

/// The numbers of a fit that all ranks share, as bits where they are reals.
#[derive(Debug, PartialEq)]
pub(super) struct Shared {
    centers: Vec<u64>,
    inertia: u64,
    history: Vec<u64>,
    n_iter: usize,
    converged: bool,
    pub(super) empty_clusters: Vec<usize>,
}

fn bits(values: impl IntoIterator<Item = f64>) -> Vec<u64> {
    values.into_iter().map(f64::to_bits).collect()
}

pub(super) fn shared<F: Float>(kmeans: &KMeans<F>, report: &axonal::cluster::KMeansReport) -> Shared {
    assert_eq!(kmeans.inertia().unwrap().to_bits(), report.inertia.to_bits());
    Shared {
        centers: bits(kmeans.cluster_centers().unwrap().iter().map(|c| c.as_f64())),
        inertia: report.inertia.to_bits(),
        history: bits(report.history.iter().copied()),
        n_iter: report.n_iter,
        converged: report.converged,
        empty_clusters: report.empty_clusters.clone(),
    }
}

/// Fits on all rows, and on the rows of ranks that end at these rows: every number must be the same.
fn assert_same_bits<F: Float>(
    kmeans: &KMeans<F>,
    x: &Array2<F>,
    weights: Option<&Array1<F>>,
    ends: &[usize],
) {
    let mut whole = kmeans.clone();
    let report = match weights {
        Some(weights) => whole.fit_weighted(x, weights),
        None => whole.fit(x),
    };
    let want = shared(&whole, &report.unwrap());
    let labels = Threads::run(ends.len(), |group| {
        let first = if group.rank() == 0 { 0 } else { ends[group.rank() - 1] };
        let own = x.slice(s![first..ends[group.rank()], ..]);
        let mut kmeans = kmeans.clone();
        let report = match weights {
            Some(weights) => {
                kmeans.fit_distributed_weighted(&own, &weights.slice(s![first..ends[group.rank()]]), group)
            }
            None => kmeans.fit_distributed(&own, group),
        }?;
        assert_eq!(shared(&kmeans, &report), want, "ranks that end at {ends:?}, {kmeans:?}");
        assert_eq!(kmeans.predict(&own)?.len(), own.nrows());
        Ok(kmeans.labels()?.clone())
    })
    .unwrap();
    let labels: Vec<_> = labels.iter().map(|labels| labels.view()).collect();
    assert_eq!(concatenate(Axis(0), &labels).unwrap(), whole.labels().unwrap(), "ends at {ends:?}");
}

/// About equal parts of the rows.
fn equal_parts(n: usize, ranks: usize) -> Vec<usize> {
    (1..=ranks).map(|rank| n * rank / ranks).collect()
}

pub(super) fn normal<F: Float>(n: usize, d: usize, seed: u64) -> Array2<F> {
    let mut rng = Rng::new(seed, Purpose::Other, 77);
    Array2::from_shape_fn((n, d), |_| F::of(rng.normal()))
}

/// Overlapping clusters far from the origin, whose columns have different units.
pub(super) fn blobs<F: Float>(n: usize, d: usize, seed: u64) -> Array2<F> {
    let mut rng = Rng::new(seed, Purpose::Other, 78);
    let centers: Vec<f64> = (0..9 * d).map(|_| 3.0 * rng.normal()).collect();
    Array2::from_shape_fn((n, d), |(row, column)| {
        let unit = [1.0, 1e-3, 1e4][column % 3];
        F::of(unit * (20.0 + centers[row % 9 * d + column] + rng.normal()))
    })
}

pub(super) fn weights<F: Float>(n: usize, seed: u64) -> Array1<F> {
    let mut rng = Rng::new(seed, Purpose::Other, 79);
    Array1::from_shape_fn(n, |row| F::of(if row % 7 == 3 { 0.0 } else { (2.0 * rng.normal()).exp() }))
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
    for (index, kmeans) in variants.iter().enumerate() {
        for weights in [None, Some(&w)] {
            let ranks = 2 + index % 3;
            assert_same_bits(kmeans, &x, weights, &equal_parts(n, ranks));
        }
    }
    for ranks in 1..=4 {
        assert_same_bits(&base(), &x, None, &equal_parts(n, ranks));
        assert_same_bits(&base(), &x, Some(&w), &equal_parts(n, ranks));
    }
}

#[test]
fn every_option_has_the_same_bits_on_several_ranks() {
    check_options::<f32>();
    check_options::<f64>();
}

/// Many clusters and features: k-means++ skips rows, and Lloyd's later iterations prune.
#[test]
fn skipped_and_pruned_rows_have_the_same_bits_on_several_ranks() {
    let x = normal::<f32>(2500, 32, 4);
    let many = KMeans::new(1024).max_iter(3).seed(1);
    assert_same_bits(&many, &x, None, &[900, 2500]);
    let x = blobs::<f32>(9000, 16, 5);
    assert_same_bits(&KMeans::new(40).max_iter(30).seed(2), &x, None, &[3000, 4096, 9000]);
}

#[test]
fn any_split_has_the_same_bits() {
    let x = blobs::<f64>(3100, 4, 6);
    let w = weights::<f64>(3100, 7);
    let kmeans = KMeans::new(6).seed(3);
    for ends in [
        &[1024, 2048, 3100][..],
        &[0, 3100],
        &[3100, 3100],
        &[0, 0, 3100, 3100],
        &[1, 2, 3, 3100],
        &[3097, 3098, 3099, 3100],
        &[1023, 1025, 2050, 3100],
        &[1500, 1500, 1600, 3100],
    ] {
        assert_same_bits(&kmeans, &x, None, ends);
        assert_same_bits(&kmeans.clone().init(KMeansInit::Random).n_init(2), &x, Some(&w), ends);
    }
}

#[test]
fn empty_clusters_and_duplicates_have_the_same_bits() {
    // Centers far away win nothing: the farthest rows of all ranks are theirs, of equally far ones the first.
    let far = array![[0.0, 0.0], [1e3, 0.0], [1e3, 1.0], [1e3, 2.0]];
    let symmetric = array![[-1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, -1.0], [-1.0, 0.0], [1.0, 0.0]];
    let away = KMeans::new(4).init(KMeansInit::Centers(far));
    for ranks in 1..=4 {
        assert_same_bits(&away, &symmetric, None, &equal_parts(6, ranks));
        assert_same_bits(
            &away,
            &symmetric,
            Some(&array![1.0, 0.0, 3.0, 2.0, 1.0, 1.0]),
            &equal_parts(6, ranks),
        );
        assert_same_bits(&away, &blobs::<f64>(2100, 2, 8), None, &equal_parts(2100, ranks));
    }
    // Fewer distinct rows than clusters, and clusters of equal rows, whose centers become these rows.
    let third = 1.0 / 3.0;
    for n in [12, 2200] {
        let x = Array2::from_shape_fn((n, 3), |(row, column)| (row % 3) as f64 * third + column as f64 * 0.1);
        for ranks in 1..=4 {
            assert_same_bits(&KMeans::new(5).seed(1), &x, None, &equal_parts(n, ranks));
            assert_same_bits(&KMeans::new(3).seed(1), &x, None, &equal_parts(n, ranks));
        }
    }
    let equal = Array2::from_elem((9, 2), 0.7f32);
    assert_same_bits(&KMeans::new(2), &equal, None, &[4, 9]);
}

#[test]
fn extreme_units_have_the_same_bits() {
    // Of the smallest values the squares of a column underflow.
    for (unit, weight) in [(1e-148, 1.0), (1e-30, 1e-200), (1e30, 1e200), (1e145, 1e-290)] {
        let x = blobs::<f64>(1500, 3, 9).mapv(|x| x * unit);
        assert_same_bits(&KMeans::new(4).seed(2), &x, None, &[700, 1500]);
        let w = weights::<f64>(1500, 3).mapv(|w| w * weight);
        assert_same_bits(&KMeans::new(4).seed(2), &x, Some(&w), &[700, 1500]);
    }
    // Zeros of both signs.
    let zeros = Array2::from_shape_fn((40, 2), |(row, _)| if row % 2 == 0 { -0.0 } else { 0.0 });
    assert_same_bits(&KMeans::new(1), &zeros, None, &[13, 40]);
}

#[test]
fn tiny_data_has_the_same_bits() {
    for n in 1..6 {
        let x = normal::<f32>(n, 2, n as u64);
        for k in 1..=n {
            for ranks in 1..=4 {
                assert_same_bits(&KMeans::new(k).seed(4), &x, None, &equal_parts(n, ranks));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn random_data_has_the_same_bits(
        n in 20usize..2600,
        d in 1usize..9,
        k in 1usize..12,
        cuts in prop::collection::vec(0.0..1.0f64, 0..4),
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
        let mut ends: Vec<usize> = cuts.iter().map(|cut| (cut * n as f64) as usize).collect();
        ends.push(n);
        ends.sort_unstable();
        let w = weights(n, seed);
        assert_same_bits(&kmeans, &x, weighted.then_some(&w), &ends);
    }
}

/// The messages of all ranks, each of which must get an error and can continue.
fn messages(
    ranks: usize,
    fit: impl Fn(&Threads<'_>) -> Result<axonal::cluster::KMeansReport> + Sync,
) -> Vec<String> {
    Threads::run(ranks, |group| {
        let message = fit(group).expect_err("an error on every rank").to_string();
        group.barrier()?;
        Ok(message)
    })
    .unwrap()
}

#[test]
fn what_one_rank_refuses_is_an_error_on_every_rank() {
    let x = normal::<f64>(40, 3, 1);
    let own = |group: &Threads<'_>| x.slice(s![20 * group.rank()..20 * group.rank() + 20, ..]).to_owned();
    let is_last = |group: &Threads<'_>| group.rank() == 1;
    let nan = messages(2, |group| {
        let mut x = own(group);
        if is_last(group) {
            x[[4, 2]] = f64::NAN;
        }
        KMeans::new(3).fit_distributed(&x, group)
    });
    assert!(nan[0].contains("rank 1 failed: x contains NaN at [4, 2]"), "{}", nan[0]);
    assert!(nan[1].starts_with("x contains NaN at [4, 2]"), "{}", nan[1]);
    let negative = messages(2, |group| {
        let weight = if is_last(group) { -1.0 } else { 1.0 };
        KMeans::new(3).fit_distributed_weighted(&own(group), &Array1::from_elem(20, weight), group)
    });
    assert!(negative.iter().all(|message| message.contains("is negative")), "{negative:?}");
    let short = messages(2, |group| {
        let weights = Array1::ones(if is_last(group) { 19 } else { 20 });
        KMeans::new(3).fit_distributed_weighted(&own(group), &weights, group)
    });
    assert!(short.iter().all(|message| message.contains("expected 20")), "{short:?}");
}

#[test]
fn what_differs_between_the_ranks_is_an_error_that_names_it() {
    let x = normal::<f64>(10, 3, 1);
    let rank = |group: &Threads<'_>| group.rank();
    let centers = |value| KMeansInit::Centers(Array2::from_elem((2, 3), value));
    let cases: [(&str, Vec<String>); 5] = [
        ("seed 1, and rank 0 0", messages(2, |g| KMeans::new(2).seed(rank(g) as u64).fit_distributed(&x, g))),
        ("n_clusters 3, and rank 0 2", messages(2, |g| KMeans::new(2 + rank(g)).fit_distributed(&x, g))),
        (
            "number of columns 2, and rank 0 3",
            messages(2, |g| KMeans::new(2).fit_distributed(&x.slice(s![.., rank(g)..]), g)),
        ),
        (
            "init [1.0, 1.0, 1.0], and rank 0 [0.0, 0.0, 0.0]",
            messages(2, |g| KMeans::new(2).init(centers(rank(g) as f64)).fit_distributed(&x, g)),
        ),
        (
            "use of weights true, and rank 0 false",
            messages(2, |g| match rank(g) {
                0 => KMeans::new(2).fit_distributed(&x, g),
                _ => KMeans::new(2).fit_distributed_weighted(&x, &Array1::ones(10), g),
            }),
        ),
    ];
    for (expected, messages) in cases {
        assert!(messages.iter().all(|message| message.contains(expected)), "{messages:?}");
    }
    let types = messages(2, |g| match rank(g) {
        0 => KMeans::new(2).fit_distributed(&x, g),
        _ => KMeans::new(2).fit_distributed(&x.mapv(|x| x as f32), g),
    });
    assert!(types[0].contains("element type f32, and rank 0 f64"), "{types:?}");
}

#[test]
fn what_all_rows_together_do_not_allow_is_an_error_on_every_rank() {
    let x = normal::<f64>(3, 2, 1);
    let few = messages(3, |group| KMeans::new(10).fit_distributed(&x, group));
    assert!(few.iter().all(|message| message.contains("n_clusters")), "{few:?}");
    let none = messages(2, |group| KMeans::new(1).fit_distributed(&x.slice(s![..0, ..]), group));
    assert!(none.iter().all(|message| message.contains("empty")), "{none:?}");
    let zeros = messages(2, |group| KMeans::new(1).fit_distributed_weighted(&x, &Array1::zeros(3), group));
    assert!(zeros.iter().all(|message| message.contains("all weights are zero")), "{zeros:?}");
    let random = KMeans::new(2).init(KMeansInit::Random);
    let light = messages(2, |group| {
        let weights = array![if group.rank() == 0 { 1.0 } else { 0.0 }, 0.0, 0.0];
        random.clone().fit_distributed_weighted(&x, &weights, group)
    });
    assert!(light.iter().all(|message| message.contains("1 weights are above zero")), "{light:?}");
    // Only the last rank has a value that is too large; row numbers count the rows of all ranks.
    let far = messages(2, |group| {
        KMeans::new(2).fit_distributed(&x.mapv(|x| if group.rank() == 1 { x * 1e160 } else { x }), group)
    });
    assert!(far.iter().all(|message| message.contains("scale x down")), "{far:?}");
    let near = messages(2, |group| {
        let x = Array2::from_elem((2, 1), group.rank() as f64 * 1e-200);
        KMeans::new(2).fit_distributed(&x, group)
    });
    assert!(near.iter().all(|message| message.contains("row 2 lies 1.0e-200 from row 0")), "{near:?}");
}

#[test]
fn a_function_of_all_rows_cannot_start_several_ranks() {
    let x = normal::<f64>(8, 2, 1);
    let function = || KMeansInit::function(|x, k, _| Ok(x.slice(s![..k, ..]).to_owned()));
    let refused = messages(2, |group| KMeans::new(2).init(function()).fit_distributed(&x, group));
    assert!(refused.iter().all(|message| message.contains("init is a function")), "{refused:?}");
    let alone = Threads::run(1, |group| KMeans::new(2).init(function()).fit_distributed(&x, group));
    assert_eq!(alone.unwrap()[0], KMeans::new(2).init(function()).fit(&x).unwrap());
}

#[test]
fn a_rank_that_fails_elsewhere_ends_the_fit() {
    let x = normal::<f64>(3000, 4, 1);
    let failed = Threads::run(3, |group| match group.rank() {
        1 => Err(Error::invalid_parameter("here", "rows", 0, "at least 1")),
        _ => KMeans::new(4).fit_distributed(&x, group).map(|_| ()),
    });
    assert_error_contains(failed, "here: rows is 0");
    let ended = Threads::run(2, |group| match group.rank() {
        1 => Ok(()),
        _ => KMeans::new(4).fit_distributed(&x, group).map(|_| ()),
    });
    assert_error_contains(ended, "has ended");
}

/// What all ranks share of a mini-batch fit, as bits where they are reals.
#[derive(Debug, PartialEq)]
struct MiniBatchShared {
    centers: Vec<u64>,
    inertia: u64,
    history: Vec<u64>,
    steps: [usize; 2],
    empty_clusters: Vec<usize>,
}

fn mini_batch_shared<F: Float>(
    kmeans: &MiniBatchKMeans<F>,
    report: &axonal::cluster::KMeansReport,
) -> MiniBatchShared {
    assert_eq!(kmeans.inertia().unwrap().to_bits(), report.inertia.to_bits());
    MiniBatchShared {
        centers: bits(kmeans.cluster_centers().unwrap().iter().map(|c| c.as_f64())),
        inertia: report.inertia.to_bits(),
        history: bits(report.history.iter().copied()),
        steps: [kmeans.n_steps().unwrap(), report.n_iter],
        empty_clusters: report.empty_clusters.clone(),
    }
}

/// As [`assert_same_bits`], for mini-batches.
fn assert_same_batches<F: Float>(
    kmeans: &MiniBatchKMeans<F>,
    x: &Array2<F>,
    weights: Option<&Array1<F>>,
    ends: &[usize],
) {
    let mut whole = kmeans.clone();
    let report = match weights {
        Some(weights) => whole.fit_weighted(x, weights),
        None => whole.fit(x),
    };
    let want = mini_batch_shared(&whole, &report.unwrap());
    let labels = Threads::run(ends.len(), |group| {
        let first = if group.rank() == 0 { 0 } else { ends[group.rank() - 1] };
        let rows = first..ends[group.rank()];
        let own = x.slice(s![rows.clone(), ..]);
        let mut kmeans = kmeans.clone();
        let report = match weights {
            Some(weights) => kmeans.fit_distributed_weighted(&own, &weights.slice(s![rows]), group),
            None => kmeans.fit_distributed(&own, group),
        }?;
        assert_eq!(mini_batch_shared(&kmeans, &report), want, "ranks that end at {ends:?}, {kmeans:?}");
        Ok(kmeans.labels()?.clone())
    })
    .unwrap();
    let labels: Vec<_> = labels.iter().map(|labels| labels.view()).collect();
    assert_eq!(concatenate(Axis(0), &labels).unwrap(), whole.labels().unwrap(), "ends at {ends:?}");
}

fn check_mini_batches<F: Float>() {
    let (n, d) = (4500, 5);
    let (x, w) = (blobs::<F>(n, d, 1), weights::<F>(n, 2));
    let given = x.slice(s![..;600, ..]).to_owned();
    let base = || MiniBatchKMeans::<F>::new(8).seed(5).batch_size(300).max_iter(3);
    let variants = [
        base(),
        base().n_init(3).init_size(40),
        base().init(KMeansInit::Random).n_init(2),
        base().init(KMeansInit::Centers(given)).tol(1e-3),
        base().reassignment_ratio(0.9).max_no_improvement(None),
    ];
    for (index, kmeans) in variants.iter().enumerate() {
        for weights in [None, Some(&w)] {
            assert_same_batches(kmeans, &x, weights, &equal_parts(n, 2 + index % 3));
        }
    }
    for ranks in 1..=4 {
        assert_same_batches(&base(), &x, None, &equal_parts(n, ranks));
        assert_same_batches(&base(), &x, Some(&w), &equal_parts(n, ranks));
    }
    // A rank with few rows, and ranks with none.
    for ends in [&[4497, 4500][..], &[0, 4500], &[3, 4000, 4000, 4500]] {
        assert_same_batches(&base(), &x, None, ends);
        assert_same_batches(&base(), &x, Some(&w), ends);
    }
}

#[test]
fn mini_batches_have_the_same_bits_on_several_ranks() {
    check_mini_batches::<f32>();
    check_mini_batches::<f64>();
}

/// Batches so large that each rank labels a share of them.
#[test]
fn divided_batches_have_the_same_bits_on_several_ranks() {
    let x = normal::<f32>(3000, 16, 4);
    let kmeans = MiniBatchKMeans::new(64).batch_size(1500).max_iter(2).seed(1);
    for ranks in 2..=4 {
        assert_same_batches(&kmeans, &x, None, &equal_parts(3000, ranks));
    }
}

#[test]
fn errors_of_mini_batches_are_errors_on_every_rank() {
    let x = normal::<f64>(40, 3, 1);
    let kmeans = || MiniBatchKMeans::new(3);
    let rank = |group: &Threads<'_>| group.rank();
    let nan = messages(2, |group| {
        let mut x = x.clone();
        if rank(group) == 1 {
            x[[4, 2]] = f64::NAN;
        }
        kmeans().fit_distributed(&x, group)
    });
    assert!(nan[0].contains("rank 1 failed: x contains NaN at [4, 2]"), "{}", nan[0]);
    let cases: [(&str, Vec<String>); 7] = [
        ("seed 1, and rank 0 0", messages(2, |g| kmeans().seed(rank(g) as u64).fit_distributed(&x, g))),
        (
            "batch_size 7, and rank 0 6",
            messages(2, |g| kmeans().batch_size(6 + rank(g)).fit_distributed(&x, g)),
        ),
        (
            "number of columns 2, and rank 0 3",
            messages(2, |g| kmeans().fit_distributed(&x.slice(s![.., rank(g)..]), g)),
        ),
        (
            "use of weights true, and rank 0 false",
            messages(2, |g| match rank(g) {
                0 => kmeans().fit_distributed(&x, g),
                _ => kmeans().fit_distributed_weighted(&x, &Array1::ones(40), g),
            }),
        ),
        (
            "all weights are zero",
            messages(2, |g| kmeans().fit_distributed_weighted(&x, &Array1::zeros(40), g)),
        ),
        ("n_clusters", messages(2, |g| MiniBatchKMeans::new(100).fit_distributed(&x, g))),
        (
            "init is a function",
            messages(2, |g| {
                let init = KMeansInit::function(|x, k, _| Ok(x.slice(s![..k, ..]).to_owned()));
                kmeans().init(init).fit_distributed(&x, g)
            }),
        ),
    ];
    for (expected, messages) in cases {
        assert!(messages.iter().all(|message| message.contains(expected)), "{messages:?}");
    }
    let failed = Threads::run(3, |group| match rank(group) {
        1 => Err(Error::invalid_parameter("here", "rows", 0, "at least 1")),
        _ => kmeans().fit_distributed(&x, group).map(|_| ()),
    });
    assert_error_contains(failed, "here: rows is 0");
}
