//! The quality of clusterings, by numbers that scikit-learn's documentation and tests state.

use crate::common::assert_error_contains;
use axonal::metrics::*;
use axonal::ndarray::{Array1, Array2, array};
use axonal::prelude::*;
use axonal::rng::{Purpose, Rng};

fn close(got: f64, want: f64) {
    assert!((got - want).abs() <= 1e-7 * want.abs().max(1.0), "got {got}, want {want}");
}

/// The 17 rows of the reference example: 6, 6 and 5 of three classes.
fn seventeen() -> (Array1<u8>, Array1<i64>) {
    let classes = array![1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3];
    (classes, array![1, 1, 1, 1, 2, 1, 2, 2, 2, 2, 3, 1, 3, 3, 3, 2, 2])
}

#[test]
fn the_reference_example_gives_the_reference_numbers() {
    let (a, b) = seventeen();
    close(mutual_info_score(&a, &b).unwrap(), 0.4102186227);
    close(normalized_mutual_info_score(&a, &b).unwrap(), 0.3783499279);
    close(adjusted_rand_score(&a, &b).unwrap(), 0.2669404517);
    assert!((adjusted_mutual_info_score(&a, &b).unwrap() - 0.27821).abs() < 1e-5);
}

#[test]
fn comparisons_match_their_published_values() {
    let a = array![0, 0, 0, 1, 1, 1];
    let (b, c) = (array![0, 0, 0, 1, 2, 2], array![0, 1, 0, 1, 2, 2]);
    close(adjusted_rand_score(&array![0, 0, 1, 2], &array![0, 0, 1, 1]).unwrap(), 0.5714285714285715);
    close(adjusted_rand_score(&array![0, 0, 1, 1], &array![0, 1, 0, 1]).unwrap(), -0.5);
    close(adjusted_rand_score(&a, &c).unwrap(), 0.24242424242424243);
    close(rand_score(&a, &c).unwrap(), 20.0 / 30.0);
    close(fowlkes_mallows_score(&a, &array![0, 0, 1, 1, 2, 2]).unwrap(), 4.0 / 72f64.sqrt());
    close(fowlkes_mallows_score(&array![0, 0, 1], &array![0, 1, 2]).unwrap(), 0.0);
    close(entropy(&array![0, 0, 42]), 0.6365141682948128);
    assert_eq!(contingency_matrix(&a, &c).unwrap(), array![[2, 1, 0], [0, 1, 2]]);
    let (h, c_, v) = homogeneity_completeness_v_measure(&a, &b, 1.0).unwrap();
    close(h, 1.0);
    close(c_, 0.6853314789615865);
    close(v, 0.8132898335036762);
    let (h, c_, v) = homogeneity_completeness_v_measure(&a, &c, 1.0).unwrap();
    close(h, 2.0 / 3.0);
    close(c_, 0.4206198356850535);
    close(v, 0.5158037429793889);
    close(homogeneity_score(&a, &c).unwrap(), h);
    close(completeness_score(&a, &c).unwrap(), c_);
    // What one of them says of two labellings, the other says of them the other way round.
    close(homogeneity_score(&c, &a).unwrap(), c_);
    // Nothing in common: the mutual information is 0, and so is what is made of it.
    let (d, e) = (array![0, 0, 1, 1], array![0, 1, 0, 1]);
    close(mutual_info_score(&d, &e).unwrap(), 0.0);
    close(normalized_mutual_info_score(&d, &e).unwrap(), 0.0);
    close(v_measure_score(&d, &e).unwrap(), 0.0);
    close(adjusted_mutual_info_score(&d, &e).unwrap(), -0.5);
    assert_eq!(
        homogeneity_completeness_v_measure(&array![1, 1, 1], &array![0, 1, 2], 0.0).unwrap(),
        (1.0, 0.0, 0.0)
    );
}

#[test]
fn a_weight_of_the_v_measure_below_zero_is_refused() {
    for beta in [-0.1, f64::NAN, f64::INFINITY] {
        let refused = homogeneity_completeness_v_measure(&array![0, 1], &array![0, 1], beta);
        assert_error_contains(refused, "beta is");
    }
    let (a, b) = (array![0, 0, 0, 1, 1, 1], array![0, 1, 0, 1, 2, 2]);
    let (h, c, v) = homogeneity_completeness_v_measure(&a, &b, 0.5).unwrap();
    close(v, 1.5 * h * c / (0.5 * h + c));
}

