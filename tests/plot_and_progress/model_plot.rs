//! Pictures of models: what they show, and how boxes and connections lie.

use crate::temporary::temporary_path;
use axonal::layers::{Add, Bidirectional, Dot, Residual};
use axonal::models::Node;
use axonal::plot::{ModelPlot, RankDir};
use axonal::prelude::*;
use axonal::rng::{Purpose, Rng};
use std::fs;

fn drawn(name: &str, plot: &ModelPlot) -> String {
    let path = temporary_path(&format!("model-{name}.svg"));
    plot.save(&path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"));
    assert!(!text.contains("NaN") && !text.contains("inf"), "{name}");
    text
}

fn refused(plot: &ModelPlot, words: &[&str]) {
    let path = temporary_path("model-refused.svg");
    let message = plot.save(&path).unwrap_err().to_string();
    assert!(words.iter().all(|word| message.contains(word)), "{words:?} in {message}");
    assert!(!path.exists());
}

fn attribute(element: &str, name: &str) -> Option<String> {
    Some(element.split(&format!(" {name}=\"")).nth(1)?.split('"').next()?.to_owned())
}

/// Whether a line of a box is this one.
fn shows(text: &str, line: &str) -> bool {
    text.split("</text>")
        .any(|before| before.rsplit('>').next().is_some_and(|content| content.trim() == line))
}

/// Left, top, right and bottom of each box.
fn boxes(text: &str) -> Vec<[f64; 4]> {
    let outlines = text.split("<rect").skip(1).map(|rest| rest.split('>').next().unwrap());
    let bordered = outlines.filter(|outline| outline.contains("stroke=") && outline.contains("rx="));
    let number = |outline: &str, name| attribute(outline, name).unwrap().parse::<f64>().unwrap();
    bordered
        .map(|outline| {
            let [x, y, width, height] = ["x", "y", "width", "height"].map(|name| number(outline, name));
            [x, y, x + width, y + height]
        })
        .collect()
}

/// Points along each connection.
fn connections(text: &str) -> Vec<Vec<(f64, f64)>> {
    let group = text.split("<g fill=\"none\"").nth(1).unwrap().split("</g>").next().unwrap();
    let ways = group.split("<path").skip(1).map(|path| attribute(path, "d").unwrap());
    ways.map(|way| points(&way)).collect()
}

fn points(way: &str) -> Vec<(f64, f64)> {
    let mut found: Vec<(f64, f64)> = Vec::new();
    for command in way.split(['M', 'L', 'C']).skip(1) {
        let corner = |corner: &str| {
            let (x, y) = corner.split_once(',').unwrap();
            (x.parse::<f64>().unwrap(), y.parse::<f64>().unwrap())
        };
        let corners: Vec<(f64, f64)> = command.split_whitespace().map(corner).collect();
        let Some(&start) = found.last() else {
            found.extend(corners);
            continue;
        };
        for step in 1..=16 {
            let t = f64::from(step) / 16.0;
            let mix = |a: (f64, f64), b: (f64, f64)| (a.0 + (b.0 - a.0) * t, a.1 + (b.1 - a.1) * t);
            // De Casteljau's algorithm.
            let mut level = [&[start][..], &corners].concat();
            while level.len() > 1 {
                level = level.windows(2).map(|pair| mix(pair[0], pair[1])).collect();
            }
            found.push(level[0]);
        }
    }
    found
}

/// No box lies over another one, no connection passes through a box, and all lie in the picture.
fn is_readable(name: &str, text: &str) {
    let size = |name| attribute(text, name).unwrap().parse::<f64>().unwrap();
    let (width, height) = (size("width"), size("height"));
    let boxes = boxes(text);
    for (index, a) in boxes.iter().enumerate() {
        assert!(a[0] >= 0.0 && a[1] >= 0.0 && a[2] <= width && a[3] <= height, "{name}: {a:?}");
        for b in &boxes[..index] {
            let overlap = a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
            assert!(!overlap, "{name}: {a:?} over {b:?}");
        }
    }
    for way in connections(text) {
        for (x, y) in way {
            assert!(x >= 0.0 && y >= 0.0 && x <= width && y <= height, "{name}: {x}, {y}");
            let inside = |b: &&[f64; 4]| x > b[0] + 0.5 && x < b[2] - 0.5 && y > b[1] + 0.5 && y < b[3] - 0.5;
            assert!(boxes.iter().find(inside).is_none(), "{name}: a connection at {x}, {y} in a box");
        }
    }
}

fn compiled(inputs: &[Node<f32>], output: &Node<f32>) -> Model<f32> {
    Graph::new(inputs).output("y", output, MeanSquaredError::new()).compile(Sgd::new(0.1)).unwrap()
}

fn chain() -> Model<f32> {
    Sequential::new([8, 8, 1])
        .add(Conv2D::new(4, 3).activation(Activation::Relu))
        .add(Flatten::new())
        .add(Dense::new(3).activation(Activation::Softmax))
        .named("classes")
        .compile(Sgd::new(0.1), SparseCategoricalCrossentropy::new())
        .unwrap()
}

#[test]
fn a_chain_shows_names_and_shapes_by_default() {
    let text = drawn("chain", &chain().plot());
    for word in ["input", "0.conv2d", "1.flatten", "classes", "(None, 8, 8, 1)", "(None, 144)", "(None, 3)"] {
        assert!(text.contains(word), "{word}");
    }
    assert!(shows(&text, "dense") && !text.contains("softmax"));
    assert_eq!((boxes(&text).len(), connections(&text).len()), (4, 3));
    is_readable("chain", &text);
}

#[test]
fn options_add_and_remove_lines() {
    let plain = drawn("plain", &chain().plot().show_shapes(false).show_layer_names(false));
    assert!(shows(&plain, "conv2d") && !plain.contains("classes") && !plain.contains("None"));
    let activations = drawn("activations", &chain().plot().show_layer_activations(true));
    assert!(shows(&activations, "relu") && shows(&activations, "softmax"));
    let wide = drawn("wide", &chain().plot().rankdir(RankDir::LeftToRight));
    is_readable("wide", &wide);
    let lefts: Vec<f64> = boxes(&wide).iter().map(|place| place[0]).collect();
    assert!(lefts.is_sorted() && boxes(&wide).iter().all(|place| place[3] < 120.0));
    assert_eq!(
        wide,
        drawn("again", &chain().plot().rankdir(RankDir::LeftToRight)),
        "the same bytes each time"
    );
    let lstm = Sequential::<f32>::new([4, 2])
        .add(Lstm::new(3).return_sequences(true))
        .add(Bidirectional::new(Gru::new(2)));
    let model = lstm.compile(Sgd::new(0.1), MeanSquaredError::new()).unwrap();
    let text = drawn("inner", &model.plot().show_layer_activations(true));
    assert!(shows(&text, "tanh") && shows(&text, "gru"));
}

#[test]
fn a_chain_and_long_connections_are_straight() {
    let x = Input::new("x", 4);
    let mut h: Node<f32> = x.then(Dense::new(4));
    for _ in 0..4 {
        h = Add::new().of([&h.then(Dense::new(4)).then(Dense::new(4)), &h]);
    }
    let text = drawn("straight", &compiled(&[x], &h).plot());
    is_readable("straight", &text);
    let middles: Vec<f64> = boxes(&text).iter().map(|place| f64::midpoint(place[0], place[2])).collect();
    assert!(middles.iter().all(|middle| (middle - middles[0]).abs() < 0.02), "{middles:?}");
}

#[test]
fn a_shared_layer_is_one_box_unless_it_reads_its_own_output() {
    let (a, b) = (Input::new("a", 4), Input::new("b", 4));
    let shared = Shared::new(Dense::new(4));
    let score = Dot::new(-1, -1).of([&a.then(&shared), &b.then(&shared)]);
    let text = drawn("shared", &compiled(&[a.clone(), b], &score).plot());
    assert_eq!(
        (text.matches("0.dense\n</text>").count(), boxes(&text).len(), connections(&text).len()),
        (1, 5, 4)
    );
    is_readable("shared", &text);
    let text = drawn("repeated", &compiled(std::slice::from_ref(&a), &a.then(&shared).then(&shared)).plot());
    assert!(boxes(&text).len() == 4 && text.contains("weights of 0.dense"));
    // Drawn as one, both layers would read each other.
    let between = a.then(&shared).then(Dense::new(4)).then(&shared);
    let text = drawn("between", &compiled(&[a], &between).plot());
    assert_eq!((boxes(&text).len(), text.matches("weights of 0.dense").count()), (5, 1));
}

#[test]
fn nested_models_are_one_box() {
    let trained: Model<f32> = Sequential::new(4)
        .add(Dense::new(5))
        .named("encoder_1")
        .add(Dense::new(3))
        .named("encoder_2")
        .compile(Sgd::new(0.1), MeanSquaredError::new())
        .unwrap();
    let x = Input::new("x", [2, 2]);
    let body = trained.body_on([&x.then(Flatten::new())]).unwrap();
    let model = compiled(&[x], &body.outputs().next().unwrap().then(Dense::new(1)));
    let text = drawn("nested", &model.plot().nested("encoder", ["encoder_1", "encoder_2"]));
    assert!(shows(&text, "encoder") && shows(&text, "2 layers") && !text.contains("encoder_1"));
    assert!(text.contains("(None, 4)") && text.contains("(None, 3)") && !text.contains("(None, 5)"));
    assert_eq!(boxes(&text).len(), 5);
    is_readable("nested", &text);
    refused(&model.plot().nested("e", ["encoder_3"]), &["encoder_3", "encoder_1"]);
    refused(&model.plot().nested("e", ["x"]), &["\"x\"", "0.flatten"]);
    refused(&model.plot().nested("e", [""; 0]), &["nested \"e\" of ModelPlot", "at least 1 layer"]);
    refused(&model.plot().nested("e", ["encoder_1", "encoder_1"]), &["drawn in no other box"]);
    let twice = model.plot().nested("e", ["encoder_1", "encoder_2"]).nested("f", ["encoder_2"]);
    refused(&twice, &["nested \"f\"", "drawn in no other box"]);
    refused(&model.plot().nested("e", ["0.flatten", "encoder_2"]), &["between which lies no other one"]);
}

#[test]
fn unbuilt_models_and_wrappers_are_drawn() {
    let block = Residual::new().add(Dense::new(3)).add(Dropout::new(0.2));
    let network = Sequential::<f32>::deferred().add(Dense::new(3)).add(block).named("block");
    let mut model = network.compile(Sgd::new(0.1), MeanSquaredError::new()).unwrap();
    let text = drawn("unbuilt", &model.plot());
    assert!(shows(&text, "0.dense") && shows(&text, "?") && boxes(&text).len() == 2);
    model.build(3).unwrap();
    let text = drawn("wrapper", &model.plot());
    assert!(shows(&text, "dense, dropout") && shows(&text, "residual"));
}

#[test]
fn any_name_is_text_of_bounded_length() {
    let names = ["a < b & \"c\"", "\u{0}\u{1b}[31m", &"W".repeat(300), "層の名前", "<script>alert(1)"];
    let mut network = Sequential::<f32>::new(2);
    for name in names {
        network = network.add(Dense::new(2)).named(name);
    }
    let text = drawn("names", &network.compile(Sgd::new(0.1), MeanSquaredError::new()).unwrap().plot());
    assert!(text.contains("a &lt; b &amp;") && text.contains("層の名前") && !text.contains("<script>"));
    assert!(text.chars().all(|c| !c.is_control() || c == '\n') && !text.contains(&"W".repeat(50)));
    is_readable("names", &text);
}

#[test]
fn models_that_are_too_large_are_refused() {
    let network = |n| (0..n).fold(Sequential::<f32>::new(1), |network, _| network.add(Dropout::new(0.1)));
    let model = network(900).compile(Sgd::new(0.1), MeanSquaredError::new()).unwrap();
    is_readable("long", &drawn("long", &model.plot()));
    let model = network(1_000).compile(Sgd::new(0.1), MeanSquaredError::new()).unwrap();
    refused(&model.plot(), &["ModelPlot", "layers", "1001", "use summary"]);
    let x = Input::new("x", 1);
    let mut all: Vec<Node<f32>> = vec![x.then(Dense::new(1))];
    for _ in 0..60 {
        all.push(Concatenate::new().of(&all).then(Dense::new(1)));
    }
    refused(&compiled(&[x], all.last().unwrap()).plot(), &["ModelPlot", "connections", "use summary"]);
}

/// A graph of dense layers and sums; each reads one of the last `reach` nodes.
fn random_graph(seed: u64, n: usize, reach: usize) -> Model<f32> {
    let mut rng = Rng::new(seed, Purpose::Other, 0);
    let mut below = |bound: usize| rng.below(bound);
    let inputs: Vec<Node<f32>> =
        (0..1 + below(3)).map(|index| Input::new(format!("input {index}"), 4)).collect();
    let mut nodes: Vec<Node<f32>> = inputs.iter().map(|input| input.then(Dense::new(4))).collect();
    for _ in 0..n {
        let mut pick = || nodes[nodes.len() - 1 - below(nodes.len().min(reach))].clone();
        let first = pick();
        let made = match nodes.len() % 5 {
            0 | 3 => Add::new().of([&first, &pick(), &pick()]),
            1 => first
                .then(Dense::new(4).activation(Activation::Relu))
                .named(format!("a longer name {}", nodes.len())),
            _ => first.then(Dense::new(4)),
        };
        nodes.push(made);
    }
    compiled(&inputs, &Concatenate::new().of(&nodes))
}

#[test]
fn random_graphs_have_no_overlaps() {
    for seed in 0..24 {
        let model = random_graph(seed, 5 + seed as usize, 2 + seed as usize % 9);
        for rankdir in [RankDir::TopToBottom, RankDir::LeftToRight] {
            let plot = model.plot().rankdir(rankdir).show_shapes(seed % 2 == 0).show_layer_activations(true);
            is_readable(&format!("seed {seed}"), &drawn(&format!("random-{seed}"), &plot));
        }
    }
}
