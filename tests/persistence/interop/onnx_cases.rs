//! Networks with each kind of layer in several configurations and shapes, with exact weights.

use axonal::custom::Shape;
use axonal::layers::{
    ActivationLayer, ActivityRegularization, AlphaDropout, AveragePooling1D, AveragePooling2D,
    Conv2DTranspose, Cropping1D, Cropping2D, DepthwiseConv2D, Elu, GaussianDropout, GaussianNoise,
    GlobalMaxPooling1D, GlobalMaxPooling2D, GroupNormalization, GroupQueryAttention, Interpolation,
    LeakyRelu, Masking, MaxPooling1D, MergeMode, MultiHeadAttention, Normalization, PRelu, Permute,
    PositionEmbedding, Relu, RepeatVector, RmsNormalization, SeparableConv2D, SimpleRnn, Softmax,
    SpatialDropout1D, SpatialDropout2D, TimeDistributed, UnitNormalization, UpSampling1D, UpSampling2D,
    ZeroPadding1D, ZeroPadding2D,
};
use axonal::ndarray::{Array2, ArrayD};
use axonal::prelude::*;

/// A network and the values that it takes.
pub struct Case {
    pub name: String,
    pub model: Model<f32>,
    pub inputs: Inputs,
    /// Factor of weights and numbers: 1 where they are to be exact in f32.
    pub scale: f32,
}

/// Values of the samples.
#[derive(Clone, Copy)]
pub enum Inputs {
    /// Numbers of both signs.
    Real,
    /// Indices below this, 0 among them.
    Indices(usize),
    /// Numbers, with steps of this many features all zero.
    Padded(usize),
}

impl Case {
    /// The samples of a batch, flattened; they depend on `seed`.
    pub fn samples(&self, batch: usize, seed: usize) -> Array2<f32> {
        let width = self.model.input_shape().size();
        Array2::from_shape_fn((batch, width), |(row, column)| {
            self.inputs.value(row, column, seed, self.scale)
        })
    }
}

impl Inputs {
    /// An element of a sample.
    pub fn value(&self, row: usize, column: usize, seed: usize, scale: f32) -> f32 {
        let value = (row * 31 + column * 17 + seed * 13 + row * column * 7) % 97;
        match *self {
            Self::Indices(n) => (value % n) as f32,
            Self::Padded(features) if (row * 5 + column / features * 3 + seed).is_multiple_of(4) => 0.0,
            Self::Real | Self::Padded(_) => (value as f32 / 32.0 - 1.5) * scale,
        }
    }
}

/// Sets all weights to values between −½ and ½, variances positive; with a scale of 1, exact in f32 on any machine.
pub fn set_weights(model: &mut Model<f32>, scale: f32) {
    let weights = model.weights();
    for (array, weight) in weights.iter().enumerate() {
        let mut value = ArrayD::zeros(weight.value.raw_dim());
        for (index, value) in value.iter_mut().enumerate() {
            let step = (index * 37 + array * 11 + index * index * 5) % 64;
            let positive = weight.name.ends_with("variance") || weight.name.ends_with("gamma");
            *value = scale * if positive { (step + 32) as f32 / 64.0 } else { step as f32 / 64.0 - 0.5 };
        }
        model.set_weight(&weight.name, &value).unwrap();
    }
}

pub fn compiled(layers: Sequential<f32>, scale: f32) -> Model<f32> {
    let mut model = layers.compile(Sgd::new(0.1), MeanSquaredError::default()).unwrap();
    set_weights(&mut model, scale);
    model
}

/// Collects cases.
struct Cases {
    all: Vec<Case>,
    scale: f32,
}

impl Cases {
    fn network(&mut self, name: &str, inputs: Inputs, layers: Sequential<f32>) {
        let (model, scale) = (compiled(layers, self.scale), self.scale);
        self.all.push(Case { name: name.to_owned(), model, inputs, scale });
    }

