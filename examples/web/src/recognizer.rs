//! A network that learns the digits data set epoch by epoch and recognizes images.

use crate::forms;
use axonal::ndarray::{Array1, Array2, ArrayView1, Axis};
use axonal::prelude::*;

/// The number of classes.
pub const CLASSES: usize = 10;

/// Pixels run from 0 to 16; networks learn best from values around 1.
const SCALE: f32 = 1.0 / 16.0;

/// Loss and accuracy on the images learned from, during the epoch, and on images kept back, after the epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Scores {
    /// Mean cross-entropy of the epoch.
    pub loss: f64,
    /// Accuracy of the epoch.
    pub accuracy: f64,
    /// Mean cross-entropy on the test images.
    pub test_loss: f64,
    /// Accuracy on the test images.
    pub test_accuracy: f64,
}

/// The network and its data: 1,437 images of the data set and 100 drawn ones to learn from, 360 of the data set to test.
#[derive(Debug)]
pub struct Recognizer {
    model: Model<f32>,
    x_train: Array2<f32>,
    y_train: Array1<usize>,
    x_test: Array2<f32>,
    y_test: Array1<usize>,
}

impl Recognizer {
    /// An untrained network.
    ///
    /// # Errors
    /// Those of the data set and of `compile`; none is expected.
    pub fn new() -> Result<Self> {
        let digits = axonal::datasets::load_digits::<f32>()?;
        let images = &digits.data * SCALE;
        let (x_train, x_test, y_train, y_test) = train_test_split(&images, &digits.target, 0.2, 7)?;
        let drawn = forms::images();
        let n = x_train.nrows();
        let x_train = Array2::from_shape_fn((n + drawn.len(), 64), |(row, pixel)| match row.checked_sub(n) {
            Some(row) => drawn[row].0[pixel] * SCALE,
            None => x_train[[row, pixel]],
        });
        let y_train = y_train.into_iter().chain(drawn.iter().map(|(_, digit)| *digit)).collect();
        let model = Sequential::new(64)
            .add(Dense::new(128).activation(Activation::Relu))
            .add(Dropout::new(0.2))
            .add(Dense::new(64).activation(Activation::Relu))
            .add(Dense::new(CLASSES).activation(Activation::Softmax))
            .seed(42)
            .compile(Adam::default(), SparseCategoricalCrossentropy::default())?
            .metric(Accuracy::default());
        Ok(Self { model, x_train, y_train, x_test, y_test })
    }

    /// Trains one epoch.
    ///
    /// # Errors
    /// Those of `fit` and `evaluate`; none is expected.
    pub fn train_epoch(&mut self) -> Result<Scores> {
        let options = FitOptions::new().epochs(1).batch_size(32);
        let history = self.model.fit_with(&self.x_train, &self.y_train, options)?;
        let last = |key| history.get(key).and_then(<[f64]>::last).copied().unwrap_or(f64::NAN);
        let test = self.model.evaluate(&self.x_test, &self.y_test)?;
        Ok(Scores {
            loss: last("loss"),
            accuracy: last("accuracy"),
            test_loss: test.loss(),
            test_accuracy: test.get("accuracy").unwrap_or(f64::NAN),
        })
    }

    /// The probability of each class for an image with pixels from 0 to 16.
    ///
    /// # Errors
    /// That of `predict` for a wrong number of pixels or one that is not finite.
    pub fn probabilities(&self, image: &[f32]) -> Result<Vec<f32>> {
        let row = ArrayView1::from(image).insert_axis(Axis(0)).mapv(|pixel| pixel * SCALE);
        Ok(self.model.predict(&row)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drawing::Drawing;

    type Stroke = &'static [[f32; 2]];

    /// Digits as one writes them, on paper of 100 × 100.
    const WRITTEN: [&[Stroke]; 10] = [
        &[&[
            [50., 10.],
            [34., 16.],
            [26., 34.],
            [25., 55.],
            [30., 78.],
            [45., 90.],
            [58., 87.],
            [70., 72.],
            [74., 50.],
            [71., 28.],
            [62., 14.],
            [50., 10.],
        ]],
        &[&[[38., 26.], [52., 12.], [52., 50.], [51., 90.]]],
        &[&[
            [28., 28.],
            [36., 14.],
            [52., 9.],
            [66., 16.],
            [70., 32.],
            [62., 48.],
            [44., 68.],
            [26., 88.],
            [48., 88.],
            [74., 87.],
        ]],
        &[&[
            [28., 16.],
            [46., 9.],
            [64., 16.],
            [68., 30.],
            [60., 42.],
            [46., 47.],
            [62., 52.],
            [71., 66.],
            [66., 82.],
            [48., 91.],
            [28., 84.],
        ]],
        &[
            &[[52., 10.], [40., 34.], [27., 58.], [50., 58.], [76., 57.]],
            &[[62., 38.], [60., 64.], [58., 92.]],
        ],
        &[&[
            [70., 10.],
            [38., 11.],
            [34., 44.],
            [50., 38.],
            [65., 44.],
            [71., 62.],
            [64., 82.],
            [48., 90.],
            [29., 84.],
        ]],
        &[&[
            [62., 9.],
            [44., 26.],
            [33., 48.],
            [29., 70.],
            [37., 86.],
            [52., 91.],
            [67., 82.],
            [69., 66.],
            [58., 54.],
            [42., 58.],
            [31., 68.],
        ]],
        &[&[[26., 14.], [50., 13.], [74., 12.], [62., 36.], [52., 60.], [44., 90.]]],
        &[&[
            [64., 20.],
            [48., 10.],
            [34., 18.],
            [36., 34.],
            [52., 48.],
            [66., 62.],
            [66., 80.],
            [50., 91.],
            [35., 82.],
            [34., 66.],
            [48., 50.],
            [62., 36.],
            [64., 20.],
        ]],
        &[&[
            [68., 28.],
            [56., 11.],
            [38., 14.],
            [31., 32.],
            [40., 48.],
            [56., 46.],
            [68., 28.],
            [66., 56.],
            [58., 78.],
            [44., 91.],
        ]],
    ];

    #[test]
    fn the_network_learns_and_recognizes_written_digits() {
        let mut recognizer = Recognizer::new().unwrap();
        let (first, last) = (0..20).fold((None, Scores::default()), |(first, _), _| {
            let scores = recognizer.train_epoch().unwrap();
            (first.or(Some(scores)), scores)
        });
        assert!(last.test_accuracy >= 0.95, "{last:?}");
        assert!(last.loss < first.unwrap().loss && last.test_loss < first.unwrap().test_loss);
        for (digit, strokes) in WRITTEN.into_iter().enumerate() {
            let mut drawing = Drawing::default();
            for stroke in strokes {
                drawing.begin(stroke[0]);
                stroke[1..].iter().for_each(|&point| drawing.line_to(point));
            }
            let probabilities = recognizer.probabilities(&drawing.image()).unwrap();
            let best = (0..CLASSES).max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]));
            assert_eq!(best, Some(digit), "{probabilities:?} for {:?}", drawing.image());
            assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn an_image_of_another_size_is_an_error() {
        assert!(Recognizer::new().unwrap().probabilities(&[0.0; 63]).is_err());
    }
}
