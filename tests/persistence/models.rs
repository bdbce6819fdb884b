//! Models and data that the tests save.

use crate::temporary::temporary_path;
use axonal::callbacks::Checkpoint;
use axonal::cluster::{BisectingKMeans, BisectingStrategy, MiniBatchKMeans};
use axonal::custom::Run;
use axonal::metrics::SparseCategoricalAccuracy;
use axonal::ndarray::{Array1, Array2};
use axonal::prelude::*;
use axonal::preprocessing::{MaxAbsScaler, Normalizer, PolynomialFeatures, RobustScaler};
use axonal::schedules::ExponentialDecay;

/// A classifier with dropout, regularizers and two metrics, not yet trained.
pub(crate) fn classifier() -> Model<f32> {
    Sequential::new(3)
        .add(Dense::new(8).activation(Activation::Elu).kernel_regularizer(Regularizer::l2(0.1 + 0.2)))
        .add(Dropout::new(0.1))
        .add(Dense::new(2).activation(Activation::Softmax))
        .seed(u64::MAX - 9)
        .compile(Adam::new(0.01).clipnorm(1.1), SparseCategoricalCrossentropy::default())
        .unwrap()
        .metric(Accuracy::default())
        .metric(SparseCategoricalAccuracy::default())
}

/// What the classifier learns from.
pub(crate) fn samples() -> (Array2<f32>, Array1<usize>) {
    let x = Array2::from_shape_fn((60, 3), |(i, j)| ((i * 5 + j * 11) % 23) as f32 / 11.5 - 1.0);
    let y = x.rows().into_iter().map(|row| usize::from(row[0] > row[1])).collect();
    (x, y)
}

/// The classifier after two epochs.
pub(crate) fn trained() -> Model<f32> {
    let mut model = classifier();
    let (x, y) = samples();
    model.fit_with(&x, &y, FitOptions::new().epochs(2).batch_size(16)).unwrap();
    model
}

/// A network of f32 with a schedule and RMSprop, after one epoch.
pub(crate) fn regressor() -> Model<f32> {
    let (x, y) = samples();
    let mut model = Sequential::new([3, 1])
        .add(Flatten::default())
        .add(Dense::new(4).activation(Activation::leaky_relu(0.1)).use_bias(false))
        .add(Reshape::new([2, 2]))
        .add(Dense::new(1))
        .add(Flatten::default())
        .add(Dense::new(1))
        .compile(
            RmsProp::new(ExponentialDecay::new(0.01, 7, 0.9)).weight_decay(1e-3),
            MeanSquaredError::default(),
        )
        .unwrap();
    let x = x.into_shape_with_order([60, 3, 1]).unwrap();
    model.fit_with(&x, &y.mapv(|label| label as f32), FitOptions::new()).unwrap();
    model
}

/// The trained classifier's weights, as a file.
pub(crate) fn weights() -> Vec<u8> {
    let mut bytes = Vec::new();
    trained().save_weights_to(&mut bytes).unwrap();
    bytes
}

/// A k-means of three clusters, fitted.
pub(crate) fn kmeans() -> KMeans<f32> {
    let mut kmeans = KMeans::new(3).seed(1);
    kmeans.fit(&samples().0).unwrap();
    kmeans
}

/// A mini-batch k-means after a fit and a further piece of data.
pub(crate) fn mini_batch() -> MiniBatchKMeans<f32> {
    let x = samples().0;
    let mut kmeans = MiniBatchKMeans::new(3).batch_size(16).max_no_improvement(None).tol(1e-3).seed(2);
    kmeans.fit(&x).unwrap();
    kmeans.partial_fit(&x).unwrap();
    kmeans
}

/// A bisecting k-means of five clusters, fitted.
pub(crate) fn bisecting() -> BisectingKMeans<f32> {
    let mut kmeans = BisectingKMeans::new(5)
        .strategy(BisectingStrategy::LargestCluster)
        .init(KMeansInit::PlusPlus)
        .seed(3);
    kmeans.fit(&samples().0).unwrap();
    kmeans
}