    /// One layer for each of the sample shapes.
    fn layer<const R: usize, L: Layer<f32> + Clone + 'static>(
        &mut self,
        name: &str,
        shapes: &[[usize; R]],
        layer: L,
    ) {
        for shape in shapes {
            let layers = Sequential::new(Shape::from(&shape[..])).add(layer.clone());
            self.network(&format!("{name} {shape:?}"), Inputs::Real, layers);
        }
    }
}

/// Sequences, images: several sample shapes each.
const ROWS: &[[usize; 1]] = &[[4], [7]];
const SEQUENCES: &[[usize; 2]] = &[[5, 4], [3, 2]];
const IMAGES: &[[usize; 3]] = &[[5, 6, 4], [4, 3, 2]];

pub fn all(scale: f32) -> Vec<Case> {
    let mut cases = Cases { all: Vec::new(), scale };
    activations(&mut cases);
    core(&mut cases);
    normalizations(&mut cases);
    convolutions(&mut cases);
    pooling(&mut cases);
    reshaping(&mut cases);
    recurrent(&mut cases);
    attention(&mut cases);
    masks(&mut cases);
    wrappers(&mut cases);
    cases.all
}

fn activations(cases: &mut Cases) {
    let named = [
        "linear",
        "relu",
        "relu6",
        "leaky_relu",
        "elu",
        "selu",
        "celu",
        "gelu",
        "gelu_tanh",
        "sigmoid",
        "hard_sigmoid",
        "log_sigmoid",
        "sparse_sigmoid",
        "softmax",
        "log_softmax",
        "sparsemax",
        "tanh",
        "hard_tanh",
        "tanh_shrink",
        "soft_shrink",
        "hard_shrink",
        "softplus",
        "softsign",
        "silu",
        "hard_silu",
        "mish",
        "exponential",
        "squareplus",
        "sparse_plus",
    ];
    let named = named.map(|name| (name.to_owned(), name.parse::<Activation>().unwrap()));
    let with_parameters = [
        Activation::relu(0.25, 1.0, 0.5),
        Activation::relu(0.0, None, 0.25),
        Activation::leaky_relu(0.125),
        Activation::elu(0.5),
        Activation::celu(0.5),
        Activation::soft_shrink(0.25),
        Activation::hard_shrink(0.75),
        Activation::squareplus(1.0),
    ];
    let with_parameters = with_parameters.map(|activation| (activation.to_string(), activation));
    for (name, activation) in named.into_iter().chain(with_parameters) {
        cases.layer(&format!("activation {name}"), ROWS, ActivationLayer::new(activation));
        cases.layer(&format!("dense {name}"), &[[5, 4]], Dense::new(3).activation(activation));
    }
    cases.layer("re_lu", ROWS, Relu::new().max_value(1.0).negative_slope(0.5));
    cases.layer("leaky_re_lu", SEQUENCES, LeakyRelu::default());
    cases.layer("elu", IMAGES, Elu::new(0.5));
    cases.layer("p_re_lu", ROWS, PRelu::new());
    cases.layer("p_re_lu shared", IMAGES, PRelu::new().shared_axes([1, 2]));
    cases.layer("softmax", SEQUENCES, Softmax::new());
    cases.layer("softmax axis 1", SEQUENCES, Softmax::new().axis(1));
    cases.layer("softmax axes 1 and -1", IMAGES, Softmax::new().axis([1, -1]));
}

