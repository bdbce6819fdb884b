//! The program of a web page: a network that learns handwritten digits and recognizes drawn ones, and k-means of clicked points.
//!
//! | module | contents |
//! |---|---|
//! | [`drawing`] | strokes of a mouse or finger as an image like those of the data set |
//! | [`forms`] | ways to write a one and a seven that the data set lacks |
//! | [`recognizer`] | the network: training epoch by epoch, recognition |
//! | [`clusters`] | points, k-means, the cluster of every pixel |
//! | `exports` | what `main.js` calls |

pub mod clusters;
pub mod drawing;
mod exports;
pub mod forms;
pub mod recognizer;
