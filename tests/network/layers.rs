//! Every layer holds the contract, over several shapes, strides and paddings.

use axonal::custom::{Forward, Mode, Shape};
use axonal::layers::{
    ActivationLayer, ActivityRegularization, AlphaDropout, AveragePooling1D, AveragePooling2D,
    Conv2DTranspose, Cropping1D, Cropping2D, DepthwiseConv2D, Elu, GaussianDropout, GaussianNoise,
    GlobalMaxPooling1D, GlobalMaxPooling2D, GroupNormalization, Interpolation, LeakyRelu, MaxPooling1D,
    MergeMode, Normalization, PRelu, Permute, Relu, RepeatVector, RmsNormalization, SeparableConv2D,
    SimpleRnn, Softmax, SpatialDropout1D, SpatialDropout2D, TimeDistributed, UnitNormalization, UpSampling1D,
    UpSampling2D, ZeroPadding1D, ZeroPadding2D,
};
use axonal::ndarray::{Array2, Array3};
use axonal::prelude::*;
use axonal::testing::{Check, check_layer, check_layer_with};

fn holds(layer: &(impl Layer<f64> + ?Sized), shape: impl Into<Shape>) {
    let shape = shape.into();
    if let Err(failure) = check_layer(layer, &shape) {
        panic!("{layer:?} on {shape}: {failure}");
    }
}

#[test]
fn activation_layers_hold_the_contract() {
    for shape in [Shape::from(6), [3, 4].into(), [2, 3, 2].into()] {
        holds(&Relu::default(), &shape);
        holds(&Relu::default().negative_slope(0.1).max_value(1.0).threshold(0.2), &shape);
        holds(&LeakyRelu::default(), &shape);
        holds(&Elu::new(0.7), &shape);
        holds(&PRelu::default(), &shape);
        holds(&PRelu::default().shared_axes([1]), &shape);
        holds(&Softmax::default(), &shape);
        holds(&Softmax::default().axis(1), &shape);
        holds(&ActivationLayer::new(Activation::Silu), &shape);
    }
    holds(&PRelu::default().shared_axes([1, 2]), [3, 4, 2]);
    holds(&PRelu::default().shared_axes([-1]), [3, 4, 2]);
    holds(&Softmax::default().axis(2), [2, 3, 4]);
}

#[test]
fn regularization_layers_hold_the_contract() {
    for shape in [Shape::from(6), [3, 4].into()] {
        holds(&Dropout::new(0.4), &shape);
        holds(&GaussianNoise::new(0.5), &shape);
        holds(&GaussianDropout::new(0.5), &shape);
        holds(&AlphaDropout::new(0.4), &shape);
        holds(&ActivityRegularization::new(0.1, 0.2), &shape);
    }
    holds(&Dropout::new(0.4).noise_shape([1, 4]), [3, 4]);
    holds(&Dropout::new(0.4).noise_shape([3, 1, 2]), [3, 4, 2]);
    holds(&AlphaDropout::new(0.4).noise_shape([3, 1]), [3, 4]);
    holds(&SpatialDropout1D::new(0.5), [5, 3]);
    holds(&SpatialDropout2D::new(0.5), [3, 4, 3]);
}

#[test]
fn reshaping_layers_hold_the_contract() {
    holds(&Flatten::default(), [3, 4]);
    holds(&Reshape::new([2, 6]), [3, 4]);
    holds(&Permute::new([2, 1]), [3, 4]);
    holds(&Permute::new([3, 1, 2]), [3, 4, 2]);
    holds(&RepeatVector::new(3), 4);
    holds(&ZeroPadding1D::new(2), [3, 4]);
    holds(&ZeroPadding1D::edges(0, 3), [3, 4]);
    holds(&ZeroPadding2D::new(1), [3, 4, 2]);
    holds(&ZeroPadding2D::edges([0, 2], [1, 3]), [3, 4, 2]);
    holds(&Cropping1D::new(1), [4, 3]);
    holds(&Cropping2D::edges([1, 0], [0, 2]), [3, 4, 2]);
    holds(&UpSampling1D::new(3), [4, 2]);
    holds(&UpSampling2D::new([2, 3]), [3, 2, 2]);
    holds(&UpSampling2D::new([2, 3]).interpolation(Interpolation::Bilinear), [3, 2, 2]);
    holds(&UpSampling2D::new([3, 1]).interpolation(Interpolation::Bilinear), [1, 4, 1]);
}