fn core(cases: &mut Cases) {
    cases.layer("dense", ROWS, Dense::new(3));
    cases.layer("dense", SEQUENCES, Dense::new(3));
    cases.layer("dense", IMAGES, Dense::new(3).use_bias(false));
    cases.layer("dense without bias", ROWS, Dense::new(2).use_bias(false));
    for shape in [vec![4], vec![2, 3]] {
        let embedding = Sequential::new(Shape::from(&shape[..])).add(Embedding::new(6, 3));
        cases.network(&format!("embedding {shape:?}"), Inputs::Indices(6), embedding);
    }
    let masking = Sequential::new([5, 3]).add(Masking::default());
    cases.network("masking", Inputs::Padded(3), masking);
    cases.layer("dropout", ROWS, Dropout::new(0.5));
    cases.layer("spatial_dropout1d", SEQUENCES, SpatialDropout1D::new(0.5));
    cases.layer("spatial_dropout2d", IMAGES, SpatialDropout2D::new(0.5));
    cases.layer("alpha_dropout", ROWS, AlphaDropout::new(0.5));
    cases.layer("gaussian_dropout", ROWS, GaussianDropout::new(0.5));
    cases.layer("gaussian_noise", ROWS, GaussianNoise::new(0.5));
    cases.layer("activity_regularization", ROWS, ActivityRegularization::new(0.0, 0.5));
}

fn normalizations(cases: &mut Cases) {
    cases.layer("batch_normalization", ROWS, BatchNormalization::new());
    cases.layer("batch_normalization", IMAGES, BatchNormalization::new().scale(false));
    cases.layer("batch_normalization axis 1", IMAGES, BatchNormalization::new().axis(1).center(false));
    cases.layer("layer_normalization", ROWS, LayerNormalization::new());
    cases.layer("layer_normalization", SEQUENCES, LayerNormalization::new().center(false));
    cases.layer("layer_normalization axes 3 and 1", IMAGES, LayerNormalization::new().axis([3, 1]));
    cases.layer("rms_normalization", ROWS, RmsNormalization::new());
    cases.layer("rms_normalization axis -2", SEQUENCES, RmsNormalization::new().axis([-2]));
    cases.layer("group_normalization", IMAGES, GroupNormalization::new(2));
    cases.layer("group_normalization", &[[4], [6]], GroupNormalization::new(2));
    cases.layer("group_normalization each channel", SEQUENCES, GroupNormalization::each_channel());
    cases.layer("group_normalization axis 1", &[[4, 3, 2], [2, 5, 3]], GroupNormalization::new(2).axis(1));
    cases.layer("unit_normalization", ROWS, UnitNormalization::new());
    cases.layer("unit_normalization axes 1 and 3", IMAGES, UnitNormalization::new().axis([1, 3]));
    let learned = Normalization::new([0.5, -1.0, 2.0, 0.0], [4.0, 0.25, 1.0, 0.0]);
    cases.layer("normalization", &[[3, 4]], learned.clone());
    cases.layer("normalization inverted", &[[4]], learned.clone().invert(true));
    cases.layer("normalization axis 1", &[[4, 3]], learned.axis(1));
    cases.layer("normalization of all", &[[4, 3]], Normalization::new([0.5], [4.0]).axis(None));
    cases.layer("rescaling", IMAGES, Rescaling::new(0.5).offset(-1.0));
}

