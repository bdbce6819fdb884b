//! k-means, its variants and the measures of clusters through the public interface.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod kmeans;
mod metrics;
mod parity;
mod variants;
