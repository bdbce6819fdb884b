//! A structure and numbers in a frame whose lengths and checksums are right: an error, or a model that answers and
//! that saves to bytes which load again.
#![no_main]
use axonal::ndarray::Array2;
use axonal::persistence::{Limits, LoadOptions};
use axonal::prelude::*;

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    })
}

/// The same parts with lengths and checksums that fit; the parts are where the header says, as far as they go.
fn repaired(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut header: [u8; 64] = bytes.get(..64)?.try_into().ok()?;
    let rest = &bytes[64..];
    let stated = u64::from_le_bytes(header[24..32].try_into().ok()?);
    let structure = &rest[..usize::try_from(stated).unwrap_or(usize::MAX).min(rest.len())];
    let numbers_at = (64 + structure.len()).next_multiple_of(64);
    let numbers = bytes.get(numbers_at..).unwrap_or_default();
    header[..12].copy_from_slice(b"\x89AXN\r\n\x1a\n\x01\0\0\0");
    header[16..24].copy_from_slice(&((numbers_at + numbers.len()) as u64).to_le_bytes());
    header[24..32].copy_from_slice(&(structure.len() as u64).to_le_bytes());
    header[32..40].copy_from_slice(&(numbers.len() as u64).to_le_bytes());
    header[40..44].copy_from_slice(&crc(structure).to_le_bytes());
    header[44..48].copy_from_slice(&crc(numbers).to_le_bytes());
    header[48..60].fill(0);
    let own = crc(&header[..60]);
    header[60..].copy_from_slice(&own.to_le_bytes());
    let mut file = [&header[..], structure].concat();
    file.resize(numbers_at, 0);
    file.extend(numbers);
    Some(file)
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(file) = repaired(bytes) else { return };
    let mut limits = Limits::default();
    limits.max_activation_bytes = 1 << 20;
    if let Ok(model) = Model::<f32>::from_bytes_with(&file, LoadOptions::new().limits(limits)) {
        let x = Array2::from_elem((2, model.input_shape().size()), 0.5);
        let mut shape = vec![2];
        shape.extend_from_slice(model.input_shape().dims());
        let _ = model.predict(&x.into_shape_with_order(shape).expect("as many numbers"));
        let saved = model.to_bytes().expect("a model that was loaded can be saved");
        let again = Model::<f32>::from_bytes(&saved).expect("what was saved can be loaded");
        assert_eq!(again.to_bytes().expect("and saved again"), saved);
    }
    if let Ok(kmeans) = KMeans::<f32>::from_bytes(&file) {
        let _ = kmeans.to_bytes();
    }
    let _ = StandardScaler::from_bytes(&file);
});
