//! The functions that `main.js` calls. Arguments and results are numbers: JavaScript reads an array at the address that a function
//! returns, from the page's [`Outputs`], whose arrays stay in place until the next call that writes them. No function reads memory
//! at an address that it is given.
//!
//! A function that can fail returns a negative number; [`message`] and [`message_length`] are then the text of the error.
#![allow(unsafe_code, reason = "`no_mangle` is an unsafe attribute; the names are unique in the program")]

use crate::clusters::Clusters;
use crate::drawing::Drawing;
use crate::recognizer::{Recognizer, Scores};
use axonal::Result;
use std::cell::RefCell;

/// What the page works on.
#[derive(Default)]
struct Page {
    recognizer: Option<Recognizer>,
    drawing: Drawing,
    clusters: Clusters,
    outputs: Outputs,
}

/// The arrays that JavaScript reads.
#[derive(Default)]
struct Outputs {
    message: String,
    scores: Scores,
    image: Vec<f32>,
    probabilities: Vec<f32>,
    labels: Vec<u32>,
    centers: Vec<f32>,
    map: Vec<u8>,
}

thread_local! {
    static PAGE: RefCell<Page> = RefCell::default();
}

/// Calls `work` with the page's state.
fn with<T>(work: impl FnOnce(&mut Page) -> T) -> T {
    PAGE.with_borrow_mut(work)
}

/// The value of a call that succeeded, or -1 and a message.
fn checked(work: impl FnOnce(&mut Page) -> Result<i32>) -> i32 {
    with(|page| {
        work(page).unwrap_or_else(|error| {
            page.outputs.message = error.to_string();
            -1
        })
    })
}

/// Address of the last error's text, in UTF-8.
#[unsafe(no_mangle)]
extern "C" fn message() -> *const u8 {
    with(|page| page.outputs.message.as_ptr())
}

/// Length of the last error's text in bytes.
#[unsafe(no_mangle)]
extern "C" fn message_length() -> usize {
    with(|page| page.outputs.message.len())
}

/// Makes an untrained network.
#[unsafe(no_mangle)]
extern "C" fn reset_network() -> i32 {
    checked(|page| {
        page.recognizer = Some(Recognizer::new()?);
        page.outputs.scores = Scores::default();
        Ok(0)
    })
}

/// Trains one epoch; does nothing without a network.
#[unsafe(no_mangle)]
extern "C" fn train_epoch() -> i32 {
    checked(|page| {
        if let Some(recognizer) = &mut page.recognizer {
            page.outputs.scores = recognizer.train_epoch()?;
        }
        Ok(0)
    })
}

/// Training loss of the last epoch.
#[unsafe(no_mangle)]
extern "C" fn loss() -> f64 {
    with(|page| page.outputs.scores.loss)
}

/// Training accuracy of the last epoch.
#[unsafe(no_mangle)]
extern "C" fn accuracy() -> f64 {
    with(|page| page.outputs.scores.accuracy)
}

/// Loss on the test images after the last epoch.
#[unsafe(no_mangle)]
extern "C" fn test_loss() -> f64 {
    with(|page| page.outputs.scores.test_loss)
}

/// Accuracy on the test images after the last epoch.
#[unsafe(no_mangle)]
extern "C" fn test_accuracy() -> f64 {
    with(|page| page.outputs.scores.test_accuracy)
}

/// Removes all strokes.
#[unsafe(no_mangle)]
extern "C" fn clear_drawing() {
    with(|page| page.drawing.clear());
}

/// Starts a stroke at a point.
#[unsafe(no_mangle)]
extern "C" fn begin_stroke(x: f32, y: f32) {
    with(|page| page.drawing.begin([x, y]));
}

/// Continues the stroke to a point.
#[unsafe(no_mangle)]
extern "C" fn continue_stroke(x: f32, y: f32) {
    with(|page| page.drawing.line_to([x, y]));
}

/// Makes the image of the drawing; address of its 64 pixels.
#[unsafe(no_mangle)]
extern "C" fn image() -> *const f32 {
    with(|page| {
        page.outputs.image = page.drawing.image().to_vec();
        page.outputs.image.as_ptr()
    })
}

/// Recognizes the image that [`image`] made last; the most probable digit.
#[unsafe(no_mangle)]
extern "C" fn recognize() -> i32 {
    checked(|page| {
        let Page { recognizer, outputs, .. } = page;
        let Some(recognizer) = recognizer else {
            outputs.message = "no network; call reset_network first".into();
            return Ok(-1);
        };
        outputs.probabilities = recognizer.probabilities(&outputs.image)?;
        let probabilities = &outputs.probabilities;
        let best = (0..probabilities.len()).max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]));
        Ok(best.map_or(-1, |digit| digit as i32))
    })
}

/// Address of the ten probabilities of the last recognition.
#[unsafe(no_mangle)]
extern "C" fn probabilities() -> *const f32 {
    with(|page| page.outputs.probabilities.as_ptr())
}

/// Removes all points.
#[unsafe(no_mangle)]
extern "C" fn clear_points() {
    with(|page| page.clusters.clear());
}

/// Adds a point of the unit square.
#[unsafe(no_mangle)]
extern "C" fn add_point(x: f32, y: f32) {
    with(|page| page.clusters.add([x, y]));
}

/// Clusters the points; the number of iterations.
#[unsafe(no_mangle)]
extern "C" fn fit_clusters(n_clusters: usize) -> i32 {
    checked(|page| {
        page.clusters.fit(n_clusters)?;
        let Page { clusters, outputs, .. } = page;
        let Some(kmeans) = clusters.fitted() else { return Ok(-1) };
        outputs.labels = kmeans.labels()?.iter().map(|&label| label as u32).collect();
        outputs.centers = kmeans.cluster_centers()?.iter().copied().collect();
        Ok(kmeans.n_iter()? as i32)
    })
}

/// Address of the cluster of each point, after [`fit_clusters`].
#[unsafe(no_mangle)]
extern "C" fn labels() -> *const u32 {
    with(|page| page.outputs.labels.as_ptr())
}

/// Address of the centers, x and y of each, after [`fit_clusters`].
#[unsafe(no_mangle)]
extern "C" fn centers() -> *const f32 {
    with(|page| page.outputs.centers.as_ptr())
}

/// Sum of the squared distances of the points to their centers; NaN before [`fit_clusters`].
#[unsafe(no_mangle)]
extern "C" fn inertia() -> f64 {
    with(|page| page.clusters.fitted().and_then(|kmeans| kmeans.inertia().ok()).unwrap_or(f64::NAN))
}

/// Makes an image of `side` × `side` pixels with the cluster of each; address of its bytes, or null after an error.
#[unsafe(no_mangle)]
extern "C" fn cluster_map(side: usize) -> *const u8 {
    with(|page| match page.clusters.map(side) {
        Ok(map) => {
            page.outputs.map = map.into_iter().map(|cluster| cluster as u8).collect();
            page.outputs.map.as_ptr()
        }
        Err(error) => {
            page.outputs.message = error.to_string();
            std::ptr::null()
        }
    })
}
