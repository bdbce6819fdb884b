//! The table of tests in `mod.rs`, held against the tests there are.

use std::fs;
use std::path::Path;

/// The tests of `test_k_means.py` that ask something of an estimator without sparse matrices and warnings, less their
/// `test_`.
const THEIRS: &str = "kmeans_results kmeans_relocated_clusters relocate_empty_clusters kmeans_elkan_results \
    kmeans_convergence minibatch_update_consistency all_init minibatch_kmeans_partial_fit_init \
    kmeans_init_auto_with_initial_centroids fortran_aligned_data kmeans_verbose minibatch_kmeans_warning_init_size \
    warning_n_init_precomputed_centers minibatch_sensible_reassign minibatch_reassign \
    minibatch_with_many_reassignments minibatch_kmeans_init_size minibatch_declared_convergence minibatch_iter_steps \
    kmeans_copyx score_max_iter kmeans_predict dense_sparse predict_dense_sparse integer_input transform \
    fit_transform n_init k_means_function float_precision centers_not_mutated kmeans_init_fitted_centers \
    kmeans_warns_less_centers_than_unique_points weighted_vs_repeated unit_weights_vs_no_weights scaled_weights \
    kmeans_elkan_iter_attribute kmeans_empty_cluster_relocated result_equal_in_diff_n_threads warning_elkan_1_cluster \
    k_means_1_iteration euclidean_distance inertia n_init_auto sample_weight_unchanged wrong_params \
    kmeans_plusplus_wrong_params kmeans_plusplus_output kmeans_plusplus_dataorder is_same_clustering \
    predict_does_not_change_cluster_centers sample_weight_init sample_weight_zero relocating_with_duplicates";

fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, text);
        } else {
            text.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// What stands between backticks.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_test_of_the_reference_is_listed_with_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    sources(&root.join("tests/clustering"), &mut code);
    sources(&root.join("src/cluster"), &mut code);
    sources(&root.join("src/linalg"), &mut code);
    // A test is a function without parameters behind `#[test]`, or inside `proptest!`.
    let is_test = |name: &str| {
        let attributed = code.split("#[test]").skip(1).filter_map(|after| after.split("fn ").nth(1));
        attributed.into_iter().any(|function| function.split('(').next() == Some(name))
    };
    let main = fs::read_to_string(root.join("tests/clustering/mod.rs")).unwrap();
    let rows: Vec<(&str, &str)> = main
        .lines()
        .filter_map(|line| line.strip_prefix("//! | ")?.trim_end_matches('|').split_once(" | "))
        .filter(|(theirs, _)| *theirs != "theirs")
        .collect();
    for (theirs, here) in &rows {
        assert!(names(here).next().is_some(), "no test is named for {theirs}");
        for name in names(here) {
            assert!(is_test(name), "there is no test `{name}`, named for {theirs}");
        }
    }
    let listed: Vec<&str> = rows.iter().flat_map(|(theirs, _)| names(theirs)).collect();
    for name in THEIRS.split_whitespace() {
        assert_eq!(listed.iter().filter(|listed| **listed == name).count(), 1, "`{name}` in the table");
    }
    assert_eq!(listed.len(), THEIRS.split_whitespace().count(), "a name in the table that is none of theirs");
    for topic in
        ["check_clustering", "the objective", "more centers", "fewer distinct", "as many", "weights", "early"]
    {
        assert!(rows.iter().any(|(theirs, _)| theirs.contains(topic)), "{topic}");
    }
    assert!(!is_test("no_such_test"));
}
