//! What a person looks at: pictures and the progress bar.

#[cfg(feature = "plot")]
mod model_plot;
#[cfg(feature = "plot")]
mod plot;
#[cfg(feature = "progress")]
mod progress;
#[cfg(feature = "progress")]
mod terminal;