fn convolutions(cases: &mut Cases) {
    for padding in [Padding::Valid, Padding::Same, Padding::Causal] {
        let name = format!("conv1d {padding:?}");
        cases.layer(&name, &[[7, 4], [6, 2]], Conv1D::new(4, 3).padding(padding).strides(2));
        cases.layer(
            &format!("{name} dilated"),
            &[[7, 4]],
            Conv1D::new(4, 2).padding(padding).dilation_rate(2),
        );
    }
    cases.layer("conv1d groups", SEQUENCES, Conv1D::new(4, 2).groups(2));
    for padding in [Padding::Valid, Padding::Same] {
        let name = format!("{padding:?}");
        let images = &[[6, 7, 2], [5, 5, 4]];
        cases.layer(
            &format!("conv2d {name}"),
            images,
            Conv2D::new(3, [3, 2]).padding(padding).strides([1, 2]),
        );
        let dilated = Conv2D::new(4, 2).padding(padding).dilation_rate([2, 1]).groups(2).use_bias(false);
        cases.layer(&format!("conv2d {name} dilated in groups"), images, dilated);
        let transposed = Conv2DTranspose::new(3, [3, 2]).padding(padding);
        cases.layer(&format!("conv2d_transpose {name}"), IMAGES, transposed.clone());
        cases.layer(&format!("conv2d_transpose {name} strides"), IMAGES, transposed.clone().strides([2, 3]));
        let padded = transposed.clone().strides([2, 3]).output_padding([1, 2]);
        cases.layer(&format!("conv2d_transpose {name} output padding"), IMAGES, padded);
        let wide = Conv2DTranspose::new(2, [2, 4]).padding(padding).strides([3, 2]).use_bias(false);
        cases.layer(&format!("conv2d_transpose {name} wide strides"), IMAGES, wide);
        let depthwise = DepthwiseConv2D::new([2, 3]).padding(padding).depth_multiplier(2);
        cases.layer(&format!("depthwise_conv2d {name}"), IMAGES, depthwise.strides([2, 2]));
        let separable = SeparableConv2D::new(3, [2, 3]).padding(padding).depth_multiplier(2);
        cases.layer(&format!("separable_conv2d {name}"), IMAGES, separable.activation(Activation::Relu));
    }
    cases.layer("conv2d_transpose dilated", IMAGES, Conv2DTranspose::new(2, 2).dilation_rate([2, 2]));
    cases.layer("conv2d 1 by 1", IMAGES, Conv2D::new(3, 1).activation(Activation::Tanh));
}

fn pooling(cases: &mut Cases) {
    for padding in [Padding::Valid, Padding::Same] {
        let (sequences, images) = (&[[7, 3], [5, 2]], &[[7, 5, 3], [4, 6, 2]]);
        cases.layer(
            &format!("max_pooling1d {padding:?}"),
            sequences,
            MaxPooling1D::new(3).padding(padding).strides(2),
        );
        cases.layer(
            &format!("average_pooling1d {padding:?}"),
            sequences,
            AveragePooling1D::new(2).padding(padding),
        );
        cases.layer(
            &format!("max_pooling2d {padding:?}"),
            images,
            MaxPooling2D::new([2, 3]).padding(padding),
        );
        let average = AveragePooling2D::new(3).padding(padding).strides([1, 2]);
        cases.layer(&format!("average_pooling2d {padding:?}"), images, average);
    }
    cases.layer("global_max_pooling1d", SEQUENCES, GlobalMaxPooling1D::default());
    cases.layer("global_max_pooling2d", IMAGES, GlobalMaxPooling2D::default().keepdims(true));
    cases.layer("global_average_pooling1d", SEQUENCES, GlobalAveragePooling1D::default().keepdims(true));
    cases.layer("global_average_pooling2d", IMAGES, GlobalAveragePooling2D::default());
}

fn reshaping(cases: &mut Cases) {
    cases.layer("flatten", IMAGES, axonal::layers::Flatten::default());
    cases.layer("reshape", &[[4, 6], [6, 4]], axonal::layers::Reshape::new([3, 8]));
    cases.layer("permute", IMAGES, Permute::new([3, 1, 2]));
    cases.layer("repeat_vector", ROWS, RepeatVector::new(3));
    cases.layer("zero_padding1d", SEQUENCES, ZeroPadding1D::edges(1, 2));
    cases.layer("zero_padding2d", IMAGES, ZeroPadding2D::edges([1, 2], [0, 1]));
    cases.layer("cropping1d", SEQUENCES, Cropping1D::edges(1, 0));
    cases.layer("cropping2d", IMAGES, Cropping2D::edges([1, 0], [0, 2]));
    cases.layer("up_sampling1d", SEQUENCES, UpSampling1D::new(3));
    cases.layer("up_sampling2d", IMAGES, UpSampling2D::new([2, 3]));
    cases.layer(
        "up_sampling2d bilinear",
        IMAGES,
        UpSampling2D::new([2, 3]).interpolation(Interpolation::Bilinear),
    );
}