/// A checkpoint of the classifier's training, as a file.
pub(crate) fn checkpoint() -> Vec<u8> {
    #[derive(Default)]
    struct Keep(Vec<u8>);
    impl Callback<f32> for Keep {
        fn on_epoch_end(&mut self, run: &mut Run<'_, f32>) -> Result<()> {
            run.request_checkpoint();
            Ok(())
        }
        fn on_checkpoint(&mut self, checkpoint: &Checkpoint<f32>) -> Result<()> {
            self.0 = checkpoint.to_bytes()?;
            Ok(())
        }
    }
    let (x, y) = samples();
    let mut keep = Keep::default();
    let options = FitOptions::new().epochs(2).batch_size(16).callback(&mut keep);
    classifier().fit_with(&x, &y, options).unwrap();
    keep.0
}

/// A directory of a test's own.
pub(crate) fn directory(name: &str) -> std::path::PathBuf {
    let directory = temporary_path(name);
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// Convolutions, normalizations and a pooling, with moving statistics, moving averages and accumulated gradients.
pub(crate) fn convolutional() -> Model<f32> {
    let x = Array2::from_shape_fn((12, 72), |(i, j)| ((i * 7 + j * 5) % 19) as f32 / 9.5 - 1.0);
    let y: Array1<usize> = (0..12).map(|i| i % 3).collect();
    let mut model = Sequential::new([6, 6, 2])
        .add(Conv2D::new(4, 3).activation(Activation::Relu))
        .add(BatchNormalization::default())
        .add(MaxPooling2D::new(2))
        .add(Flatten::default())
        .add(LayerNormalization::default())
        .add(Dense::new(3).activation(Activation::Softmax))
        .compile(Adam::new(0.01).ema(0.9).accumulate(2), SparseCategoricalCrossentropy::default())
        .unwrap();
    let x = x.into_shape_with_order([12, 6, 6, 2]).unwrap();
    model.fit_with(&x, &y, FitOptions::new().batch_size(4).epochs(1)).unwrap();
    model
}

/// A recurrent layer in both directions over sequences, after one epoch.
pub(crate) fn recurrent() -> Model<f32> {
    let x = Array2::from_shape_fn((12, 15), |(i, j)| ((i * 7 + j * 5) % 19) as f32 / 9.5 - 1.0);
    let y: Array1<usize> = (0..12).map(|i| i % 2).collect();
    let mut model = Sequential::new([5, 3])
        .add(Bidirectional::new(Lstm::new(3).return_sequences(true)))
        .add(Gru::new(4))
        .add(Dense::new(2).activation(Activation::Softmax))
        .compile(Sgd::new(0.1).momentum(0.9), SparseCategoricalCrossentropy::default())
        .unwrap();
    let x = x.into_shape_with_order([12, 5, 3]).unwrap();
    model.fit_with(&x, &y, FitOptions::new().batch_size(4).epochs(1)).unwrap();
    model
}

/// A column transformer before a classifying network.
pub(crate) type TablePipeline =
    Pipeline<ColumnTransformer<f32>, Pipeline<StandardScaler, Classifier<Model<f32>>>>;

/// The pipeline of a table, fitted.
pub(crate) fn table_pipeline() -> TablePipeline {
    let (x, y) = samples();
    let network = Sequential::new(12)
        .add(Dense::new(4).activation(Activation::Tanh))
        .add(Dense::new(2).activation(Activation::Softmax))
        .compile(Adam::new(0.05), SparseCategoricalCrossentropy::default())
        .unwrap();
    let columns = ColumnTransformer::new()
        .step(Pipeline::new(SimpleImputer::new(), PolynomialFeatures::new(2)), [0, 1])
        .step(KMeans::new(3).seed(4), [1, 2])
        .step(
            Pipeline::new(MinMaxScaler::new(), Pipeline::new(RobustScaler::new(), MaxAbsScaler::new())),
            [2],
        )
        .step(Normalizer::new(), [0, 1]);
    let mut pipeline = Pipeline::new(columns, Pipeline::new(StandardScaler::new(), Classifier::new(network)));
    pipeline.fit(&x, &y).unwrap();
    pipeline
}

/// What is in the pipeline's tables.
pub(crate) fn kinds() -> Array2<f32> {
    Array2::from_shape_fn((20, 2), |(i, j)| ((i * 3 + j) % (3 + j)) as f32)
}
