//! The pixels of an image as rectangles.

use super::super::round;
use ndarray::ArrayView3;
use svg::node::element::{Group, Rectangle};

/// How numbers become colors.
pub(super) struct Colors {
    low: f64,
    high: f64,
}

impl Colors {
    /// Of all images of a picture.
    pub(super) fn of(values: impl Iterator<Item = f64>, channels: usize) -> Self {
        let (low, high) = values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        match channels {
            1 => Self { low, high },
            _ if low >= 0.0 && high <= 1.0 => Self { low: 0.0, high: 1.0 },
            _ if low >= 0.0 && high <= 255.0 => Self { low: 0.0, high: 255.0 },
            _ => Self { low, high },
        }
    }

    /// Red, green and blue of a pixel; one that cannot be seen, because it is white as the paper, has none.
    fn of_pixel(&self, channels: &[f64]) -> Option<[u8; 3]> {
        let share = |value: f64| {
            // In halves, so that the difference of the largest numbers is finite.
            let share = (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0);
            if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 255")]
        let byte = |share: f64| (255.0 * share).round() as u8;
        let color = match *channels {
            [gray] => [byte(1.0 - share(gray)); 3],
            [red, green, blue] => [red, green, blue].map(|channel| byte(share(channel))),
            [red, green, blue, opacity] => {
                let opacity = share(opacity);
                [red, green, blue].map(|channel| byte(share(channel) * opacity + 1.0 - opacity))
            }
            _ => return None,
        };
        (color != [255; 3]).then_some(color)
    }
}

/// An image at a place, with the size that it has there. Neighbors of one color in a row are one rectangle.
pub(super) fn pixels(
    image: ArrayView3<'_, f64>,
    colors: &Colors,
    (x, y): (f64, f64),
    (width, height): (f64, f64),
) -> Group {
    let (rows, columns, _) = image.dim();
    let (wide, high) = (width / columns as f64, height / rows as f64);
    // Neighbors touch without a seam.
    let mut group = Group::new().set("shape-rendering", "crispEdges");
    for (row, pixels) in image.outer_iter().enumerate() {
        let row_colors: Vec<Option<[u8; 3]>> =
            pixels.outer_iter().map(|pixel| colors.of_pixel(&pixel.to_vec())).collect();
        let mut column = 0;
        for run in row_colors.chunk_by(|left, right| left == right) {
            let (from, to) = (x + wide * column as f64, x + wide * (column + run.len()) as f64);
            column += run.len();
            let Some([red, green, blue]) = run[0] else { continue };
            let (top, bottom) = (y + high * row as f64, y + high * (row + 1) as f64);
            let pixel = Rectangle::new().set("x", round(from)).set("y", round(top));
            let pixel = pixel.set("width", between(from, to)).set("height", between(top, bottom));
            group = group.add(pixel.set("fill", format!("rgb({red},{green},{blue})")));
        }
    }
    group
}

/// The distance of two coordinates as they are drawn, so that neighbors touch.
fn between(from: f64, to: f64) -> f64 {
    round(round(to) - round(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_the_colors_that_they_mean() {
        let color =
            |values: &[f64], pixel: &[f64]| Colors::of(values.iter().copied(), pixel.len()).of_pixel(pixel);
        // Ink on paper.
        assert_eq!(color(&[0.0, 16.0], &[16.0]), Some([0; 3]));
        assert_eq!(color(&[0.0, 16.0], &[4.0]), Some([191; 3]));
        assert_eq!(color(&[0.0, 16.0], &[0.0]), None);
        assert_eq!(color(&[7.0, 7.0], &[7.0]), None, "one gray is paper");
        assert_eq!(color(&[f64::MIN, f64::MAX], &[0.0]), Some([128; 3]));
        // Shares, bytes, and anything else.
        assert_eq!(color(&[0.0, 0.5], &[0.5, 0.0, 0.25]), Some([128, 0, 64]));
        assert_eq!(color(&[0.0, 1.0], &[1.0, 1.0, 1.0]), None);
        assert_eq!(color(&[0.0, 200.0], &[200.0, 0.0, 100.0]), Some([200, 0, 100]));
        assert_eq!(color(&[-2.0, 2.0], &[-2.0, 0.0, 2.0]), Some([0, 128, 255]));
        assert_eq!(color(&[0.0, 256.0], &[256.0, 0.0, 128.0]), Some([255, 0, 128]));
        // Opacity.
        assert_eq!(color(&[0.0, 1.0], &[1.0, 0.0, 0.0, 1.0]), Some([255, 0, 0]));
        assert_eq!(color(&[0.0, 1.0], &[1.0, 0.0, 0.0, 0.5]), Some([255, 128, 128]));
        assert_eq!(color(&[0.0, 1.0], &[1.0, 0.0, 0.0, 0.0]), None);
    }
}