fn recurrent(cases: &mut Cases) {
    for sequences in [false, true] {
        let name = |kind: &str| format!("{kind}{}", if sequences { " sequences" } else { "" });
        cases.layer(&name("simple_rnn"), SEQUENCES, SimpleRnn::new(3).return_sequences(sequences));
        cases.layer(&name("lstm"), SEQUENCES, Lstm::new(3).return_sequences(sequences));
        cases.layer(&name("gru"), SEQUENCES, Gru::new(3).return_sequences(sequences));
        let before = Gru::new(3).reset_after(false).return_sequences(sequences);
        cases.layer(&name("gru reset before"), SEQUENCES, before.clone());
        cases.layer(
            &name("gru backwards"),
            SEQUENCES,
            Gru::new(3).go_backwards(true).return_sequences(sequences),
        );
        // Activations that ONNX's operators do not have.
        let (inner, outer) = (Activation::HardSigmoid, Activation::Gelu);
        cases.layer(
            &name("simple_rnn gelu"),
            SEQUENCES,
            SimpleRnn::new(3).activation(outer).return_sequences(sequences),
        );
        let lstm = Lstm::new(3).activation(outer).recurrent_activation(inner).return_sequences(sequences);
        cases.layer(&name("lstm gelu"), SEQUENCES, lstm.go_backwards(true));
        let gru = Gru::new(3).activation(outer).recurrent_activation(inner).return_sequences(sequences);
        cases.layer(&name("gru gelu"), SEQUENCES, gru);
        cases.layer(&name("gru reset before gelu"), SEQUENCES, before.activation(outer));
    }
    cases.layer("lstm without bias", SEQUENCES, Lstm::new(2).use_bias(false).activation(Activation::Relu));
    cases.layer("gru without bias", SEQUENCES, Gru::new(2).use_bias(false).activation(Activation::Softsign));
}

fn attention(cases: &mut Cases) {
    cases.layer("multi_head_attention", SEQUENCES, MultiHeadAttention::new(2, 3));
    cases.layer(
        "multi_head_attention causal",
        SEQUENCES,
        MultiHeadAttention::new(2, 3).causal(true).dropout(0.5),
    );
    cases.layer("group_query_attention", SEQUENCES, GroupQueryAttention::new(3, 4, 2).use_bias(false));
    cases.layer("position_embedding", SEQUENCES, PositionEmbedding::new(7));
    cases.layer("position_embedding sinusoidal", SEQUENCES, PositionEmbedding::sinusoidal());
}