#[test]
fn pairs_of_many_rows_do_not_overflow() {
    let n = 200_000;
    let (a, b) = (Array1::from_shape_fn(n, |row| row % 2), Array1::from_shape_fn(n, |row| row / 2 % 2));
    // Independent halves: tp·tn alone is 10²⁰.
    assert!((adjusted_rand_score(&a, &b).unwrap() + 1.0 / n as f64).abs() < 1e-6);
    close(rand_score(&a, &b).unwrap(), (n as f64 / 2.0 - 1.0) / (n as f64 - 1.0));
    assert!((fowlkes_mallows_score(&a, &b).unwrap() - 0.5).abs() < 1e-5);
}

#[test]
fn scores_of_distances_do_not_depend_on_the_unit() {
    let x = array![[0.0, 1.0], [0.1, 1.2], [5.0, 4.0], [5.2, 4.1], [9.0, 0.0], [9.1, 0.1]];
    let labels = array![0, 0, 1, 1, 2, 2];
    fn all<F: Float>(x: &Array2<F>, labels: &Array1<usize>) -> [f64; 3] {
        let scores = [
            silhouette_score(x, labels),
            davies_bouldin_score(x, labels),
            calinski_harabasz_score(x, labels),
        ];
        scores.map(Result::unwrap)
    }
    let want = all(&x, &labels);
    for exponent in [-140, -120, -80, -60, 60, 80, 120] {
        let scaled = x.mapv(|v| (v * 2f64.powi(exponent)) as f32);
        // Subnormal numbers have fewer digits.
        let tolerance = if exponent < -126 { 0.05 } else { 1e-5 };
        for (got, want) in all(&scaled, &labels).into_iter().zip(want) {
            assert!((got - want).abs() <= tolerance * want, "2^{exponent}: {got}, {want}");
        }
    }
    for exponent in [-1000, -600, 600, 1019] {
        let scaled = &x * 2f64.powi(exponent);
        all(&scaled, &labels).into_iter().zip(want).for_each(|(got, want)| close(got, want));
        let shifted = &scaled + &array![[0.0, 3.0]] * scaled[[4, 0]];
        assert!((all(&shifted, &labels)[0] - want[0]).abs() < 1e-9);
    }
    assert_error_contains(inertia(&(&x * 2f64.powi(600)), &labels), "scale them down");
}

#[test]
fn comparisons_are_symmetric_and_blind_to_names() {
    let (a, b) = seventeen();
    let renamed = a.mapv(|label| [7i16, -4, 900][label as usize - 1]);
    let there = [
        rand_score(&a, &b),
        adjusted_rand_score(&a, &b),
        fowlkes_mallows_score(&a, &b),
        mutual_info_score(&a, &b),
        adjusted_mutual_info_score(&a, &b),
        v_measure_score(&a, &b),
    ];
    let back = [
        rand_score(&b, &renamed),
        adjusted_rand_score(&b, &renamed),
        fowlkes_mallows_score(&b, &renamed),
        mutual_info_score(&b, &renamed),
        adjusted_mutual_info_score(&b, &renamed),
        v_measure_score(&b, &renamed),
    ];
    there.into_iter().zip(back).for_each(|(there, back)| close(there.unwrap(), back.unwrap()));
}

#[test]
fn trivial_labellings_agree() {
    let (none, one, same) = (Array1::<i32>::zeros(0), array![3], array![5, 5, 5]);
    for labels in [&none, &one, &same] {
        close(rand_score(labels, labels).unwrap(), 1.0);
        close(adjusted_rand_score(labels, labels).unwrap(), 1.0);
        close(normalized_mutual_info_score(labels, labels).unwrap(), 1.0);
        close(adjusted_mutual_info_score(labels, labels).unwrap(), 1.0);
        close(v_measure_score(labels, labels).unwrap(), 1.0);
        close(homogeneity_score(labels, labels).unwrap(), 1.0);
        close(completeness_score(labels, labels).unwrap(), 1.0);
        close(mutual_info_score(labels, labels).unwrap(), 0.0);
    }
    assert_error_contains(adjusted_rand_score(&same, &one), "expected (3), as many as labels_true, got (1)");
}