#[test]
fn normalization_layers_hold_the_contract() {
    for shape in [Shape::from(6), [3, 4].into(), [2, 3, 4].into()] {
        holds(&BatchNormalization::default(), &shape);
        holds(&BatchNormalization::default().axis(1).momentum(0.5), &shape);
        holds(&BatchNormalization::default().scale(false), &shape);
        holds(&BatchNormalization::default().center(false), &shape);
        holds(&LayerNormalization::default(), &shape);
        holds(&LayerNormalization::default().scale(false).center(false), &shape);
        holds(&RmsNormalization::default(), &shape);
        holds(&GroupNormalization::new(2), &shape);
        holds(&GroupNormalization::new(1).center(false), &shape);
        holds(&UnitNormalization::default(), &shape);
        holds(&Rescaling::new(0.3).offset(1.0), &shape);
        holds(&Normalization::new([0.5], [4.0]).axis(None), &shape);
    }
    holds(&LayerNormalization::default().axis([-2, -1]), [2, 3, 4]);
    holds(&RmsNormalization::default().axis([-2, -1]), [2, 3, 4]);
    holds(&RmsNormalization::default().axis([1, 2, 3]), [2, 3, 2]);
    holds(&LayerNormalization::default(), 37);
    for axis in [vec![1], vec![2], vec![1, 2], vec![1, 3], vec![3, 1, 2]] {
        holds(&LayerNormalization::default().axis(axis.clone()), [2, 3, 4]);
        holds(&RmsNormalization::default().axis(axis.clone()), [2, 3, 4]);
        holds(&UnitNormalization::default().axis(axis), [2, 3, 4]);
    }
    for axis in [1, 2, 3] {
        holds(&GroupNormalization::new(2).axis(axis), [2, 4, 6]);
        holds(&GroupNormalization::each_channel().axis(axis), [2, 4, 6]);
    }
    holds(&Normalization::new([0.5, 1.0, 2.0], [4.0, 0.3, 0.0]), [2, 3]);
    holds(&Normalization::new([0.5, 1.0], [4.0, 0.3]).axis(1).invert(true), [2, 3]);
}

#[test]
fn convolutions_hold_the_contract_at_any_stride_padding_dilation_and_group() {
    for padding in [Padding::Valid, Padding::Same, Padding::Causal] {
        for (kernel, stride, dilation, groups) in
            [(1, 1, 1, 1), (3, 1, 1, 1), (3, 2, 1, 2), (2, 3, 1, 1), (3, 1, 2, 2), (2, 2, 3, 1), (1, 2, 1, 1)]
        {
            let layer = Conv1D::new(4, kernel)
                .strides(stride)
                .dilation_rate(dilation)
                .groups(groups)
                .padding(padding);
            holds(&layer, [7, 2]);
            holds(&layer.activation(Activation::Tanh).use_bias(false), [6, 4]);
        }
    }
    for padding in [Padding::Valid, Padding::Same] {
        for (kernel, stride, dilation, groups) in [
            ([1, 1], [1, 1], [1, 1], 1),
            ([1, 1], [1, 1], [1, 1], 2),
            ([3, 3], [1, 1], [1, 1], 1),
            ([2, 3], [2, 1], [1, 1], 2),
            ([3, 2], [1, 3], [1, 2], 1),
            ([3, 1], [2, 2], [2, 1], 2),
        ] {
            let layer = Conv2D::new(4, kernel)
                .strides(stride)
                .dilation_rate(dilation)
                .groups(groups)
                .padding(padding);
            holds(&layer, [6, 5, 2]);
            holds(&layer.use_bias(false).activation(Activation::Relu), [5, 7, 4]);
            let depthwise = DepthwiseConv2D::new(kernel)
                .strides(stride)
                .dilation_rate(dilation)
                .padding(padding)
                .depth_multiplier(groups);
            holds(&depthwise, [6, 5, 3]);
            let separable = SeparableConv2D::new(3, kernel)
                .strides(stride)
                .dilation_rate(dilation)
                .padding(padding)
                .depth_multiplier(groups);
            holds(&separable, [6, 5, 3]);
            holds(&separable.use_bias(false), [5, 5, 2]);
            let transposed =
                Conv2DTranspose::new(3, kernel).strides(stride).dilation_rate(dilation).padding(padding);
            holds(&transposed, [3, 4, 2]);
            holds(&transposed.use_bias(false), [2, 2, 3]);
        }
    }
}

