//! The order in which Keras has the layers of a functional model: those far from the outputs first.
//!
//! Groups of weights are numbered in it, and the state of an optimizer follows it. It is that of `map_graph` of Keras 3: by the
//! depth, the length of the longest way to an output, and among layers of one depth by when a search from the outputs finds them.

use std::collections::BTreeMap;

/// What a layer of Keras receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum EntrySource {
    /// An input of the model.
    Input(usize),
    /// The output of a layer, and the number of its call.
    Entry(usize, usize),
}

/// The calls of a layer: what it receives in each.
type Calls<'e> = &'e [Vec<EntrySource>];

/// A call of a layer: the layer, and the number of the call. Those of layers that the outputs do not depend on are left out.
type Call = (usize, usize);

/// The indices of the layers in Keras's order.
pub(super) fn keras_order(entries: &[Calls<'_>], outputs: &[EntrySource]) -> Vec<usize> {
    let Search { calls, found } = Search::from(entries, outputs);
    let mut call_depths: BTreeMap<Call, usize> = BTreeMap::new();
    let mut depths = vec![0; entries.len()];
    for &(entry, number) in calls.iter().rev() {
        let depth = call_depths.get(&(entry, number)).copied().unwrap_or(0).max(depths[entry]);
        depths[entry] = depth;
        for &source in &entries[entry][number] {
            if let EntrySource::Entry(index, call) = source {
                let known = call_depths.entry((index, call)).or_default();
                *known = (*known).max(depth + 1);
            }
        }
    }
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|&entry| {
        (std::cmp::Reverse(depths[entry]), found.get(&entry).copied().unwrap_or(usize::MAX), entry)
    });
    order
}

/// A search in depth from the outputs, without recursion.
struct Search {
    /// The calls, each after those that it needs.
    calls: Vec<Call>,
    /// When each layer was found.
    found: BTreeMap<usize, usize>,
}

impl Search {
    fn from(entries: &[Calls<'_>], outputs: &[EntrySource]) -> Self {
        let mut search = Self { calls: Vec::new(), found: BTreeMap::new() };
        let mut finished = std::collections::BTreeSet::new();
        for &output in outputs {
            // A call and how many of its sources were looked at.
            let mut open: Vec<(Call, usize)> = Vec::new();
            search.enter(output, &finished, &mut open);
            while let Some(((entry, number), looked)) = open.last_mut() {
                let call = (*entry, *number);
                match entries[call.0][call.1].get(*looked) {
                    Some(&source) => {
                        *looked += 1;
                        search.enter(source, &finished, &mut open);
                    }
                    None => {
                        open.pop();
                        finished.insert(call);
                        search.calls.push(call);
                    }
                }
            }
        }
        search
    }

    fn enter(
        &mut self,
        source: EntrySource,
        finished: &std::collections::BTreeSet<Call>,
        open: &mut Vec<(Call, usize)>,
    ) {
        if let EntrySource::Entry(entry, number) = source
            && !finished.contains(&(entry, number))
        {
            let n_found = self.found.len();
            self.found.entry(entry).or_insert(n_found);
            open.push(((entry, number), 0));
        }
    }
}