#[test]
fn means_of_the_entropies_are_ordered() {
    let (a, b) = seventeen();
    let by = |average| normalized_mutual_info_score_by(average, &a, &b).unwrap();
    let scores =
        [AverageMethod::Min, AverageMethod::Geometric, AverageMethod::Arithmetic, AverageMethod::Max].map(by);
    assert!(scores.windows(2).all(|pair| pair[0] >= pair[1]), "{scores:?}");
    close(scores[2], normalized_mutual_info_score(&a, &b).unwrap());
}

#[test]
fn the_adjusted_scores_of_random_labels_are_near_zero() {
    let mut rng = axonal::rng::Rng::new(5, axonal::rng::Purpose::Other, 0);
    let (a, b): (Vec<usize>, Vec<usize>) = (0..3000).map(|_| (rng.below(10), rng.below(10))).unzip();
    let (a, b) = (Array1::from(a), Array1::from(b));
    assert!(adjusted_mutual_info_score(&a, &b).unwrap().abs() < 0.01);
    assert!(adjusted_rand_score(&a, &b).unwrap().abs() < 0.01);
    assert!(normalized_mutual_info_score(&a, &b).unwrap() > 0.005, "chance is not taken from this one");
}

#[test]
fn iris_gives_the_reference_numbers() {
    let iris = axonal::datasets::load_iris::<f64>().unwrap();
    close(silhouette_score(&iris.data, &iris.target).unwrap(), 0.5034774406932967);
    close(calinski_harabasz_score(&iris.data, &iris.target).unwrap(), 487.3308763749);
    let mut kmeans = KMeans::new(3).n_init(10).seed(0);
    kmeans.fit(&iris.data).unwrap();
    let labels = kmeans.labels().unwrap();
    close(silhouette_score(&iris.data, labels).unwrap(), 0.5528190123564098);
    close(calinski_harabasz_score(&iris.data, labels).unwrap(), 561.62775662962);
    close(davies_bouldin_score(&iris.data, labels).unwrap(), 0.6619715465);
    close(inertia(&iris.data, labels).unwrap(), kmeans.inertia().unwrap());
}

#[test]
fn dispersions_of_edge_cases_are_defined() {
    let labels: Array1<usize> = (0..20).map(|row| row / 10).collect();
    let same = Array2::<f64>::ones((20, 2));
    close(calinski_harabasz_score(&same, &labels).unwrap(), 1.0);
    close(davies_bouldin_score(&same, &labels).unwrap(), 0.0);
    let balanced = Array2::from_shape_fn((20, 2), |(row, _)| if row % 2 == 0 { -1.0 } else { 1.0 });
    close(calinski_harabasz_score(&balanced, &labels).unwrap(), 0.0);
    close(
        davies_bouldin_score(&array![[0.0, 1.0], [1.0, 1.0], [3.0, 4.0]], &array![0, 0, 1]).unwrap(),
        0.12803687993289598,
    );
    // Four groups of ten, each of two opposite rows five times.
    let opposite = |a: [f64; 2], b: [f64; 2]| (0..10).flat_map(move |row| if row % 2 == 0 { a } else { b });
    let groups: Vec<f64> = opposite([0.0, 0.0], [1.0, 1.0])
        .chain(opposite([3.0, 3.0], [4.0, 4.0]))
        .chain(opposite([0.0, 4.0], [1.0, 3.0]))
        .chain(opposite([3.0, 1.0], [4.0, 0.0]))
        .collect();
    let groups = Array2::from_shape_vec((40, 2), groups).unwrap();
    let labels: Array1<usize> = (0..40).map(|row| [0, 1, 2, 3][row / 10]).collect();
    close(calinski_harabasz_score(&groups, &labels).unwrap(), 45.0 * 36.0 / 15.0);
    close(davies_bouldin_score(&groups, &labels).unwrap(), 2.0 * 0.5f64.sqrt() / 3.0);
}