/// Sizes of which output and input gradient are computed with fewer multiplications.
#[test]
fn convolutions_of_many_channels_hold_the_contract() {
    holds(&Conv2D::new(17, 3).padding(Padding::Same), [8, 9, 16]);
    holds(&Conv2D::new(16, 3).use_bias(false).activation(Activation::Tanh), [11, 10, 18]);
}

#[test]
fn pooling_layers_hold_the_contract_at_any_stride_and_padding() {
    for padding in [Padding::Valid, Padding::Same] {
        for (size, stride) in [(1, 1), (2, 2), (3, 1), (2, 3), (3, 2)] {
            holds(&MaxPooling1D::new(size).strides(stride).padding(padding), [7, 3]);
            holds(&AveragePooling1D::new(size).strides(stride).padding(padding), [7, 3]);
            holds(&MaxPooling2D::new([size, 2]).strides(stride).padding(padding), [5, 6, 2]);
            holds(&AveragePooling2D::new([2, size]).strides(stride).padding(padding), [5, 6, 2]);
        }
    }
    for keepdims in [false, true] {
        holds(&GlobalMaxPooling1D::default().keepdims(keepdims), [5, 3]);
        holds(&GlobalMaxPooling2D::default().keepdims(keepdims), [3, 2, 3]);
        holds(&GlobalAveragePooling1D::default().keepdims(keepdims), [5, 3]);
        holds(&GlobalAveragePooling2D::default().keepdims(keepdims), [3, 2, 3]);
    }
}

#[test]
fn embeddings_hold_the_contract() {
    let check = Check { integers: Some(5), ..Check::default() };
    check_layer_with(&Embedding::new(5, 3), 4, check).unwrap();
    check_layer_with(&Embedding::new(5, 2), [2, 3], check).unwrap();
}

#[test]
fn recurrent_layers_hold_the_contract() {
    for (all, backwards) in [(false, false), (true, false), (false, true), (true, true)] {
        holds(&SimpleRnn::new(3).return_sequences(all).go_backwards(backwards), [4, 2]);
        holds(&Lstm::new(3).return_sequences(all).go_backwards(backwards), [4, 2]);
        holds(&Gru::new(3).return_sequences(all).go_backwards(backwards), [4, 2]);
    }
    holds(&SimpleRnn::new(2).use_bias(false).activation(Activation::Silu), [3, 2]);
    holds(&Lstm::new(2).use_bias(false).activation(Activation::Gelu).unit_forget_bias(false), [3, 2]);
    holds(&Lstm::new(2).recurrent_activation(Activation::HardSigmoid), [1, 3]);
    holds(&Gru::new(2).use_bias(false).activation(Activation::Softsign), [3, 2]);
    holds(&Gru::new(2).recurrent_activation(Activation::Softmax), [2, 3]);
    for (all, backwards, use_bias) in [(false, false, true), (true, false, false), (true, true, true)] {
        let layer = Gru::new(3).reset_after(false).return_sequences(all).go_backwards(backwards);
        holds(&layer.use_bias(use_bias).recurrent_activation(Activation::Softmax), [4, 2]);
    }
}

