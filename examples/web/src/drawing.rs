//! Strokes as an image of 8 × 8 pixels, made the way the images of the digits data set were.
//!
//! NIST's program scaled each digit to a box of 20 × 32 pixels in the middle of 32 × 32; a pixel of the data set counts the ink in
//! 4 × 4 of these, 0 to 16 ([Alpaydin and Kaynak 1998](https://archive.ics.uci.edu/dataset/80)). A one is not as wide as the box.

/// Pixels on each side of the image.
pub const SIDE: usize = 8;
/// Fine pixels in each direction within a pixel.
const FINE: usize = 4;
/// Width and height of the box that a digit fills, in fine pixels.
const BOX: [f32; 2] = [20.0, 32.0];
/// Radius of the pen in fine pixels of the height; gives the data set's mean share of ink, 0.3.
const PEN: f32 = 2.6;
/// The most that the width is scaled more than the height.
const MOST_STRETCH: f32 = 1.5;
/// The least height of a drawing, as a share of its width: a dash is not stretched to a bar.
const LEAST_HEIGHT: f32 = 0.4;

/// A point in any unit, x to the right and y down.
type Point = [f32; 2];

/// A drawing: strokes, each a line through its points.
#[derive(Debug, Clone, Default)]
pub struct Drawing {
    strokes: Vec<Vec<Point>>,
}

impl Drawing {
    /// Removes all strokes.
    pub fn clear(&mut self) {
        self.strokes.clear();
    }

    /// Whether nothing is drawn.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.strokes.is_empty()
    }

    /// Starts a stroke at a point.
    pub fn begin(&mut self, point: Point) {
        self.strokes.push(vec![point]);
    }

    /// Continues the last stroke to a point.
    pub fn line_to(&mut self, point: Point) {
        match self.strokes.last_mut() {
            Some(stroke) => stroke.push(point),
            None => self.begin(point),
        }
    }

    /// The image, row by row, with values from 0 (paper) to 16 (ink); empty without strokes.
    #[must_use]
    pub fn image(&self) -> [f32; SIDE * SIDE] {
        let mut image = [0.0; SIDE * SIDE];
        let Some((least, most)) = self.bounds() else { return image };
        let width = most[0] - least[0];
        let height = (most[1] - least[1]).max(LEAST_HEIGHT * width).max(f32::MIN_POSITIVE);
        // The pen is round in the drawing; `scale` is in fine pixels.
        let vertical = (BOX[1] - 2.0 * PEN) / height;
        let pen = PEN / vertical;
        let scale = [(BOX[0] / (width + 2.0 * pen)).min(MOST_STRETCH * vertical), vertical];
        let center = [f32::midpoint(least[0], most[0]), f32::midpoint(least[1], most[1])];
        let middle = (SIDE * FINE) as f32 / 2.0;
        for row in 0..SIDE * FINE {
            for column in 0..SIDE * FINE {
                let fine = [column as f32 + 0.5, row as f32 + 0.5];
                let point = [0, 1].map(|axis| center[axis] + (fine[axis] - middle) / scale[axis]);
                if self.distance(point) <= pen {
                    image[row / FINE * SIDE + column / FINE] += 1.0;
                }
            }
        }
        image
    }

    /// The least and the most coordinates of all points.
    fn bounds(&self) -> Option<(Point, Point)> {
        let mut points = self.strokes.iter().flatten();
        let first = *points.next()?;
        Some(points.fold((first, first), |(least, most), point| {
            ([0, 1].map(|axis| least[axis].min(point[axis])), [0, 1].map(|axis| most[axis].max(point[axis])))
        }))
    }

    /// The distance from a point to the nearest stroke.
    fn distance(&self, point: Point) -> f32 {
        let lines = self.strokes.iter().flat_map(|stroke| {
            let dot = (stroke.len() == 1).then(|| [stroke[0], stroke[0]]);
            stroke.windows(2).map(|ends| [ends[0], ends[1]]).chain(dot)
        });
        lines.map(|line| distance_to_line(point, line)).fold(f32::INFINITY, f32::min)
    }
}

/// The distance from a point to a line segment.
fn distance_to_line(point: Point, [from, to]: [Point; 2]) -> f32 {
    let along = [to[0] - from[0], to[1] - from[1]];
    let offset = [point[0] - from[0], point[1] - from[1]];
    let square = along[0] * along[0] + along[1] * along[1];
    let product = offset[0] * along[0] + offset[1] * along[1];
    let part = if square > 0.0 { (product / square).clamp(0.0, 1.0) } else { 0.0 };
    (offset[0] - part * along[0]).hypot(offset[1] - part * along[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawing(strokes: &[&[Point]]) -> Drawing {
        Drawing { strokes: strokes.iter().map(|stroke| stroke.to_vec()).collect() }
    }

    #[test]
    fn a_drawing_is_scaled_and_centered() {
        let square: &[Point] = &[[10.0, 10.0], [60.0, 10.0], [60.0, 60.0], [10.0, 60.0], [10.0, 10.0]];
        let image = drawing(&[square]).image();
        let moved: Vec<Point> = square.iter().map(|[x, y]| [4.0 * x + 100.0, 4.0 * y + 7.0]).collect();
        assert_eq!(drawing(&[&moved]).image(), image, "a drawing in another place and size is another image");
        // A box of 20 × 32: two of four columns at the sides of a pixel are ink, none outside.
        let rows: Vec<&[f32]> = image.chunks(SIDE).collect();
        assert!(rows.iter().all(|row| row[0] == 0.0 && row[7] == 0.0 && row[1] > 0.0 && row[1] == row[6]));
        assert_eq!([rows[0][3], rows[3][1], rows[7][4]], [16.0, 8.0, 16.0]);
        assert_eq!([rows[3][3], rows[4][4]], [0.0; 2]);
    }

    #[test]
    fn a_vertical_line_is_a_one_and_a_dot_is_a_dot() {
        let line = drawing(&[&[[5.0, 0.0], [5.0, 100.0]]]).image();
        let share = line.iter().sum::<f32>() / 1024.0;
        assert!((0.2..0.4).contains(&share), "{share} of the image is ink");
        assert!(line.chunks(SIDE).all(|row| row[..2].iter().chain(&row[6..]).all(|&pixel| pixel == 0.0)));
        let dot = drawing(&[&[[5.0, 5.0]]]).image();
        assert!(dot.iter().all(|pixel| pixel.is_finite()) && dot[27] > 0.0);
        assert_eq!(Drawing::default().image(), [0.0; 64]);
    }
}
