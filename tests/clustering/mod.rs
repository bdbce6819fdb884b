//! k-means, its variants and the measures of clusters through the public interface.
//!
//! The table lists the tests of scikit-learn (`sklearn/cluster/tests/test_k_means.py`, and `check_clustering` for every
//! clustering) and of faiss (`test_clustering.py`), and the tests that correspond to them here. A test of a kernel or of a step
//! lies beside the code. The number-by-number cases are in `parity.rs`, whole fits from scikit-learn's own seeds
//! in `seeded.rs`.
//!
//! | theirs | here |
//! |---|---|
//! | `kmeans_results` | `the_golden_cases_come_out` |
//! | `kmeans_relocated_clusters` | `relocated_clusters_come_out_in_either_order` |
//! | `relocate_empty_clusters` | `the_farthest_points_leave_for_the_empty_clusters` |
//! | `kmeans_elkan_results` (here: rows that are skipped) | `skipping_rows_changes_neither_labels_nor_iterations_at_any_tolerance`, `pruning_changes_no_bit_of_a_run` |
//! | `kmeans_convergence` | `without_a_tolerance_the_labels_settle` |
//! | `minibatch_update_consistency` (no sparse matrices: weights against repeated rows) | `weights_of_pieces_pull_as_repeated_rows_do`, `centers_are_the_running_means_of_what_they_won` |
//! | `all_init` | `every_start_finds_separated_blobs` |
//! | `minibatch_kmeans_partial_fit_init` | `pieces_from_any_start_find_the_blobs` |
//! | `kmeans_init_auto_with_initial_centroids`, `n_init_auto` | `without_a_number_of_runs_scikit_learns_is_made`, `given_centers_are_run_from_once` |
//! | `fortran_aligned_data` | `the_layout_of_the_data_does_not_matter` |
//! | `kmeans_verbose` (no output: the report's history) | `the_inertia_falls_with_every_iteration`, `without_a_tolerance_the_labels_settle` |
//! | `minibatch_kmeans_warning_init_size`, `minibatch_kmeans_init_size` | `starts_are_drawn_from_three_batches_or_three_rows_a_cluster` |
//! | `warning_n_init_precomputed_centers` | `given_centers_are_run_from_once` |
//! | `minibatch_sensible_reassign` | `centers_that_win_nothing_are_moved_onto_rows` |
//! | `minibatch_reassign` | `centers_with_small_counts_move_onto_rows` |
//! | `minibatch_with_many_reassignments` | `centers_that_win_nothing_are_moved_onto_rows` |
//! | `minibatch_declared_convergence` | `a_tolerance_or_patience_ends_the_passes` |
//! | `minibatch_iter_steps` | `passes_are_counted_in_rows_drawn` |
//! | `kmeans_copyx`, `sample_weight_unchanged`, `centers_not_mutated` | `the_data_and_what_was_given_stay_as_they_were` |
//! | `score_max_iter` | `more_iterations_and_more_runs_are_never_worse` |
//! | `kmeans_predict` | `labels_are_what_predict_answers` |
//! | `dense_sparse`, `predict_dense_sparse` (no sparse matrices: other layouts) | `the_layout_of_the_data_does_not_matter` |
//! | `integer_input` | `whole_numbers_cluster_as_reals` |
//! | `transform`, `fit_transform` | `transform_answers_with_distances`, `distances_are_the_plain_ones_in_both_precisions` |
//! | `n_init` | `more_iterations_and_more_runs_are_never_worse` |
//! | `k_means_function` (the estimator is the function) | `every_start_finds_separated_blobs` |
//! | `float_precision` | `single_and_double_precision_agree` |
//! | `kmeans_init_fitted_centers` | `centers_of_a_fit_are_its_fixed_point` |
//! | `kmeans_warns_less_centers_than_unique_points`, `relocating_with_duplicates` | `duplicates_leave_clusters_empty_and_are_reported` |
//! | `weighted_vs_repeated` | `a_weight_is_a_number_of_rows` |
//! | `unit_weights_vs_no_weights`, `scaled_weights` | `the_scale_of_the_weights_is_free` |
//! | `kmeans_elkan_iter_attribute`, `k_means_1_iteration` | `one_iteration_is_assign_average_assign` |
//! | `kmeans_empty_cluster_relocated` | `an_empty_cluster_takes_over_the_farthest_point` |
//! | `result_equal_in_diff_n_threads` | `the_bits_do_not_depend_on_threads` |
//! | `warning_elkan_1_cluster` | `one_cluster_is_the_weighted_mean` |
//! | `euclidean_distance` | `the_distance_is_exact_where_the_norms_cancel`, `distances_are_the_plain_ones_in_both_precisions` |
//! | `inertia` | `inertias_are_weighted_sums_of_squared_distances`, `the_inertia_does_not_cancel` |
//! | `wrong_params`, `kmeans_plusplus_wrong_params` | `what_is_wrong_is_said`, `starts_are_rows_in_any_layout` |
//! | `kmeans_plusplus_output`, `kmeans_plusplus_dataorder` | `starts_are_rows_in_any_layout` |
//! | `is_same_clustering` | `a_clustering_is_the_same_up_to_the_names_of_its_clusters` |
//! | `predict_does_not_change_cluster_centers` | `the_data_and_what_was_given_stay_as_they_were` |
//! | `sample_weight_init` | `weights_change_where_the_centers_start` |
//! | `sample_weight_zero` | `starts_among_weighted_rows_are_drawn_by_their_weights`, `rows_without_weight_are_never_chosen`, `random_rows_are_distinct_and_never_weightless` |
//! | check_clustering | `clusters_of_few_blobs_are_found_and_numbered_without_gaps` |
//! | faiss: the objective falls | `the_inertia_falls_with_every_iteration` |
//! | faiss: more centers are nearer, more runs better | `more_iterations_and_more_runs_are_never_worse` |
//! | faiss: fewer distinct points than clusters | `duplicates_leave_clusters_empty_and_are_reported` |
//! | faiss: as many points as clusters | `as_many_clusters_as_rows_are_those_rows` |
//! | faiss: weights | `heavy_rows_pull_the_centers_to_them` |
//! | faiss: early stop | `a_tolerance_ends_a_run_before_its_iterations_are_spent` |

mod badly_scaled;
mod batches;
mod distributed;
mod invalid_input;
mod kmeans;
mod mersenne_twister;
mod metrics;
mod numpy_random;
mod parity;
mod seeded;
mod sklearn_coverage;
mod variants;