#[test]
fn recurrent_layers_hold_the_contract_with_dropout() {
    for (dropout, recurrent_dropout) in [(0.4, 0.0), (0.0, 0.4), (0.3, 0.5)] {
        macro_rules! dropping {
            ($layer:expr) => {
                holds(&$layer.dropout(dropout).recurrent_dropout(recurrent_dropout), [4, 3])
            };
        }
        dropping!(SimpleRnn::new(3).return_sequences(true));
        dropping!(Lstm::new(3).go_backwards(true));
        dropping!(Gru::new(3));
        dropping!(Gru::new(3).reset_after(false).return_sequences(true));
        holds(
            &Bidirectional::new(Lstm::new(2).dropout(dropout).recurrent_dropout(recurrent_dropout)),
            [3, 2],
        );
        holds(&TimeDistributed::new(Gru::new(2).recurrent_dropout(recurrent_dropout)), [2, 3, 2]);
    }
}

#[test]
fn dropout_of_a_recurrent_layer_hides_a_feature_at_every_step() {
    // h = Σ over the steps of the inputs that are left: with ones, a multiple of the steps for each feature.
    let layer = SimpleRnn::new(4)
        .activation(Activation::Linear)
        .use_bias(false)
        .kernel_initializer(Initializer::Identity { gain: 1.0 })
        .recurrent_initializer(Initializer::Identity { gain: 1.0 })
        .dropout(0.25);
    let plan = Layer::<f64>::plan(&layer, &Shape::from([6, 4])).unwrap().input([6, 4]);
    let (samples, x) = (500, Array2::<f64>::ones((500, 24)));
    let mut params = vec![0.0; 32];
    (0..4).for_each(|unit| (params[unit * 5], params[16 + unit * 5]) = (1.0, 1.0));
    let mut y = Array2::zeros((samples, 4));
    let mut cache = vec![f64::NAN; plan.cache_len(samples)];
    let mode = Mode::Train { rng: axonal::rng::RowRng::new(3, 0, 1), state: &mut [] };
    layer.forward(Forward::new(x.view(), y.view_mut(), &params, &mut cache, mode).planned(&plan));
    assert!(y.iter().all(|&h| h == 0.0 || (h - 8.0).abs() < 1e-12), "{y}");
    let share = y.iter().filter(|&&h| h == 0.0).count() as f64 / 2000.0;
    assert!((share - 0.25).abs() < 0.03, "{share}");
    layer.forward(
        Forward::new(x.view(), y.view_mut(), &params, &mut cache, Mode::Infer { state: &[] }).planned(&plan),
    );
    assert!(y.iter().all(|&h| h == 6.0), "{y}");
}

#[test]
fn rates_of_dropout_are_checked_by_their_names() {
    let says = |layer: &dyn Layer<f64>| layer.plan(&Shape::from([3, 2])).unwrap_err().to_string();
    assert!(says(&Lstm::new(2).dropout(1.0)).contains("0 <= dropout < 1"));
    assert!(says(&Gru::new(2).recurrent_dropout(-0.1)).contains("0 <= recurrent_dropout < 1"));
}

/// The layer's answer to 0, 1, 2, …, with the weights that its initializers make.
fn answer(layer: impl Layer<f64> + 'static, steps: usize, features: usize, samples: usize) -> Array2<f64> {
    let x = Array3::from_shape_fn((samples, steps, features), |(i, j, k)| {
        ((i * steps + j) * features + k) as f64
    });
    let model =
        Sequential::new([steps, features]).add(layer).compile(Adam::default(), MeanSquaredError::default());
    model.unwrap().predict(&x).unwrap()
}

