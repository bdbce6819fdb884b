//! Clustering: [`KMeans`], also over batches of data that does not fit in memory ([`KMeans::fit_batches`]), its variants
//! on small random batches ([`MiniBatchKMeans`]) and for clusters of more even size ([`BisectingKMeans`]), its choice of initial centers alone ([`kmeans_plusplus`]), and help with the
//! number of clusters ([`elbow`](elbow())).

mod bisecting;
mod elbow;
pub mod kmeans;
mod mini_batch;

pub use bisecting::{BisectingKMeans, BisectingStrategy};
pub use elbow::{Elbow, elbow, elbow_with};
pub use kmeans::{
    InitFunction, KMeans, KMeansInit, KMeansReport, RowBatch, kmeans_plusplus, kmeans_plusplus_weighted,
};
pub use mini_batch::MiniBatchKMeans;
