//! Writes mutants into the source, each behind a switch: `if crate::mutation::active(7) { a + b } else { a - b }`. One build
//! then serves all of them (mutant schemata, Untch, Offutt and Harrold 1993).
//!
//!   mutant-switch MUTANTS.json FOLDER
//!
//! MUTANTS.json is a list of mutants as cargo-mutants prints them, each with a number `id`. The files under FOLDER are
//! rewritten; the numbers of those that could not be placed are printed as a list.

use proc_macro2::Span;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A mutant: its number, and what it puts in place of an operator, a body or a guard.
type Mutant = (u64, String);

/// The mutants of a file by line and column, with their genre.
type Wanted = BTreeMap<(usize, usize), Vec<(u64, String, String)>>;

enum Kind {
    Binary {
        left: Range<usize>,
        op: Range<usize>,
        right: Range<usize>,
    },
    Unary {
        operand: Range<usize>,
        op: &'static str,
    },
    Guard,
    Body,
    /// An arm of a match that is left out; with its guard, if it has one.
    Arm(Option<Range<usize>>),
}

struct Place {
    range: Range<usize>,
    kind: Kind,
    mutants: Vec<Mutant>,
}

struct Finder<'a> {
    wanted: &'a Wanted,
    places: Vec<Place>,
    /// In what the compiler evaluates, nothing can be switched.
    in_const: usize,
}

impl Finder<'_> {
    fn at(&self, span: Span, genre: &str) -> Vec<Mutant> {
        let start = span.start();
        let here = self.wanted.get(&(start.line, start.column + 1)).into_iter().flatten();
        here.filter(|mutant| mutant.1 == genre).map(|mutant| (mutant.0, mutant.2.clone())).collect()
    }

    fn push(&mut self, range: Range<usize>, kind: Kind, mutants: Vec<Mutant>) {
        if self.in_const == 0 && !mutants.is_empty() {
            self.places.push(Place { range, kind, mutants });
        }
    }

    fn body(&mut self, block: &syn::Block) {
        if let Some(first) = block.stmts.first() {
            let start = first.span().byte_range().start;
            self.push(start..start, Kind::Body, self.at(first.span(), "FnValue"));
        }
    }

    fn constant(&mut self, is_const: bool, visit: impl FnOnce(&mut Self)) {
        self.in_const += usize::from(is_const);
        visit(self);
        self.in_const -= usize::from(is_const);
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_expr_binary(&mut self, e: &'ast syn::ExprBinary) {
        let [left, op, right] = [e.left.span(), e.op.span(), e.right.span()].map(|span| span.byte_range());
        let mutants = self.at(e.op.span(), "BinaryOperator");
        self.push(e.span().byte_range(), Kind::Binary { left, op, right }, mutants);
        visit::visit_expr_binary(self, e);
    }

    fn visit_expr_unary(&mut self, e: &'ast syn::ExprUnary) {
        let op = if matches!(e.op, syn::UnOp::Not(_)) { "!" } else { "-" };
        let kind = Kind::Unary { operand: e.expr.span().byte_range(), op };
        self.push(e.span().byte_range(), kind, self.at(e.op.span(), "UnaryOperator"));
        visit::visit_expr_unary(self, e);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let guard = arm.guard.as_ref().map(|(_, guard)| guard.span());
        if let Some(span) = guard {
            self.push(span.byte_range(), Kind::Guard, self.at(span, "MatchArmGuard"));
        }
        let (start, guard) = (arm.pat.span().byte_range().end, guard.map(|span| span.byte_range()));
        let end = guard.as_ref().map_or(start, |guard| guard.end);
        self.push(start..end, Kind::Arm(guard), self.at(arm.span(), "MatchArm"));
        visit::visit_arm(self, arm);
    }

    fn visit_item_fn(&mut self, f: &'ast syn::ItemFn) {
        self.constant(f.sig.constness.is_some(), |finder| {
            finder.body(&f.block);
            visit::visit_item_fn(finder, f);
        });
    }

    fn visit_impl_item_fn(&mut self, f: &'ast syn::ImplItemFn) {
        self.constant(f.sig.constness.is_some(), |finder| {
            finder.body(&f.block);
            visit::visit_impl_item_fn(finder, f);
        });
    }

    fn visit_trait_item_fn(&mut self, f: &'ast syn::TraitItemFn) {
        if let Some(block) = &f.default {
            self.body(block);
        }
        visit::visit_trait_item_fn(self, f);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.constant(true, |finder| visit::visit_item_const(finder, item));
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.constant(true, |finder| visit::visit_impl_item_const(finder, item));
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.constant(true, |finder| visit::visit_item_static(finder, item));
    }
}

