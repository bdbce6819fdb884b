//! A reader of ONNX files: enough to check names, types and the order of nodes.

use std::collections::HashSet;

/// A field of a message: its number and its value.
pub enum Field<'a> {
    Int(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// Splits a message into its fields; panics on anything that the wire format does not allow.
pub fn fields(mut message: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let value = match key & 7 {
            0 => Field::Int(varint(&mut message)),
            2 => {
                let len = usize::try_from(varint(&mut message)).unwrap();
                Field::Bytes(take(&mut message, len))
            }
            5 => {
                take(&mut message, 4);
                Field::Fixed32
            }
            wire => panic!("wire type {wire}"),
        };
        found.push((key >> 3, value));
    }
    found
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(message, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
    }
    panic!("an integer of more than ten bytes")
}

fn take<'a>(message: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, rest) = message.split_at(len);
    *message = rest;
    taken
}

fn bytes(message: &[u8], number: u64) -> Vec<&[u8]> {
    let of_number = |(found, value)| match value {
        Field::Bytes(bytes) if found == number => Some(bytes),
        _ => None,
    };
    fields(message).into_iter().filter_map(of_number).collect()
}

fn texts(message: &[u8], number: u64) -> Vec<String> {
    bytes(message, number).into_iter().map(|text| String::from_utf8(text.to_vec()).unwrap()).collect()
}

fn text(message: &[u8], number: u64) -> String {
    texts(message, number).pop().unwrap_or_default()
}

fn ints(message: &[u8], number: u64) -> Vec<u64> {
    let of_number = |(found, value)| match value {
        Field::Int(value) if found == number => Some(value),
        _ => None,
    };
    fields(message).into_iter().filter_map(of_number).collect()
}

/// What a file says about itself, and its graph.
pub struct Document {
    pub producer: String,
    pub producer_version: String,
    pub properties: Vec<(String, String)>,
    pub opset: u64,
    pub graph: Vec<u8>,
    pub ops: Vec<String>,
    pub constants: Vec<String>,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
}

/// Parses a file and checks its graph: names are unique, nodes use values that exist, outputs are computed, constants have as
/// many bytes as their shape needs.
pub fn parse(file: &[u8]) -> Document {
    assert_eq!(ints(file, 1), [8], "ir_version");
    let [graph] = bytes(file, 7)[..] else { panic!("one graph") };
    let mut known = HashSet::new();
    let mut constants = Vec::new();
    for tensor in bytes(graph, 5) {
        let width = match ints(tensor, 2)[..] {
            [1] => 4,
            [7 | 11] => 8,
            ref other => panic!("data type {other:?}"),
        };
        let elements: u64 = ints(tensor, 1).iter().product();
        assert_eq!(bytes(tensor, 9)[0].len() as u64, elements * width, "{}", text(tensor, 8));
        constants.push(text(tensor, 8));
        assert!(known.insert(text(tensor, 8)), "{} twice", text(tensor, 8));
    }
    let names = |number| bytes(graph, number).into_iter().map(|port| text(port, 1)).collect::<Vec<_>>();
    let (inputs, outputs) = (names(11), names(12));
    for input in &inputs {
        assert!(known.insert(input.clone()), "{input} twice");
    }
    let ops = check_nodes(graph, &mut known);
    for output in &outputs {
        assert!(known.contains(output), "{output} is not computed");
    }
    let opset = bytes(file, 8).into_iter().find(|opset| text(opset, 1).is_empty()).unwrap();
    Document {
        producer: text(file, 2),
        producer_version: text(file, 3),
        properties: bytes(file, 14).into_iter().map(|entry| (text(entry, 1), text(entry, 2))).collect(),
        opset: ints(opset, 2)[0],
        graph: graph.to_vec(),
        ops,
        constants,
        inputs,
        outputs,
    }
}

/// Checks the nodes of a graph, and those of the bodies in it.
fn check_nodes(graph: &[u8], known: &mut HashSet<String>) -> Vec<String> {
    let mut ops = Vec::new();
    for node in bytes(graph, 1) {
        let op = text(node, 4);
        for input in texts(node, 1).into_iter().filter(|name| !name.is_empty()) {
            assert!(known.contains(&input), "{op} uses {input} before it exists");
        }
        for attribute in bytes(node, 5) {
            assert_eq!(ints(attribute, 20).len(), 1, "{op}: the type of {}", text(attribute, 1));
            for body in bytes(attribute, 6) {
                let mut inside = known.clone();
                inside.extend(bytes(body, 11).into_iter().map(|port| text(port, 1)));
                ops.extend(check_nodes(body, &mut inside).into_iter().map(|inner| format!("{op}/{inner}")));
                assert!(bytes(body, 12).iter().all(|port| inside.contains(&text(port, 1))));
            }
        }
        for output in texts(node, 2) {
            assert!(known.insert(output.clone()), "{output} twice");
        }
        ops.push(op);
    }
    ops
}
