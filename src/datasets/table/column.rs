use std::collections::HashMap;

/// What a column holds, as far as it is known.
#[derive(Debug, Clone)]
pub(super) enum Column {
    /// No value yet.
    Undecided,
    /// Numbers.
    Numbers,
    /// Texts, numbered in the order in which they came; a closed column knows all of its own.
    Texts { numbers: HashMap<String, usize>, closed: bool },
}

/// What a field that is no number means for its column.
pub(super) enum Field {
    /// The number of a text.
    Text(usize),
    /// Not what the column holds.
    Wrong,
}

impl Column {
    /// A column of texts of any kind.
    pub(super) fn texts() -> Self {
        Self::Texts { numbers: HashMap::new(), closed: false }
    }

    /// A column of these texts and no others, numbered in this order.
    pub(super) fn closed(texts: &[String]) -> Self {
        let numbers = texts.iter().cloned().enumerate().map(|(number, text)| (text, number)).collect();
        Self::Texts { numbers, closed: true }
    }

    /// The number of a text.
    pub(super) fn text(&mut self, text: &str) -> Field {
        match self {
            Self::Undecided => {
                *self = Self::texts();
                self.text(text)
            }
            Self::Numbers => Field::Wrong,
            Self::Texts { numbers, closed } => match numbers.get(text) {
                Some(&number) => Field::Text(number),
                None if *closed => Field::Wrong,
                None => {
                    let number = numbers.len();
                    numbers.insert(text.to_owned(), number);
                    Field::Text(number)
                }
            },
        }
    }

    /// The texts in ascending order, and the new number of each old one; closed columns keep their order.
    pub(super) fn sorted(&self) -> (Vec<String>, Vec<usize>) {
        let Self::Texts { numbers, closed } = self else { return (Vec::new(), Vec::new()) };
        let mut texts: Vec<(&String, usize)> = numbers.iter().map(|(text, number)| (text, *number)).collect();
        if *closed {
            texts.sort_unstable_by_key(|(_, number)| *number);
        } else {
            texts.sort_unstable();
        }
        let mut renumbered = vec![0; texts.len()];
        texts.iter().enumerate().for_each(|(new, (_, old))| renumbered[*old] = new);
        (texts.into_iter().map(|(text, _)| text.clone()).collect(), renumbered)
    }
}
