//! A frame with numbers along its sides.

use super::{INK, PALE, round, text};
use svg::node::element::{Group, Line, Rectangle};

/// The rectangle of a picture in which data is drawn, and the numbers that its sides denote.
#[derive(Debug, Clone)]
pub(super) struct Axes {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) x: (f64, f64),
    pub(super) y: (f64, f64),
}

impl Axes {
    /// Where a point of the data lies in the picture.
    pub(super) fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let share = |value: f64, (low, high): (f64, f64)| (value - low) / (high - low);
        (
            round(self.left + share(x, self.x) * self.width),
            round(self.top + (1.0 - share(y, self.y)) * self.height),
        )
    }

    /// The grid with its numbers, the names of the axes, and a title above.
    pub(super) fn frame(&self, title: &str, names: [&str; 2], whole_x: bool) -> Group {
        let mut group = Group::new();
        let x_ticks = ticks(self.x, if whole_x { 1.0 } else { 0.0 }, self.width / 70.0);
        for &tick in &x_ticks {
            let (x, _) = self.place(tick, self.y.0);
            group = group.add(self.line((x, self.top), (x, self.top + self.height)));
            let label = text(written(tick, &x_ticks), x, self.top + self.height + 16.0, 11.0, "middle");
            group = group.add(label.set("fill", PALE));
        }
        let y_ticks = ticks(self.y, 0.0, self.height / 40.0);
        for &tick in &y_ticks {
            let (_, y) = self.place(self.x.0, tick);
            group = group.add(self.line((self.left, y), (self.left + self.width, y)));
            let label = text(written(tick, &y_ticks), self.left - 7.0, y + 4.0, 11.0, "end");
            group = group.add(label.set("fill", PALE));
        }
        let frame = Rectangle::new().set("x", self.left).set("y", self.top);
        let frame = frame.set("width", self.width).set("height", self.height);
        let (middle, centre) = (self.left + self.width / 2.0, self.top + self.height / 2.0);
        let side = text(names[1], 0.0, 0.0, 12.0, "middle");
        let side = side.set(
            "transform",
            format!("translate({} {}) rotate(-90)", round(self.left - 48.0), round(centre)),
        );
        group
            .add(frame.set("fill", "none").set("stroke", INK).set("stroke-width", 1))
            .add(text(title, middle, self.top - 12.0, 14.0, "middle").set("font-weight", "bold"))
            .add(text(names[0], middle, self.top + self.height + 36.0, 12.0, "middle"))
            .add(side)
    }

    fn line(&self, from: (f64, f64), to: (f64, f64)) -> Line {
        let line = Line::new().set("x1", from.0).set("y1", from.1).set("x2", to.0).set("y2", to.1);
        line.set("stroke", "#e3e6ea").set("stroke-width", 1)
    }
}

/// The range of the values with a margin; never empty.
pub(super) fn range(values: impl Iterator<Item = f64>, room: f64) -> (f64, f64) {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return (0.0, 1.0);
    }
    let size = (high / 2.0 - low / 2.0) * 2.0;
    let margin = if size > 0.0 { size * room } else { low.abs().max(1.0) * 0.05 };
    // Numbers near the limit of their type must not become infinite, nor what lies between them.
    let (low, high) = ((low - margin).max(f64::MIN), (high + margin).min(f64::MAX));
    if (high - low).is_finite() { (low, high) } else { (low.max(f64::MIN / 4.0), high.min(f64::MAX / 4.0)) }
}

/// Round numbers within a range: multiples of 1, 2 or 5 times a power of ten, about `n` of them.
pub(super) fn ticks((low, high): (f64, f64), least_step: f64, n: f64) -> Vec<f64> {
    let rough = ((high - low) / n.max(1.0)).max(least_step).max(f64::MIN_POSITIVE);
    let power = 10_f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power).into_iter().find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(rough);
    let first = (low / step).ceil();
    (0..100)
        .map(|index| (first + f64::from(index)) * step)
        .take_while(|tick| *tick <= high + step * 1e-9)
        .collect()
}

/// A number along an axis, with as many digits as its neighbours need.
fn written(tick: f64, all: &[f64]) -> String {
    let step = match all {
        [first, second, ..] => second - first,
        _ => tick.abs(),
    };
    let largest = all.iter().fold(0.0_f64, |largest, tick| largest.max(tick.abs()));
    if tick == 0.0 {
        return "0".into();
    }
    if largest >= 1e5 || step < 1e-4 {
        return format!("{tick:.1e}");
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of digits below 6")]
    let digits = (-(step * 1.0001).log10().floor()).clamp(0.0, 5.0) as usize;
    format!("{tick:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers_within_the_range() {
        assert_eq!(ticks((0.0, 1.0), 0.0, 5.0), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(ticks((0.0, 3.0), 1.0, 9.0), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(ticks((-130.0, 70.0), 0.0, 4.0), [-100.0, -50.0, 0.0, 50.0]);
        for (low, high) in [(0.0, 1e-300), (-1e300, 1e300), (5.0, 5.0), (1e15, 1e15 + 1.0)] {
            assert!(ticks((low, high), 0.0, 6.0).len() <= 100);
        }
    }

    #[test]
    fn numbers_along_an_axis_have_the_digits_that_tell_them_apart() {
        let all = |ticks: &[f64]| ticks.iter().map(|&tick| written(tick, ticks)).collect::<Vec<_>>();
        assert_eq!(all(&[0.0, 0.2, 0.4, 0.6000000000000001]), ["0", "0.2", "0.4", "0.6"]);
        assert_eq!(all(&[0.96, 0.98, 1.0]), ["0.96", "0.98", "1.00"]);
        assert_eq!(all(&[0.0, 50.0, 100.0]), ["0", "50", "100"]);
        assert_eq!(all(&[0.0, 200_000.0]), ["0", "2.0e5"]);
    }

    #[test]
    fn a_range_is_never_empty() {
        assert_eq!(range([].into_iter(), 0.1), (0.0, 1.0));
        assert_eq!(range([f64::NAN, 1.0, 3.0].into_iter(), 0.5), (0.0, 4.0));
        for values in [[0.0; 2], [5.0; 2], [-1e308; 2], [f64::MIN, f64::MAX]] {
            let (low, high) = range(values.into_iter(), 0.05);
            assert!(low < high && (high - low).is_finite(), "{values:?}: {low} {high}");
        }
    }
}