/// Numbers of Keras's own tests (`rnn/{lstm,gru,simple_rnn}_test.py`).
#[test]
fn recurrent_layers_answer_as_in_keras() {
    let [kernel, recurrent, bias] = [0.01, 0.02, 0.03].map(Initializer::Constant);
    let check = |got: Array2<f64>, want: &[f64]| {
        assert_eq!(got.nrows(), want.len());
        for (row, want) in got.rows().into_iter().zip(want) {
            assert!(row.iter().all(|v| (v - want).abs() < 1e-6), "expected {want}, got {row}");
        }
    };
    macro_rules! constant {
        ($layer:expr) => {
            $layer
                .kernel_initializer(kernel.clone())
                .recurrent_initializer(recurrent.clone())
                .bias_initializer(bias.clone())
        };
    }
    let lstm = constant!(Lstm::new(3));
    check(answer(lstm.clone(), 6, 4, 3), &[0.628_868_7, 0.868_991_55, 0.946_077_3]);
    check(answer(lstm.go_backwards(true), 6, 4, 3), &[0.356_221_65, 0.747_895_24, 0.887_272_6]);
    let gru = constant!(Gru::new(3));
    check(answer(gru.clone(), 6, 4, 3), &[0.521_728_9, 0.637_165_9, 0.393_849_64]);
    check(answer(gru.go_backwards(true), 6, 4, 3), &[0.244_062_59, 0.611_516, 0.392_880_8]);
    let rnn = constant!(SimpleRnn::new(4));
    check(answer(rnn.clone(), 3, 4, 2), &[0.405_432, 0.736_053_47]);
    check(answer(rnn.go_backwards(true), 3, 4, 2), &[0.111_447_29, 0.552_888_9]);
}

/// What a layer without weights makes of one sample.
fn made<const N: usize>(layer: impl Layer<f64> + 'static, shape: [usize; N], sample: &[f64]) -> Vec<f64> {
    let model =
        Sequential::new(shape).add(layer).compile(Adam::default(), MeanSquaredError::default()).unwrap();
    let sizes: Vec<usize> = [1].into_iter().chain(shape).collect();
    let x = axonal::ndarray::ArrayD::from_shape_vec(sizes, sample.to_vec()).unwrap();
    model.predict(&x).unwrap().into_iter().collect()
}

#[track_caller]
fn close(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    assert!(got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-12), "got {got:?}, want {want:?}");
}

#[test]
fn images_are_interpolated_between_the_centers_of_their_pixels() {
    let layer = || UpSampling2D::new([1, 2]).interpolation(Interpolation::Bilinear);
    close(&made(layer(), [1, 2, 1], &[1.0, 2.0]), &[1.0, 1.25, 1.75, 2.0]);
    let layer = UpSampling2D::new(2).interpolation(Interpolation::Bilinear);
    let by_row =
        [[0.0, 0.25, 0.75, 1.0], [0.5, 0.75, 1.25, 1.5], [1.5, 1.75, 2.25, 2.5], [2.0, 2.25, 2.75, 3.0]];
    close(&made(layer, [2, 2, 1], &[0.0, 1.0, 2.0, 3.0]), &by_row.concat());
}

#[test]
fn the_mean_square_of_several_axes_is_one_number() {
    // The mean square of 1, 7, 5 and 5 is 25.
    let got = made(RmsNormalization::default().axis([-2, -1]).epsilon(1e-300), [2, 2], &[1.0, 7.0, 5.0, 5.0]);
    close(&got, &[0.2, 1.4, 1.0, 1.0]);
}