#[test]
fn silhouettes_of_coinciding_clusters_are_one_and_of_equal_rows_zero() {
    let x = array![[0.0], [0.0], [5.0], [5.0]];
    assert_eq!(silhouette_samples(&x, &array![0, 0, 1, 1]).unwrap(), array![1.0, 1.0, 1.0, 1.0]);
    assert_eq!(silhouette_score(&Array2::<f32>::zeros((4, 2)), &array![0, 0, 1, 1]).unwrap(), 0.0);
}

#[test]
fn silhouettes_match_their_published_values() {
    let x = array![[0.0], [1.0], [1.0], [2.0], [3.0], [3.0]];
    let labels = array![0, 1, 1, 1, 2, 2];
    assert_eq!(silhouette_samples(&x, &labels).unwrap(), array![0.0, 0.5, 0.5, 0.0, 1.0, 1.0]);
    // The distances are |i − j|.
    close(silhouette_score(&array![[0.0f32], [1.0], [2.0]], &array![0, 0, 1]).unwrap(), 1.0 / 6.0);
    // Names of clusters need not be 0, 1, …
    let named = labels.mapv(|label| [100i64, -7, 3][label]);
    assert_eq!(silhouette_samples(&x, &named).unwrap(), silhouette_samples(&x, &labels).unwrap());
    close(
        davies_bouldin_score(&array![[0.0, 0.0], [2.0, 2.0], [3.0, 3.0], [5.0, 5.0]], &array![0, 0, 1, 2])
            .unwrap(),
        5.0 / 12.0,
    );
}

/// Rows of labels that each occur twice at least; `spread` apart from the center of their label, which is `offset` and 1 from
/// the origin.
fn labeled_rows<F: Float>(
    [n, d, n_labels]: [usize; 3],
    spread: f64,
    offset: f64,
) -> (Array2<F>, Array1<usize>) {
    let mut rng = Rng::new(2, Purpose::Other, 0);
    let centers = Array2::from_shape_simple_fn((n_labels, d), || rng.normal());
    let label = |row: usize, rng: &mut Rng| if row < 2 * n_labels { row / 2 } else { rng.below(n_labels) };
    let labels = Array1::from_shape_fn(n, |row| label(row, &mut rng));
    let x = Array2::from_shape_fn((n, d), |(row, column)| {
        F::of(offset + centers[(labels[row], column)] + spread * rng.normal())
    });
    (x, labels)
}

/// The silhouettes by the definition, in `f64`.
fn silhouettes_by_definition<F: Float>(x: &Array2<F>, labels: &Array1<usize>) -> Vec<f64> {
    let n_labels = labels.iter().max().unwrap() + 1;
    let silhouette = |row: usize| {
        let (mut sums, mut counts) = (vec![0.0; n_labels], vec![0.0; n_labels]);
        for other in (0..x.nrows()).filter(|&other| other != row) {
            let squares =
                x.row(row).into_iter().zip(x.row(other)).map(|(a, b)| (a.as_f64() - b.as_f64()).powi(2));
            sums[labels[other]] += squares.sum::<f64>().sqrt();
            counts[labels[other]] += 1.0;
        }
        let means: Vec<f64> = sums.iter().zip(&counts).map(|(sum, count)| sum / count).collect();
        let others = means.iter().enumerate().filter(|&(label, _)| label != labels[row]);
        let (a, b) = (means[labels[row]], others.fold(f64::INFINITY, |least, (_, &mean)| least.min(mean)));
        (b - a) / a.max(b)
    };
    (0..x.nrows()).map(silhouette).collect()
}

