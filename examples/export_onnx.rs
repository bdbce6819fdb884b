//! Trains a classifier of handwritten digits, exports it with its scaler as one ONNX file, and its weights as safetensors.
//!
//! `cargo run --release --features onnx,safetensors --example export_onnx`; then, in Python:
//!
//! ```text
//! import numpy, onnxruntime
//! session = onnxruntime.InferenceSession("digits.onnx")
//! session.run(["labels"], {"input": images.astype(numpy.float32)})  # images: (n, 64), values 0 to 16
//! ```
use axonal::prelude::*;

fn main() -> Result<()> {
    let digits = axonal::datasets::load_digits::<f32>()?;
    let (x_train, x_test, y_train, y_test) = train_test_split(&digits.data, &digits.target, 0.2, 7)?;

    let network = Sequential::new(64)
        .add(Reshape::new([8, 8, 1]))
        .add(Conv2D::new(12, 3).padding(Padding::Same).activation(Activation::Relu))
        .add(MaxPooling2D::new(2))
        .add(Flatten::default())
        .add(Dropout::new(0.25))
        .add(Dense::new(10).activation(Activation::Softmax))
        .seed(1)
        .compile(Adam::new(0.005), SparseCategoricalCrossentropy::default())?
        .with_fit_options(FitOptions::new().epochs(8).batch_size(32).verbose(Verbose::Silent));
    let mut pipeline = Pipeline::new(MinMaxScaler::new(), Classifier::new(network));
    pipeline.fit(&x_train, &y_train)?;
    let accuracy = pipeline.score(&x_test, &y_test)?;
    println!("accuracy on {} test images: {accuracy:.3}", y_test.len());

    let folder = std::env::temp_dir().join(format!("axonal-export-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|source| Error::Io { path: folder.clone(), source })?;
    let (onnx, weights) = (folder.join("digits.onnx"), folder.join("digits.safetensors"));
    pipeline.export_onnx(&onnx)?;
    pipeline.estimator().estimator().save_safetensors(&weights)?;
    for path in [onnx, weights] {
        let len = std::fs::metadata(&path).map_err(|source| Error::Io { path: path.clone(), source })?.len();
        println!("{}: {len} bytes", path.display());
    }
    assert!(accuracy > 0.9);
    Ok(())
}
