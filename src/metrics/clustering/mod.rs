//! The quality of a clustering: of itself, by distances ([`silhouette_score`], [`calinski_harabasz_score`],
//! [`davies_bouldin_score`], [`inertia`]), or beside known classes ([`adjusted_rand_score`],
//! [`normalized_mutual_info_score`], [`v_measure_score`] and their kin).
//!
//! Labels are integers of any type, or `bool`; only which of them are equal counts.

mod contingency;
mod dispersion;
mod information;
mod label;
mod pairs;
mod scale;
mod shifted;
mod silhouette;

pub use contingency::contingency_matrix;
pub use dispersion::{calinski_harabasz_score, davies_bouldin_score, inertia};
pub use information::{
    AverageMethod, adjusted_mutual_info_score, completeness_score, entropy,
    homogeneity_completeness_v_measure, homogeneity_score, mutual_info_score, normalized_mutual_info_score,
    normalized_mutual_info_score_by, v_measure_score,
};
pub use label::Label;
pub use pairs::{adjusted_rand_score, fowlkes_mallows_score, rand_score};
pub use silhouette::{silhouette_samples, silhouette_score, silhouette_score_sampled};
