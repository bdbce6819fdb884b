//! An image in 16 colors: the pixels are points in the space of colors, and k-means chooses the palette.
//!
//! The image is painted here, a sunset over water; the original and the quantized one are written beside each
//! other as PPM, which most viewers open.
//!
//! `cargo run --release --example color_quantization [FOLDER]`

use axonal::cluster::MiniBatchKMeans;
use axonal::ndarray::Array2;
use axonal::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

const WIDTH: usize = 480;
const HEIGHT: usize = 320;
const COLORS: usize = 16;

/// Red, green and blue in [0, 1] at a place of the picture.
fn paint(column: usize, row: usize) -> [f32; 3] {
    let (x, y) = (column as f32 / WIDTH as f32, row as f32 / HEIGHT as f32);
    let horizon = 0.62;
    // Below the horizon the sky is seen again, upside down, darker and broken by waves.
    let wave = ((y - horizon) * 90.0).sin() * 0.004 + ((x * 40.0 + y * 220.0).sin()) * 0.006;
    let (height, x, shade) = if y < horizon {
        (y / horizon, x, 1.0)
    } else {
        ((2.0 * horizon - y + wave) / horizon, x + 3.0 * wave, 0.65)
    };
    let sun = ((x - 0.63).powi(2) * 2.2 + (height - 0.78).powi(2)).sqrt();
    let glow = (-6.0 * sun).exp();
    let disc = if sun < 0.07 { 1.0 } else { 0.0 };
    let cloud =
        ((x * 9.0 + (height * 14.0).sin()).sin() * (height * 23.0 + x * 3.0).cos()).max(0.0).powi(3) * 0.35;
    let sky = [0.25 + 0.7 * height, 0.12 + 0.38 * height * height, 0.42 - 0.22 * height];
    let color =
        [sky[0] + 0.6 * glow + cloud, sky[1] + 0.55 * glow + 0.6 * cloud, sky[2] + 0.15 * glow + 0.5 * cloud];
    color.map(|c| ((c + disc) * shade).clamp(0.0, 1.0))
}

fn write_ppm(path: &Path, pixels: &Array2<f32>) -> std::io::Result<()> {
    let mut file = format!("P6\n{WIDTH} {HEIGHT}\n255\n").into_bytes();
    file.extend(pixels.iter().map(|c| (c.clamp(0.0, 1.0) * 255.0).round() as u8));
    fs::write(path, file)
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let values = (0..HEIGHT).flat_map(|row| (0..WIDTH).flat_map(move |column| paint(column, row))).collect();
    let pixels = Array2::from_shape_vec((WIDTH * HEIGHT, 3), values)?;

    // The palette from 200 pixels for each color; every pixel then takes its nearest one.
    let mut kmeans = KMeans::new(COLORS).max_points_per_center(200).seed(0);
    let start = std::time::Instant::now();
    let labels = kmeans.fit_predict(&pixels)?;
    let elapsed = start.elapsed();
    let palette = kmeans.cluster_centers()?;
    let quantized = palette.select(axonal::ndarray::Axis(0), labels.as_slice().unwrap_or_default());

    let squared_error = (&pixels - &quantized).mapv(|v| v * v).mean().unwrap_or_default();
    println!("{} pixels in {COLORS} colors after {elapsed:.1?}", pixels.nrows());
    println!("peak signal-to-noise ratio {:.1} dB", -10.0 * squared_error.log10());
    for (color, count) in palette.rows().into_iter().zip(kmeans.cluster_sizes()?) {
        let [r, g, b] = [0, 1, 2].map(|channel| (color[channel] * 255.0).round() as u8);
        println!("#{r:02x}{g:02x}{b:02x} {count:6} pixels");
    }
    // By mini-batches, for pictures that do not fit in memory.
    let mut by_batches = MiniBatchKMeans::new(COLORS).seed(0);
    by_batches.fit(&pixels)?;
    println!("inertia {:.1}, by mini-batches {:.1}", kmeans.inertia()?, by_batches.inertia()?);

    for (name, image) in [("original.ppm", &pixels), ("quantized.ppm", &quantized)] {
        let path = folder.join(format!("color_quantization_{name}"));
        write_ppm(&path, image)?;
        println!("wrote {}", path.display());
    }
    Ok(())
}