#[test]
fn silhouettes_are_those_of_all_pairs() {
    fn of<F: Float>(sizes: [usize; 3], spread: f64, offset: f64, tolerance: f64) {
        let (x, labels) = labeled_rows::<F>(sizes, spread, offset);
        let got = silhouette_samples(&x, &labels).unwrap();
        let want = silhouettes_by_definition(&x, &labels);
        for (row, (got, want)) in got.iter().zip(&want).enumerate() {
            assert!((got - want).abs() <= tolerance, "{sizes:?}, row {row}: {got}, not {want}");
        }
    }
    // Clusters of several blocks of rows, several clusters in a block, and clusters smaller than a tile; rows compared by
    // differences and by products.
    for sizes in [
        [83, 5, 4],
        [150, 600, 3],
        [129, 1, 2],
        [200, 17, 60],
        [700, 3, 2],
        [600, 48, 5],
        [1100, 7, 300],
        [600, 64, 150],
    ] {
        of::<f64>(sizes, 1.0, 0.0, 1e-12);
        of::<f32>(sizes, 1.0, 0.0, 1e-6);
        // Tight clusters far from the origin, whose products cancel.
        of::<f64>(sizes, 1e-3, 5e4, 1e-9);
        of::<f32>(sizes, 0.1, 5e4, 1e-6);
    }
}

#[test]
fn too_few_or_too_many_labels_are_refused() {
    let x = Array2::<f32>::ones((4, 2));
    assert_error_contains(
        silhouette_score(&x, &array![1, 1, 1, 1]),
        "labels is 1 distinct, expected 2 to n_samples - 1 = 3 distinct",
    );
    assert_error_contains(davies_bouldin_score(&x, &array![1, 2, 3, 4]), "4 distinct");
    assert_error_contains(calinski_harabasz_score(&x, &array![1, 2]), "expected 4");
    assert_error_contains(
        silhouette_score(&Array2::<f32>::from_elem((4, 2), f32::NAN), &array![1, 1, 2, 2]),
        "NaN",
    );
    assert_error_contains(silhouette_score(&Array2::<f32>::zeros((0, 2)), &Array1::<u8>::zeros(0)), "empty");
}

#[test]
fn a_sampled_silhouette_is_near_the_whole_one() {
    let blobs =
        axonal::datasets::make_blobs::<f32>(1500, &array![[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]], 1.0, 1)
            .unwrap();
    let whole = silhouette_score(&blobs.data, &blobs.target).unwrap();
    let some = silhouette_score_sampled(&blobs.data, &blobs.target, 400, 3).unwrap();
    assert!((whole - some).abs() < 0.03, "{whole} {some}");
    assert_error_contains(
        silhouette_score_sampled(&blobs.data, &blobs.target, 1501, 3),
        "sample_size is 1501, expected 1 to",
    );
    assert_error_contains(silhouette_score_sampled(&blobs.data, &blobs.target, 0, 3), "sample_size is 0");
    assert_error_contains(silhouette_score_sampled(&blobs.data, &blobs.target, 2, 3), "distinct");
    assert_error_contains(silhouette_score_sampled(&blobs.data, &array![1, 2], 100, 3), "expected 1500");
    close(silhouette_score_sampled(&blobs.data, &blobs.target, 1500, 3).unwrap(), whole);
}

/// Means that differ by rounding alone count as one, as scikit-learn's `allclose` has it, but in any unit and precision.
#[test]
fn clusters_about_one_mean_are_infinitely_far_apart() {
    fn coinciding<F: Float>(unit: f64, offset: f64) {
        let of = |rows: [f64; 5]| Array2::from_shape_fn((5, 1), |(row, _)| F::of(offset + unit * rows[row]));
        let labels = array![0, 0, 1, 1, 1];
        for rows in [[-0.1, 0.3, 0.0, 0.2, 0.1], [0.1, 0.2, 0.15, 0.15, 0.15], [0.7, 0.1, 0.4, 0.3, 0.5]] {
            let score = davies_bouldin_score(&of(rows), &labels).unwrap();
            assert_eq!(score, 0.0, "{rows:?} in units of {unit:e} at {offset:e}");
        }
        // With a third cluster elsewhere the two still do not resemble each other: 0.2 / 10 and 0.2 / 3 / 10 of it.
        let x = Array2::from_shape_fn((6, 1), |(row, _)| {
            F::of(offset + unit * [-0.1, 0.3, 0.0, 0.2, 0.1, 10.1][row])
        });
        let score = davies_bouldin_score(&x, &array![0, 0, 1, 1, 1, 2]).unwrap();
        let want = (0.02 + 0.02 / 3.0 + 0.02) / 3.0;
        assert!((score / want - 1.0).abs() < 1e-3, "{score}, want {want} in units of {unit:e} at {offset:e}");
    }
    for unit in [1.0, 1e-9, 1e-30, 1e-36, 1e6, 1e30] {
        coinciding::<f32>(unit, 0.0);
        coinciding::<f64>(unit, 0.0);
    }
    coinciding::<f64>(1e-200, 0.0);
    coinciding::<f64>(1e200, 0.0);
    coinciding::<f64>(1.0, 5e4);
    // Means that do differ: 2⁻²⁰ apart, with a spread of 1.
    let near = array![[-1.0], [1.0], [-1.0 + 2f64.powi(-20)], [1.0 + 2f64.powi(-20)]];
    close(davies_bouldin_score(&near, &array![0, 0, 1, 1]).unwrap(), 2f64.powi(21));
}

