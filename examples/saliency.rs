//! Saliency maps: which pixels decide which digit a network sees? The gradient of the class score with respect to the pixels
//! (Simonyan, Vedaldi and Zisserman 2013, arXiv:1312.6034), and its mean over noisy copies of the image, SmoothGrad (Smilkov et
//! al. 2017, arXiv:1706.03825).
//!
//! `cargo run --release --example saliency`; with `--features plot` it also draws the maps into `target/saliency.svg`.

use axonal::ndarray::{Array1, Array2, Array4, Axis, s};
use axonal::prelude::*;
use axonal::rng::{Purpose, Rng};

const SIDE: usize = 8;
/// Noisy copies of each image, and the standard deviation of the noise, for pixels from 0 to 1.
const COPIES: usize = 64;
const NOISE: f32 = 0.15;

/// The gradient of the score of a class with respect to the pixels, for each image.
fn gradient(model: &Model<f32>, x: &Array4<f32>, classes: &Array1<usize>) -> Result<Array4<f32>> {
    let (_, gradient) = model.input_gradient(x, |scores| {
        Array2::from_shape_fn(scores.raw_dim(), |(image, class)| f32::from(u8::from(classes[image] == class)))
    })?;
    Ok(gradient)
}

/// SmoothGrad: the mean gradient over noisy copies of the images.
fn smooth_gradient(model: &Model<f32>, x: &Array4<f32>, classes: &Array1<usize>) -> Result<Array4<f32>> {
    let mut rng = Rng::new(1, Purpose::Other, 0);
    let mut sum = Array4::zeros(x.raw_dim());
    for _ in 0..COPIES {
        let noise = |pixel: &f32| pixel + NOISE * rng.normal() as f32;
        sum += &gradient(model, &x.map(noise), classes)?;
    }
    Ok(sum / COPIES as f32)
}

/// The mean loss of score where the `n` inked pixels of each image with the largest ranks are erased.
fn erased(
    model: &Model<f32>,
    x: &Array4<f32>,
    classes: &Array1<usize>,
    ranks: &Array4<f32>,
    n: usize,
) -> Result<f32> {
    let mut rest = x.clone();
    for (mut image, ranks) in rest.outer_iter_mut().zip(ranks.outer_iter()) {
        let mut inked: Vec<(f32, [usize; 3])> = Vec::new();
        for ((i, j, k), &pixel) in image.indexed_iter() {
            if pixel > 0.2 {
                inked.push((ranks[[i, j, k]], [i, j, k]));
            }
        }
        inked.sort_by(|a, b| b.0.total_cmp(&a.0));
        inked.iter().take(n).for_each(|&(_, place)| image[place] = 0.0);
    }
    let (before, after) = (model.predict(x)?, model.predict(&rest)?);
    let losses =
        classes.iter().enumerate().map(|(image, &class)| before[[image, class]] - after[[image, class]]);
    Ok(losses.sum::<f32>() / classes.len() as f32)
}

fn main() -> Result<()> {
    let digits = axonal::datasets::load_digits::<f32>()?;
    let images = (&digits.data / 16.0).into_shape_with_order((digits.data.nrows(), SIDE, SIDE, 1));
    let images = images.map_err(|error| Error::shape("digits", "images of 8 × 8 pixels", error))?;
    let (n_train, n) = (1400, digits.target.len());
    let (x, y) = (images.slice(s![..n_train, .., .., ..]), digits.target.slice(s![..n_train]));
    let (x_test, y_test) = (images.slice(s![n_train..n, .., .., ..]), digits.target.slice(s![n_train..n]));

    let convolution = |filters| Conv2D::new(filters, 3).padding(Padding::Same).activation(Activation::Relu);
    let mut model = Sequential::new([SIDE, SIDE, 1])
        .add(convolution(16))
        .add(convolution(16))
        .add(MaxPooling2D::new(2))
        .add(Dropout::new(0.25))
        .add(Flatten::new())
        // The scores before the softmax, whose gradient does not vanish where the network is certain.
        .add(Dense::new(10))
        .seed(5)
        .compile(Adam::new(0.003), SparseCategoricalCrossentropy::new().from_logits(true))?
        .metric(Accuracy::new());
    model.fit_with(&x, &y, FitOptions::new().epochs(15).batch_size(32))?;
    let accuracy = model.evaluate(&x_test, &y_test)?.get("accuracy").unwrap_or(f64::NAN);
    println!("test accuracy {accuracy:.3}");
    assert!(accuracy > 0.9);

    // One image of each digit.
    let chosen: Vec<usize> =
        (0..10).filter_map(|digit| y_test.iter().position(|&label| label == digit)).collect();
    let (shown, classes) = (x_test.select(Axis(0), &chosen), y_test.select(Axis(0), &chosen));
    let maps = [gradient(&model, &shown, &classes)?, smooth_gradient(&model, &shown, &classes)?];
    let maps = maps.map(|map| map.mapv(f32::abs));

    // The inked pixels that a map marks matter more than others.
    let any = Array4::from_shape_fn(shown.raw_dim(), |(_, i, j, _)| ((i * 5 + j * 3) % 7) as f32);
    let [by_gradient, by_smooth] = [&maps[0], &maps[1]].map(|map| erased(&model, &shown, &classes, map, 6));
    let (by_gradient, by_smooth, by_any) =
        (by_gradient?, by_smooth?, erased(&model, &shown, &classes, &any, 6)?);
    println!(
        "score lost by erasing 6 pixels: {by_gradient:.2} by gradient, {by_smooth:.2} by SmoothGrad, {by_any:.2} any"
    );
    assert!(by_smooth > by_any);
    #[cfg(feature = "plot")]
    draw(&shown, &classes, &maps)?;
    Ok(())
}

/// Draws each digit with its maps: ink on paper, and saliency from white over orange to dark red.
#[cfg(feature = "plot")]
fn draw(shown: &Array4<f32>, classes: &Array1<usize>, maps: &[Array4<f32>; 2]) -> Result<()> {
    let mut images = Array4::ones((3 * shown.dim().0, SIDE, SIDE, 3));
    for digit in 0..shown.dim().0 {
        for (place, map) in [shown, &maps[0], &maps[1]].into_iter().enumerate() {
            let map = map.slice(s![digit, .., .., 0]);
            let largest = map.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
            for ((i, j), value) in map.indexed_iter() {
                let share = value / largest;
                let color = match place {
                    0 => [1.0 - share; 3],
                    _ => {
                        [1.0 - 0.5 * (share - 0.5).max(0.0), 1.0 - 0.95 * share, 1.0 - (2.0 * share).min(1.0)]
                    }
                };
                (0..3).for_each(|channel| images[[3 * digit + place, i, j, channel]] = color[channel]);
            }
        }
    }
    let labels: Array1<usize> = classes.iter().flat_map(|&class| [class, 10, 11]).collect();
    let names: Vec<String> =
        (0..10).map(|digit| digit.to_string()).chain(["gradient".into(), "SmoothGrad".into()]).collect();
    axonal::plot::ImageGrid::new(&images)
        .labels(&labels)
        .class_names(&names)
        .columns(6)
        .title("pixels that decide")
        .save("target/saliency.svg")
}
