//! How Keras turns the names of classes into names of groups, layers and functions.

use std::collections::BTreeMap;

/// A class name in snake case, as Keras's `to_snake_case`: `BatchNormalization` becomes `batch_normalization`, `Conv2D`
/// `conv2d`, `LeakyReLU` `leaky_re_lu`.
pub(super) fn snake_case(class: &str) -> String {
    let chars: Vec<char> = class.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
    let mut snake = String::with_capacity(class.len() + 4);
    for (index, &c) in chars.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| chars.get(before)).copied();
        let follows_lower = before.is_some_and(|before| before.is_ascii_lowercase());
        let starts_word = before.is_some_and(|before| before != '_')
            && chars.get(index + 1).is_some_and(char::is_ascii_lowercase);
        if c.is_ascii_uppercase() && (follows_lower || starts_word) {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// The name of the groups of a class in files of weights.
pub(super) fn group_of(class: &str) -> String {
    match class {
        // Its class is GroupedQueryAttention, its public name is not.
        "GroupQueryAttention" => "grouped_query_attention".into(),
        class => snake_case(class),
    }
}

/// Names that are numbered where they repeat: `dense`, `dense_1`, `dense_2`.
#[derive(Debug, Default)]
pub(super) struct Numbered(BTreeMap<String, usize>);

impl Numbered {
    /// The next name.
    pub(super) fn next(&mut self, name: String) -> String {
        let count = self.0.entry(name.clone()).or_default();
        let numbered = if *count == 0 { name } else { format!("{name}_{count}") };
        *count += 1;
        numbered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_keras_makes() {
        let cases = [
            ("Dense", "dense"),
            ("BatchNormalization", "batch_normalization"),
            ("Conv2D", "conv2d"),
            ("Conv2DTranspose", "conv2d_transpose"),
            ("MaxPooling2D", "max_pooling2d"),
            ("DepthwiseConv2D", "depthwise_conv2d"),
            ("LSTM", "lstm"),
            ("GRU", "gru"),
            ("SimpleRNN", "simple_rnn"),
            ("LeakyReLU", "leaky_re_lu"),
            ("PReLU", "p_re_lu"),
            ("ReLU", "re_lu"),
            ("ELU", "elu"),
            ("RMSNormalization", "rms_normalization"),
            ("RMSprop", "rm_sprop"),
            ("KLDivergence", "kl_divergence"),
            ("MeanIoU", "mean_io_u"),
            ("R2Score", "r2_score"),
            ("TimeDistributed", "time_distributed"),
        ];
        for (class, name) in cases {
            assert_eq!(snake_case(class), name);
        }
        let mut names = Numbered::default();
        let names: Vec<_> = ["dense", "lstm", "dense"].map(|name| names.next(name.into())).into();
        assert_eq!(names, ["dense", "lstm", "dense_1"]);
    }
}