#[test]
fn layers_made_of_others_hold_the_contract() {
    for all in [false, true] {
        for merge_mode in [MergeMode::Concat, MergeMode::Sum, MergeMode::Ave, MergeMode::Mul] {
            holds(&Bidirectional::new(Lstm::new(2).return_sequences(all)).merge_mode(merge_mode), [3, 2]);
            holds(&Bidirectional::new(Gru::new(2).return_sequences(all)).merge_mode(merge_mode), [4, 1]);
        }
    }
    holds(&TimeDistributed::new(Dense::new(3).activation(Activation::Softmax)), [4, 2]);
    holds(&TimeDistributed::new(Conv2D::new(2, 2).activation(Activation::Gelu)), [3, 3, 4, 2].as_slice());
    holds(&TimeDistributed::new(Dropout::new(0.5)), [3, 4]);
    holds(&TimeDistributed::new(BatchNormalization::default()), [3, 4]);
    let coupled = Residual::new()
        .add(Dense::new(4).activation(Activation::Tanh).activity_regularizer(Regularizer::l2(0.1)))
        .add(BatchNormalization::default());
    holds(&TimeDistributed::new(coupled.clone()), [3, 4]);
    holds(&TimeDistributed::new(TimeDistributed::new(coupled)), [2, 3, 4]);
    holds(&TimeDistributed::new(Lstm::new(2)), [3, 2, 2]);
    holds(&Residual::new().add(Dense::new(5).activation(Activation::Gelu)).add(Dense::new(4)), 4);
    holds(
        &Residual::new().add(Conv2D::new(3, 3).padding(Padding::Same).activation(Activation::Relu)),
        [4, 3, 3],
    );
    let block = Residual::new().add(BatchNormalization::default()).add(Dropout::new(0.3)).add(Dense::new(3));
    holds(&Residual::new().add(block).add(LayerNormalization::default()), [2, 3]);
}

#[test]
fn residual_blocks_with_a_projection_hold_the_contract() {
    let chain = || Residual::new().add(Dense::new(5).activation(Activation::Gelu)).add(Dense::new(2));
    holds(&chain().projection(Dense::new(2).activation(Activation::Tanh)), 4);
    holds(&chain().projection(Dense::new(2).use_bias(false)), [3, 4]);
    // A shortcut that is wider than all layers of the chain inside.
    let wide = Residual::new().add(Dense::new(6)).add(BatchNormalization::default());
    holds(
        &Residual::new().add(Dense::new(3)).projection(wide.projection(Dense::new(6))).add(Dense::new(6)),
        2,
    );
    let conv = |size: usize| Conv2D::new(3, size).padding(Padding::Same);
    let block = Residual::new().add(conv(3).strides(2).activation(Activation::Relu)).add(conv(3));
    holds(&block.projection(conv(1).strides(2)), [4, 5, 2]);
    holds(&Residual::new().add(Lstm::new(3)).projection(Gru::new(3)), [4, 2]);
    holds(&Residual::new().add(Dropout::new(0.4)).projection(Dropout::new(0.3)), 3);
    holds(
        &TimeDistributed::new(Residual::new().add(Lstm::new(2)).projection(GlobalMaxPooling1D::default())),
        [3, 4, 2],
    );
}

/// A stage of a residual network, as one layer and as a graph: projection, a block with an identity shortcut.
fn stage(as_layers: bool) -> Model<f64> {
    let conv = |size: usize| Conv2D::new(4, size).padding(Padding::Same);
    let first = || conv(3).strides(2).activation(Activation::Relu);
    let shortcut = || conv(1).strides(2).use_bias(false).activation(Activation::LeakyRelu);
    let x = Input::new("x", [6, 6, 3]);
    let y = if as_layers {
        let block = Residual::new().add(first()).add(BatchNormalization::default()).add(conv(3));
        x.then(block.projection(shortcut()))
    } else {
        let chain = x.then(first()).then(BatchNormalization::default()).then(conv(3));
        Add::new().of([&chain, &x.then(shortcut())])
    };
    let y = y.then(Flatten::new()).then(Dense::new(2));
    Graph::new([&x]).output("y", &y, MeanSquaredError::new()).compile(Adam::new(0.01)).unwrap()
}

