//! Drawn digits of forms that the data set lacks: its sevens have a bar and its ones rarely a stroke at the top, as some of us
//! write them. They are added to the images that the network learns from, not to those that test it.

use crate::drawing::Drawing;

/// A digit and the points of a way to write it in one stroke, around the origin.
type Form = (usize, &'static [[f32; 2]]);

const FORMS: [Form; 5] = [
    (1, &[[-14.0, -24.0], [2.0, -40.0], [2.0, 40.0]]),
    (1, &[[-20.0, -18.0], [6.0, -40.0], [4.0, 0.0], [4.0, 40.0]]),
    (7, &[[-22.0, -38.0], [24.0, -40.0], [-6.0, 40.0]]),
    (7, &[[-24.0, -36.0], [0.0, -38.0], [24.0, -40.0], [8.0, -8.0], [0.0, 14.0], [-4.0, 40.0]]),
    (7, &[[-22.0, -34.0], [-4.0, -40.0], [22.0, -38.0], [12.0, -10.0], [0.0, 10.0], [-14.0, 40.0]]),
];

/// How far a form leans, as a share of its height.
const SLANTS: [f32; 5] = [-0.2, -0.1, 0.0, 0.1, 0.25];
/// Factors of the width.
const WIDTHS: [f32; 4] = [0.65, 0.85, 1.05, 1.3];

/// Images of the forms in several slants and widths, with their digits.
#[must_use]
pub fn images() -> Vec<([f32; 64], usize)> {
    let mut images = Vec::new();
    for (digit, points) in FORMS {
        for slant in SLANTS {
            for width in WIDTHS {
                let mut drawing = Drawing::default();
                points.iter().for_each(|[x, y]| drawing.line_to([width * x - slant * y, *y]));
                images.push((drawing.image(), digit));
            }
        }
    }
    images
}
