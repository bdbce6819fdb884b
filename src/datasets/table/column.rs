//! What a column holds: numbers, texts, or not decided yet.

use std::collections::HashMap;

/// What a column holds, as far as it is known.
#[derive(Debug, Clone)]
pub(super) enum Column {
    /// No value yet.
    Undecided,
    /// Numbers; the first of them, unless there was none yet.
    Numbers { first: Option<Example> },
    /// Texts.
    Texts(Box<Texts>),
}

/// The first field of a kind, for errors.
#[derive(Debug, Clone)]
pub(super) struct Example {
    pub(super) line: usize,
    /// Quoted and cut.
    pub(super) text: Box<str>,
}

/// Texts, numbered in the order in which they came.
#[derive(Debug, Clone)]
pub(super) struct Texts {
    codes: HashMap<String, usize>,
    pub(super) origin: Origin,
}

/// Why a column is one of texts.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// Declared, with all of its texts in their order.
    Closed,
    /// Declared, with any texts.
    Declared,
    /// Its first value is text.
    Found(Example),
}

impl Column {
    /// A column of texts of any kind.
    pub(super) fn texts() -> Self {
        Self::of_texts(HashMap::new(), Origin::Declared)
    }

    /// A column of these texts and no others, numbered in this order.
    pub(super) fn closed(texts: &[String]) -> Self {
        let codes = texts.iter().cloned().enumerate().map(|(code, text)| (text, code)).collect();
        Self::of_texts(codes, Origin::Closed)
    }

    /// A column whose first value is this text.
    pub(super) fn found(example: Example) -> Self {
        Self::of_texts(HashMap::new(), Origin::Found(example))
    }

    fn of_texts(codes: HashMap<String, usize>, origin: Origin) -> Self {
        Self::Texts(Box::new(Texts { codes, origin }))
    }

    /// Why it is one of texts, if it is.
    pub(super) fn origin(&self) -> Option<&Origin> {
        if let Self::Texts(texts) = self { Some(&texts.origin) } else { None }
    }

    /// Whether it holds numbers, and one has come.
    pub(super) fn has_numbers(&self) -> bool {
        matches!(self, Self::Numbers { first: Some(_) })
    }

    /// Whether the caller has declared it as texts.
    pub(super) fn is_declared(&self) -> bool {
        matches!(self.origin(), Some(Origin::Closed | Origin::Declared))
    }

    /// The texts in ascending order, and the new code of each old one; closed columns keep their order.
    pub(super) fn sorted(&self) -> (Vec<String>, Vec<usize>) {
        let Self::Texts(texts) = self else { return (Vec::new(), Vec::new()) };
        let Texts { codes, origin } = &**texts;
        let mut texts: Vec<(&String, usize)> = codes.iter().map(|(text, code)| (text, *code)).collect();
        if matches!(origin, Origin::Closed) {
            texts.sort_unstable_by_key(|(_, code)| *code);
        } else {
            texts.sort_unstable();
        }
        let mut recoded = vec![0; texts.len()];
        texts.iter().enumerate().for_each(|(new, (_, old))| recoded[*old] = new);
        (texts.into_iter().map(|(text, _)| text.clone()).collect(), recoded)
    }
}

impl Texts {
    /// The code of a known text.
    pub(super) fn code(&self, text: &str) -> Option<usize> {
        self.codes.get(text).copied()
    }

    /// Gives a new text the next code.
    pub(super) fn add(&mut self, text: &str) -> usize {
        let code = self.codes.len();
        self.codes.insert(text.to_owned(), code);
        code
    }
}