#[test]
fn a_projection_has_the_bits_of_the_graph_of_both_branches() {
    let (mut block, mut graph) = (stage(true), stage(false));
    // The name in the graph of a weight of the block.
    let in_graph = |name: &str| match name.strip_prefix("0.residual/") {
        Some(inner) => inner.replace("projection/", "3.conv2d/"),
        None => name.replace("2.dense/", "6.dense/"),
    };
    for weight in block.weights() {
        graph.set_weight(&in_graph(&weight.name), &weight.value).unwrap();
    }
    let x = axonal::ndarray::Array4::from_shape_fn((10, 6, 6, 3), |(i, j, k, c)| {
        ((i * 7 + j * 5 + k * 3 + c) % 13) as f64 / 6.0 - 1.0
    });
    let y = Array2::from_shape_fn((10, 2), |(i, j)| ((i + j) % 3) as f64);
    let options = || FitOptions::new().epochs(3).batch_size(4).shuffle(false);
    let losses =
        [&mut block, &mut graph].map(|model| model.fit_with(&x, &y, options()).unwrap().loss().to_vec());
    assert_eq!(losses[0], losses[1]);
    assert_eq!(block.predict(&x).unwrap(), graph.predict(&x).unwrap());
    let trained = graph.weights();
    assert_eq!(trained.len(), block.weights().len());
    for weight in block.weights() {
        let other = trained.iter().find(|other| other.name == in_graph(&weight.name)).unwrap();
        assert_eq!(other.value, weight.value, "{}", weight.name);
    }
    let gradient = |model: &Model<f64>| model.input_gradient(&x, |y| y.mapv(|y| y * 0.5)).unwrap().1;
    assert_eq!(gradient(&block), gradient(&graph));
    let loaded = Model::<f64>::from_bytes(&block.to_bytes().unwrap()).unwrap();
    assert_eq!(loaded.predict(&x).unwrap(), block.predict(&x).unwrap());
}

#[test]
fn a_shortcut_of_another_shape_is_refused_with_both_shapes_and_the_remedy() {
    let refused = |layer: Residual<f64>| layer.plan(&Shape::from([4, 3])).unwrap_err().to_string();
    let message = refused(Residual::new().add(Dense::new(5)));
    for word in ["residual", "(4, 3)", "(4, 5)", "add a projection"] {
        assert!(message.contains(word), "{word} in {message}");
    }
    let message = refused(Residual::new().add(Dense::new(5)).projection(Dense::new(6)));
    for word in ["residual", "(4, 6)", "(4, 5)", "units or filters"] {
        assert!(message.contains(word), "{word} in {message}");
    }
    let message = refused(Residual::new().projection(Dense::new(3)));
    assert!(message.contains("at least 1 layer"), "{message}");
    let message = refused(Residual::new().add(Dense::new(2)).projection(Dense::new(0)));
    assert!(message.contains("units"), "{message}");
}

#[test]
fn both_branches_bound_the_indices_of_their_input() {
    let block = Residual::new().add(Embedding::new(5, 2)).projection(Embedding::new(3, 2));
    let model = Sequential::<f64>::new(4).add(block).compile(Sgd::new(0.1), MeanSquaredError::new()).unwrap();
    let error = model.predict(&Array2::from_elem((1, 4), 4.0)).unwrap_err().to_string();
    assert!(error.contains("0..=2") || error.contains("0 to 2"), "{error}");
}

#[test]
fn a_configuration_without_a_projection_is_that_of_earlier_versions() {
    let config = Residual::<f64>::new().add(Dropout::new(0.5)).config().unwrap();
    assert_eq!(
        config.as_json(),
        r#"{"layers":[{"kind":"dropout","config":{"rate":0.5,"noise_shape":null}}]}"#
    );
    let config =
        Residual::<f64>::new().add(Dropout::new(0.5)).projection(Dropout::new(0.25)).config().unwrap();
    assert!(config.as_json().contains(r#""projection":{"kind":"dropout""#), "{}", config.as_json());
}

#[test]
fn layers_too_deep_inside_of_each_other_are_refused() {
    let mut layer: Residual<f64> = Residual::new().add(Dense::new(3));
    for _ in 0..20 {
        layer = Residual::new().add(layer);
    }
    let error = layer.plan(&Shape::from(3)).unwrap_err().to_string();
    assert!(error.contains("at most 16 layers inside each other"), "{error}");
}