fn masks(cases: &mut Cases) {
    let words = || Sequential::<f32>::new(6).add(Embedding::new(4, 3).mask_zero(true));
    let steps = || Sequential::<f32>::new([6, 3]).add(Masking::default());
    let with = |cases: &mut Cases, name: &str, layer: fn(Sequential<f32>) -> Sequential<f32>| {
        cases.network(&format!("embedding mask, {name}"), Inputs::Indices(4), layer(words()));
        cases.network(&format!("masking, {name}"), Inputs::Padded(3), layer(steps()));
    };
    with(cases, "simple_rnn", |layers| layers.add(SimpleRnn::new(3)));
    with(cases, "lstm", |layers| layers.add(Lstm::new(3)));
    with(cases, "lstm sequences", |layers| layers.add(Lstm::new(3).return_sequences(true)));
    with(cases, "lstm zero output", |layers| layers.add(Lstm::new(3).zero_output_for_mask(true)));
    with(cases, "gru zero output sequences", |layers| {
        layers.add(Gru::new(3).zero_output_for_mask(true).return_sequences(true))
    });
    with(cases, "gru backwards", |layers| layers.add(Gru::new(3).go_backwards(true).return_sequences(true)));
    with(cases, "gru reset before", |layers| layers.add(Gru::new(3).reset_after(false)));
    with(cases, "two layers", |layers| {
        layers
            .add(Dense::new(4))
            .add(Gru::new(3).return_sequences(true))
            .add(Dropout::new(0.5))
            .add(Lstm::new(2))
    });
    with(cases, "global_average_pooling1d", |layers| layers.add(GlobalAveragePooling1D::default()));
    with(cases, "softmax axis 1", |layers| layers.add(Softmax::new().axis(1)));
    with(cases, "multi_head_attention", |layers| {
        layers.add(MultiHeadAttention::new(2, 3)).add(GlobalAveragePooling1D::default())
    });
    with(cases, "group_query_attention causal", |layers| {
        layers.add(GroupQueryAttention::new(2, 4, 2).causal(true))
    });
    with(cases, "bidirectional", |layers| layers.add(Bidirectional::new(Lstm::new(2))));
    with(cases, "bidirectional sequences", |layers| {
        layers.add(Bidirectional::new(Gru::new(2).return_sequences(true)).merge_mode(MergeMode::Sum))
    });
    with(cases, "bidirectional backwards", |layers| {
        layers.add(Bidirectional::new(Lstm::new(2).go_backwards(true).return_sequences(true)))
    });
    with(cases, "residual", |layers| {
        layers.add(Residual::new().add(Gru::new(3).return_sequences(true)).add(Dense::new(3)))
    });
    with(cases, "residual with projection", |layers| {
        layers.add(Residual::new().add(Lstm::new(2)).projection(Gru::new(2)))
    });
    let documents = Sequential::<f32>::new([3, 4])
        .add(Embedding::new(3, 2).mask_zero(true))
        .add(TimeDistributed::new(Lstm::new(3)))
        .add(Gru::new(2));
    cases.network("words of sentences", Inputs::Indices(3), documents);
}

fn wrappers(cases: &mut Cases) {
    for merge_mode in [MergeMode::Concat, MergeMode::Sum, MergeMode::Mul, MergeMode::Ave] {
        let both = Bidirectional::new(Lstm::new(2).return_sequences(true)).merge_mode(merge_mode);
        cases.layer(&format!("bidirectional {merge_mode:?}"), SEQUENCES, both);
    }
    cases.layer("bidirectional last step", SEQUENCES, Bidirectional::new(SimpleRnn::new(2)));
    let two = Bidirectional::new(Lstm::new(2).return_sequences(true))
        .backward_layer(Gru::new(3).return_sequences(true).go_backwards(true));
    cases.layer("bidirectional with two layers", SEQUENCES, two);
    let residual = Residual::new().add(Dense::new(4).activation(Activation::Gelu)).add(Dropout::new(0.5));
    cases.layer("residual", &[[4]], residual.clone());
    cases.layer("residual", &[[3, 4]], residual.add(LayerNormalization::new()));
    let projected = Residual::new().add(Dense::new(5).activation(Activation::Tanh)).add(Dense::new(3));
    let projected = projected.projection(Dense::new(3).activation(Activation::Relu));
    cases.layer("residual with projection", &[[4]], projected.clone());
    cases.layer("residual with projection", &[[3, 4]], projected);
    let conv = |size: usize| Conv2D::new(3, size).strides(2).padding(Padding::Same);
    cases.layer(
        "residual with projection, strides",
        &[[4, 5, 2]],
        Residual::new().add(conv(3).activation(Activation::Relu)).projection(conv(1)),
    );
    let nested = Residual::new().add(Residual::new().add(Conv2D::new(2, 3).padding(Padding::Same)));
    cases.layer("residual in residual", &[[4, 3, 2]], nested.add(BatchNormalization::new()));
    cases.layer(
        "time_distributed",
        IMAGES,
        TimeDistributed::new(Dense::new(2).activation(Activation::Softmax)),
    );
    cases.layer("time_distributed lstm", IMAGES, TimeDistributed::new(Lstm::new(2)));
    cases.layer("time_distributed", &[[2, 5, 4, 3]], TimeDistributed::new(Conv2D::new(2, 2)));
    let inside = Residual::new().add(BatchNormalization::new());
    cases.layer("time_distributed residual", SEQUENCES, TimeDistributed::new(inside));
}