/// The text of a range, with the switches of the places inside. The places are in order, outer ones first.
fn render(text: &str, range: Range<usize>, places: &[&Place]) -> String {
    let (mut out, mut at) = (String::new(), range.start);
    for (index, place) in places.iter().enumerate() {
        let Range { start, end } = place.range;
        if start < at || end > range.end {
            continue;
        }
        out += &text[at..start];
        at = end;
        let inside = |other: &&&Place| other.range.start >= start && other.range.end <= end;
        let inner: Vec<&Place> = places[index + 1..].iter().filter(inside).copied().collect();
        let of = |range: &Range<usize>| render(text, range.clone(), &inner);
        let first = place.mutants[0].0;
        let switches = |of: &dyn Fn(&str) -> String| -> String {
            let one =
                |(id, new): &Mutant| format!("if crate::mutation::active({id}) {{ {} }} else ", of(new));
            place.mutants.iter().map(one).collect()
        };
        out += &match &place.kind {
            Kind::Binary { left, op, right } => {
                let (left, right) = (of(left), of(right));
                let new = switches(&|op| format!("({left}) {op} ({right})"));
                format!("({new}{{ ({left}) {} ({right}) }})", &text[op.clone()])
            }
            Kind::Unary { operand, op } => {
                let operand = of(operand);
                format!("(if crate::mutation::active({first}) {{ {operand} }} else {{ {op}({operand}) }})")
            }
            Kind::Guard => format!("({}{{ {} }})", switches(&|new| new.into()), of(&place.range)),
            Kind::Body => switches(&|new| format!("return {new};")).replace("} else ", "} "),
            Kind::Arm(None) => format!(" if !crate::mutation::active({first})"),
            Kind::Arm(Some(guard)) => format!(" if !crate::mutation::active({first}) && ({})", of(guard)),
        };
    }
    out + &text[at..range.end]
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, mutants, folder] = &arguments[..] else { panic!("expected MUTANTS.json and FOLDER") };
    let mutants = std::fs::read_to_string(mutants).expect("the list of mutants");
    let mutants: Vec<Value> = serde_json::from_str(&mutants).expect("a list of mutants");
    let mut files: BTreeMap<&str, Wanted> = BTreeMap::new();
    for mutant in &mutants {
        let text = |key: &str| mutant[key].as_str().expect("a text");
        let number = |value: &Value| value.as_u64().expect("a number");
        let start = &mutant["span"]["start"];
        let place = (number(&start["line"]) as usize, number(&start["column"]) as usize);
        let mutant = (number(&mutant["id"]), text("genre").into(), text("replacement").into());
        files.entry(text("file")).or_default().entry(place).or_default().push(mutant);
    }
    let mut placed: Vec<u64> = Vec::new();
    for (file, wanted) in &files {
        let path = format!("{folder}/{file}");
        let text = std::fs::read_to_string(&path).expect("a source file");
        let mut finder = Finder { wanted, places: Vec::new(), in_const: 0 };
        finder.visit_file(&syn::parse_file(&text).expect("Rust"));
        placed.extend(finder.places.iter().flat_map(|place| &place.mutants).map(|mutant| mutant.0));
        // What a body begins with stands before its first expression.
        let key =
            |place: &Place| (place.range.start, !place.range.is_empty(), std::cmp::Reverse(place.range.end));
        finder.places.sort_by_key(key);
        let places: Vec<&Place> = finder.places.iter().collect();
        std::fs::write(&path, render(&text, 0..text.len(), &places)).expect("a source file to write");
    }
    let missing = mutants.iter().filter_map(|mutant| mutant["id"].as_u64()).filter(|id| !placed.contains(id));
    println!("{:?}", missing.collect::<Vec<u64>>());
}
