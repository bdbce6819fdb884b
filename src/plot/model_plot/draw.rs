//! The picture of boxes and connections with their places.

use super::super::{INK, PALE, picture, round, text};
use super::RankDir;
use super::diagram::{Diagram, Drawn, Family, HEAD, INSET, LABELS, LETTERS, LINE, TITLE, bold_width};
use super::layering::Layering;
use std::fmt::Write as _;
use svg::Document;
use svg::node::element::{Group, Path, Rectangle, Title};

/// The margin of the picture.
const MARGIN: f64 = 18.0;
/// The distance between ranks whose connections are straight.
const GAP: f64 = 34.0;
/// The length of an arrowhead.
const ARROW: f64 = 7.0;
/// The length of the straight line before it.
const STEM: f64 = 5.0;

/// Where a rank lies along the direction of the drawing.
#[derive(Debug, Clone, Copy)]
struct Band {
    start: f64,
    end: f64,
}

/// Coordinates along and across the direction of the drawing.
struct Frame {
    rankdir: RankDir,
    bands: Vec<Band>,
    /// The middle of each vertex, across.
    across: Vec<f64>,
    /// The rank of each vertex.
    rank: Vec<usize>,
}

impl Frame {
    /// A point in the picture.
    fn point(&self, along: f64, across: f64) -> (f64, f64) {
        match self.rankdir {
            RankDir::TopToBottom => (round(across), round(along)),
            RankDir::LeftToRight => (round(along), round(across)),
        }
    }

    /// The extents of a box, along and across.
    fn extents(&self, (width, height): (f64, f64)) -> (f64, f64) {
        match self.rankdir {
            RankDir::TopToBottom => (height, width),
            RankDir::LeftToRight => (width, height),
        }
    }

    /// Where a box begins and ends along.
    fn span(&self, vertex: usize, size: (f64, f64)) -> Band {
        let Band { start, end } = self.bands[self.rank[vertex]];
        let (middle, half) = (f64::midpoint(start, end), self.extents(size).0 / 2.0);
        Band { start: middle - half, end: middle + half }
    }
}

pub(super) fn draw(diagram: &Diagram, layering: &Layering, positions: &[f64], rankdir: RankDir) -> Document {
    let frame = frame(diagram, layering, positions, rankdir);
    let along = frame.bands.last().map_or(0.0, |band| band.end) + MARGIN;
    let ends = diagram
        .boxes
        .iter()
        .enumerate()
        .map(|(vertex, drawn)| frame.across[vertex] + frame.extents(drawn.size).1 / 2.0);
    let dummies = frame.across[layering.n_boxes..].iter().copied();
    let (width, height) = frame.point(along, ends.chain(dummies).fold(0.0, f64::max) + MARGIN);
    let mut connections = Group::new().set("fill", "none").set("stroke", PALE).set("stroke-width", 1.4);
    let mut arrows = Group::new().set("fill", PALE);
    for path in &layering.paths {
        connections = connections.add(Path::new().set("d", connection(diagram, &frame, path)));
    }
    let mut boxes = Group::new();
    for (vertex, drawn) in diagram.boxes.iter().enumerate() {
        if !layering.above[vertex].is_empty() {
            arrows = arrows.add(Path::new().set("d", arrowhead(&frame, vertex, drawn)));
        }
        boxes = boxes.add(boxed(&frame, vertex, drawn));
    }
    picture(width.ceil(), height.ceil()).add(connections).add(arrows).add(boxes)
}

/// The places of ranks and vertices, moved into the picture.
fn frame(diagram: &Diagram, layering: &Layering, positions: &[f64], rankdir: RankDir) -> Frame {
    let mut frame = Frame { rankdir, bands: Vec::new(), across: Vec::new(), rank: vec![0; positions.len()] };
    let mut at = MARGIN;
    for (rank, vertices) in layering.ranks.iter().enumerate() {
        let sizes = vertices.iter().filter_map(|&vertex| diagram.boxes.get(vertex));
        let thickness = sizes.map(|drawn| frame.extents(drawn.size).0).fold(0.0, f64::max);
        frame.bands.push(Band { start: at, end: at + thickness });
        vertices.iter().for_each(|&vertex| frame.rank[vertex] = rank);
        // Connections that lead far to a side get a longer way.
        let aside = vertices
            .iter()
            .flat_map(|&u| layering.below[u].iter().map(move |&v| (positions[u] - positions[v]).abs()));
        at += thickness + GAP + (0.12 * aside.fold(0.0, f64::max)).min(60.0);
    }
    let starts = positions.iter().enumerate().map(|(vertex, at)| {
        at - diagram.boxes.get(vertex).map_or(0.0, |drawn| frame.extents(drawn.size).1 / 2.0)
    });
    let first = starts.fold(f64::INFINITY, f64::min);
    frame.across = positions.iter().map(|at| at - first + MARGIN).collect();
    frame
}