#[test]
fn equal_rows_have_no_dispersion() {
    fn equal<F: Float>(value: f64) {
        for n in [3, 7, 10, 1000] {
            let x = Array2::from_elem((n, 2), F::of(value));
            let labels = Array1::from_shape_fn(n, |row| row % 2);
            assert_eq!(calinski_harabasz_score(&x, &labels).unwrap(), 1.0, "{n} times {value:e}");
            assert_eq!(davies_bouldin_score(&x, &labels).unwrap(), 0.0, "{n} times {value:e}");
            assert_eq!(silhouette_score(&x, &labels).unwrap(), 0.0, "{n} times {value:e}");
            assert_eq!(inertia(&x, &labels).unwrap(), 0.0, "{n} times {value:e}");
            // Two clusters of equal rows: none has a spread.
            let apart = Array2::from_shape_fn((n, 1), |(row, _)| {
                F::of(if row % 2 == 0 { value } else { 3.0 * value })
            });
            assert_eq!(calinski_harabasz_score(&apart, &labels).unwrap(), 1.0, "{n} times {value:e}");
            assert_eq!(davies_bouldin_score(&apart, &labels).unwrap(), 0.0, "{n} times {value:e}");
            // A row alone in its cluster has 0.
            let want = if n == 3 { 2.0 / 3.0 } else { 1.0 };
            assert_eq!(silhouette_score(&apart, &labels).unwrap(), want, "{n} times {value:e}");
        }
    }
    for value in [0.1, 0.7, -1.0 / 3.0, 1e-20, 1e10, 5e4 + 0.1] {
        equal::<f32>(value);
        equal::<f64>(value);
    }
    equal::<f64>(1e-200);
    equal::<f64>(1e200);
}

/// Where ‖x‖² − 2x·y + ‖y‖² has no digits left: the scores of whole numbers, whose sums and squares are exact, do not change
/// when the numbers are moved.
#[test]
fn scores_far_from_the_origin_are_those_near_it() {
    fn moved<F: Float>(offset: f64, tolerance: f64) {
        let mut rng = Rng::new(4, Purpose::Other, 0);
        let near =
            Array2::from_shape_fn((90, 2), |(row, _)| (8.0 * rng.normal()).round() / 8.0 + (row % 3) as f64);
        let labels = Array1::from_shape_fn(90, |row| row % 3);
        let far = near.mapv(|v| F::of(v + offset));
        let same = |got: f64, want: f64| assert!((got / want - 1.0).abs() < tolerance, "{got}, want {want}");
        same(silhouette_score(&far, &labels).unwrap(), silhouette_score(&near, &labels).unwrap());
        same(davies_bouldin_score(&far, &labels).unwrap(), davies_bouldin_score(&near, &labels).unwrap());
        same(
            calinski_harabasz_score(&far, &labels).unwrap(),
            calinski_harabasz_score(&near, &labels).unwrap(),
        );
        same(inertia(&far, &labels).unwrap(), inertia(&near, &labels).unwrap());
    }
    moved::<f32>(5e4, 1e-5);
    moved::<f32>(-1e5, 1e-5);
    moved::<f64>(5e4, 1e-9);
    moved::<f64>(1e12, 1e-6);
}
