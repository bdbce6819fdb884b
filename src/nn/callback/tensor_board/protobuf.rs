//! The few messages of Protocol Buffers that an event file consists of.
//!
//! Field numbers are those of TensorFlow's `event.proto`, `summary.proto` and `tensor.proto`.

/// A message in its wire format.
#[derive(Debug, Default)]
pub(super) struct Message(Vec<u8>);

/// Wire types.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;

/// `DataType` of a tensor.
const DT_FLOAT: u64 = 1;
const DT_DOUBLE: u64 = 2;
const DT_STRING: u64 = 7;

/// `DataClass` of a summary.
#[derive(Debug, Clone, Copy)]
pub(super) enum DataClass {
    Scalar = 1,
    Tensor = 2,
}

impl Message {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.0.push(value.to_le_bytes()[0]);
    }

    fn tag(&mut self, field: u64, wire_type: u64) {
        self.varint(field << 3 | wire_type);
    }

    pub(super) fn integer(mut self, field: u64, value: u64) -> Self {
        self.tag(field, VARINT);
        self.varint(value);
        self
    }

    pub(super) fn double(mut self, field: u64, value: f64) -> Self {
        self.tag(field, FIXED64);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.tag(field, LENGTH_DELIMITED);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn message(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }
}

/// `TensorShapeProto`
fn shape(dims: &[usize]) -> Message {
    dims.iter().fold(Message::default(), |shape, &size| {
        shape.message(2, &Message::default().integer(1, size as u64))
    })
}

/// `TensorProto` of one `f32`, as TensorBoard keeps scalars.
#[allow(clippy::cast_possible_truncation, reason = "scalars of TensorBoard are f32")]
pub(super) fn scalar(value: f64) -> Message {
    let content = (value as f32).to_le_bytes();
    Message::default().integer(1, DT_FLOAT).message(2, &shape(&[])).bytes(4, &content)
}

/// `TensorProto` of rows of three `f64`.
pub(super) fn triples(rows: &[[f64; 3]]) -> Message {
    let content: Vec<u8> = rows.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
    Message::default().integer(1, DT_DOUBLE).message(2, &shape(&[rows.len(), 3])).bytes(4, &content)
}

/// `TensorProto` of one text.
pub(super) fn text(text: &str) -> Message {
    Message::default().integer(1, DT_STRING).message(2, &shape(&[])).bytes(8, text.as_bytes())
}

/// `Summary.Value`: a tensor that a plugin of TensorBoard shows under a tag.
pub(super) fn summary_value(tag: &str, plugin: &str, class: DataClass, tensor: &Message) -> Message {
    let plugin_data = Message::default().bytes(1, plugin.as_bytes());
    let metadata = Message::default().message(1, &plugin_data).integer(4, class as u64);
    Message::default().bytes(1, tag.as_bytes()).message(8, tensor).message(9, &metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the Protocol Buffers encoding guide.
    #[test]
    fn fields_are_encoded_as_in_the_guide() {
        assert_eq!(Message::default().integer(1, 150).into_bytes(), [0x08, 0x96, 0x01]);
        let testing = Message::default().bytes(2, b"testing").into_bytes();
        assert_eq!(testing, [0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67]);
        let inner = Message::default().integer(1, 150);
        assert_eq!(Message::default().message(3, &inner).into_bytes(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
    }
}