/// The way of a connection: across the ranks straight, between them a curve that begins and ends straight.
fn connection(diagram: &Diagram, frame: &Frame, path: &[usize]) -> String {
    let mut way = String::new();
    for (index, pair) in path.windows(2).enumerate() {
        let ((from, to), (u, v)) = ((frame.across[pair[0]], frame.across[pair[1]]), (pair[0], pair[1]));
        let (leaves, arrives) = (frame.bands[frame.rank[u]].end, frame.bands[frame.rank[v]].start);
        let mut write = |command: char, points: &[(f64, f64)]| {
            way.push(command);
            for (along, across) in points {
                let (x, y) = frame.point(*along, *across);
                let _ = write!(way, "{x},{y} ");
            }
        };
        if index == 0 {
            let start = diagram.boxes.get(u).map_or(leaves, |drawn| frame.span(u, drawn.size).end);
            write('M', &[(start, from)]);
        }
        write('L', &[(leaves, from)]);
        let (end, last) = match diagram.boxes.get(v) {
            Some(drawn) => (arrives - ARROW - STEM, frame.span(v, drawn.size).start - ARROW),
            None => (arrives, frame.bands[frame.rank[v]].end),
        };
        let middle = f64::midpoint(leaves, end);
        match (from - to).abs() < 0.05 {
            true => write('L', &[(end, to)]),
            false => write('C', &[(middle, from), (middle, to), (end, to)]),
        }
        write('L', &[(last, to)]);
    }
    way.trim_end().into()
}

/// The triangle at the side of a box where connections arrive.
fn arrowhead(frame: &Frame, vertex: usize, drawn: &Drawn) -> String {
    let (at, tip) = (frame.across[vertex], frame.span(vertex, drawn.size).start);
    let corners = [(tip - ARROW - 1.0, at - 3.6), (tip - ARROW - 1.0, at + 3.6), (tip, at)];
    let [a, b, c] = corners.map(|(along, across)| frame.point(along, across));
    format!("M{},{} L{},{} L{},{} Z", a.0, a.1, b.0, b.1, c.0, c.1)
}

/// The colors of the border and of the title's background.
fn colors(family: Family) -> (&'static str, &'static str) {
    match family {
        Family::End => ("#57606a", "#eef1f4"),
        Family::Weights => ("#1f77b4", "#dcebf8"),
        Family::Merge => ("#c8660c", "#fdebd8"),
        Family::Plain => ("#8c959f", "#f3f4f6"),
    }
}

fn boxed(frame: &Frame, vertex: usize, drawn: &Drawn) -> Group {
    let (width, height) = drawn.size;
    let (along, across) =
        (frame.span(vertex, drawn.size).start, frame.across[vertex] - frame.extents(drawn.size).1 / 2.0);
    let (left, top) = frame.point(along, across);
    let (border, shade) = colors(drawn.family);
    let is_end = drawn.family == Family::End;
    let radius = if is_end { height.min(34.0) / 2.0 } else { 5.0 };
    let outline = |fill: &str| {
        let outline = Rectangle::new().set("x", left).set("y", top).set("width", width).set("height", height);
        outline.set("rx", radius).set("fill", fill)
    };
    let mut group = Group::new().add(Title::new(drawn.title.clone()));
    if is_end || drawn.rows.is_empty() {
        group = group.add(outline(shade));
    } else {
        let (right, below, head) = (round(left + width), round(top + radius), round(top + HEAD));
        let d = format!(
            "M{left},{head} V{below} Q{left},{top} {},{top} H{} Q{right},{top} {right},{below} V{head} Z",
            round(left + radius),
            round(right - radius)
        );
        group = group.add(outline("white")).add(Path::new().set("d", d).set("fill", shade));
    }
    group = group.add(outline("none").set("stroke", border).set("stroke-width", 1.2));
    group = lines(group, drawn, left, top, is_end);
    group
}

/// The title and the lines below.
fn lines(mut group: Group, drawn: &Drawn, left: f64, top: f64, is_end: bool) -> Group {
    let (width, _) = drawn.size;
    let baseline = top + HEAD / 2.0 + TITLE * 0.36;
    let (x, anchor) = if is_end { (left + width / 2.0, "middle") } else { (left + INSET, "start") };
    group = group.add(text(&drawn.title, x, baseline, TITLE, anchor).set("font-weight", "bold"));
    if !drawn.kind.is_empty() {
        let x = left + INSET + bold_width(&drawn.title) + 7.0;
        group = group.add(text(&drawn.kind, x, baseline, LETTERS, "start").set("fill", PALE));
    }
    for (index, (label, row)) in drawn.rows.iter().enumerate() {
        let y = top + HEAD + LINE * (index as f64 + 1.0) - if is_end { 6.0 } else { 2.0 };
        if !label.is_empty() {
            group = group.add(text(*label, left + INSET, y, LETTERS, "start").set("fill", PALE));
        }
        let x = if label.is_empty() { x } else { left + INSET + LABELS };
        group = group.add(text(row, x, y, LETTERS, anchor).set("fill", INK));
    }
    group
}
