//! Files that were cut, flipped and mutated: always an error, or a model that is sound.

use super::forge::Anatomy;
use super::memory::peak_of;
use super::models;
use axonal::cluster::{BisectingKMeans, MiniBatchKMeans};
use axonal::ndarray::Array2;
use axonal::persistence::{Limits, LoadOptions, inspect_bytes};
use axonal::prelude::*;
use std::time::{Duration, Instant};

/// What every load keeps to.
const SPARE: usize = 1 << 20;

/// A way to load; what it answers with saves what was loaded.
type Load = fn(&[u8]) -> Result<Save>;
type Save = Box<dyn Fn() -> Result<Vec<u8>>>;

fn load_model(bytes: &[u8]) -> Result<Save> {
    let mut limits = Limits::default();
    limits.max_activation_bytes = 16 << 20;
    let model = Model::<f32>::from_bytes_with(bytes, LoadOptions::new().limits(limits))?;
    Ok(Box::new(move || model.to_bytes()))
}

macro_rules! load {
    ($type:ty) => {
        |bytes| {
            let loaded = <$type>::from_bytes(bytes)?;
            Ok(Box::new(move || loaded.to_bytes()))
        }
    };
}

/// Every kind of file, small.
fn files() -> Vec<(&'static str, Vec<u8>, Load)> {
    let mut scaler = StandardScaler::new();
    scaler.fit(&models::samples().0).unwrap();
    let mut encoder = OneHotEncoder::new();
    encoder.fit(&models::kinds()).unwrap();
    vec![
        ("model", models::trained().to_bytes().unwrap(), load_model),
        ("convolutional", models::convolutional().to_bytes().unwrap(), load_model),
        ("recurrent", models::recurrent().to_bytes().unwrap(), load_model),
        ("schedule", models::regressor().to_bytes().unwrap(), load_model),
        ("weights", models::weights(), |bytes| {
            let mut model = models::classifier();
            model.weights_from_bytes(bytes, LoadOptions::new())?;
            Ok(Box::new(move || {
                let mut again = Vec::new();
                model.save_weights_to(&mut again)?;
                Ok(again)
            }))
        }),
        ("kmeans", models::kmeans().to_bytes().unwrap(), load!(KMeans<f32>)),
        ("mini_batch", models::mini_batch().to_bytes().unwrap(), load!(MiniBatchKMeans<f32>)),
        ("bisecting", models::bisecting().to_bytes().unwrap(), load!(BisectingKMeans<f32>)),
        ("scaler", scaler.to_bytes().unwrap(), load!(StandardScaler)),
        ("encoder", encoder.to_bytes().unwrap(), load!(OneHotEncoder)),
        ("pipeline", models::table_pipeline().to_bytes().unwrap(), load!(models::TablePipeline)),
    ]
}

/// What a load saves again.
fn saved_again(load: Load, bytes: &[u8]) -> Vec<u8> {
    load(bytes).expect("a sound file")().expect("what was loaded can be saved")
}

#[test]
fn a_file_cut_at_any_byte_is_refused() {
    for (name, bytes, load) in files() {
        assert_eq!(saved_again(load, &bytes), bytes, "{name}");
        for cut in 0..bytes.len() {
            assert!(load(&bytes[..cut]).is_err(), "{name} cut to {cut} bytes was accepted");
            assert!(inspect_bytes(&bytes[..cut]).is_err(), "{name} cut to {cut} bytes was described");
        }
    }
}

#[test]
fn a_file_with_any_bit_flipped_is_refused() {
    for (name, mut bytes, load) in files() {
        for position in 0..bytes.len() {
            for bit in 0..8 {
                bytes[position] ^= 1 << bit;
                assert!(
                    load(&bytes).is_err(),
                    "{name} with bit {bit} of byte {position} flipped was accepted"
                );
                bytes[position] ^= 1 << bit;
            }
        }
    }
}

#[test]
fn what_follows_the_end_is_refused() {
    for (name, bytes, load) in files() {
        for tail in [&b"\0"[..], &[7; 100], b"PK\x03\x04"] {
            let longer = [&bytes[..], tail].concat();
            assert!(load(&longer).err().unwrap().to_string().contains("more follow"), "{name}");
        }
    }
}

/// A small generator of the tests' own, so that a failure can be repeated by its number.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        // Marsaglia 2003, xorshift64.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Changes some of the bytes, as bits, extremes, insertions, deletions or moves.
fn mutate(bytes: &mut Vec<u8>, draws: &mut Draws) {
    for _ in 0..1 + draws.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = draws.below(bytes.len());
        match draws.below(8) {
            0 => bytes[at] ^= 1 << draws.below(8),
            1 => bytes[at] = [0, 1, 127, 128, 250, 251, 252, 253, 254, 255][draws.below(10)],
            2 => bytes[at] = draws.next() as u8,
            3 => {
                let extreme =
                    [0, 1, 8, 255, 1 << 16, 1 << 31, 1 << 32, 1 << 46, 1 << 63, u64::MAX][draws.below(10)];
                bytes.splice(at..at + 1, super::forge::varint(extreme));
            }
            4 => drop(bytes.remove(at)),
            5 => {
                let digits =
                    [&b"9"[..], b"-1", b"0.5", b"1e308", b"null", b"[]", b"{}", b"99999999999999999999"];
                if let Some(digit) = bytes[at..].iter().position(u8::is_ascii_digit) {
                    bytes.splice(at + digit..at + digit + 1, digits[draws.below(8)].iter().copied());
                }
            }
            6 => {
                let (from, len) = (draws.below(bytes.len()), 1 + draws.below(24));
                let piece = bytes[from..(from + len).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                let end = (at + 1 + draws.below(24)).min(bytes.len());
                bytes.drain(at..end);
            }
        }
    }
}

/// Changes the structure, or the numbers; where these are files themselves, one of them, checksums repaired.
fn mutate_parts(file: &mut Anatomy, draws: &mut Draws) {
    let inner: Vec<usize> =
        file.numbers.windows(8).enumerate().filter(|(_, eight)| *eight == MAGIC).map(|(at, _)| at).collect();
    if let Some(&at) = inner.get(draws.below(inner.len() + 1)) {
        let stated = u64::from_le_bytes(file.numbers[at + 16..at + 24].try_into().unwrap()) as usize;
        let mut part = Anatomy::of(&file.numbers[at..at + stated]);
        mutate_parts(&mut part, draws);
        // Of the same length, or else the lengths outside it are another mutation.
        let part = part.file();
        if part.len() == stated || draws.below(2) == 0 {
            file.numbers.splice(at..at + stated, part);
        }
        return;
    }
    match draws.below(4) {
        0 => mutate(&mut file.numbers, draws),
        _ => mutate(&mut file.structure, draws),
    }
}

const MAGIC: &[u8] = b"\x89AXN\r\n\x1a\n";

#[test]
fn ten_thousand_mutations_with_right_checksums_end_in_an_error_or_a_sound_model() {
    let runs = std::env::var("AXONAL_MUTATIONS").map_or(2_000, |runs| runs.parse().unwrap());
    for (name, bytes, load) in files() {
        let original = Anatomy::of(&bytes);
        let mut draws = Draws(0x9e37_79b9_7f4a_7c15);
        let mut accepted = 0;
        for run in 0..runs {
            let mut mutant = original.clone();
            mutate_parts(&mut mutant, &mut draws);
            let file = mutant.file();
            let begun = Instant::now();
            let (loaded, peak) = peak_of(|| load(&file));
            assert!(peak <= file.len() + SPARE, "{name} {run}: {peak} bytes for a file of {}", file.len());
            assert!(begun.elapsed() < Duration::from_secs(1), "{name} {run}: {:?}", begun.elapsed());
            if let Ok(save) = loaded {
                accepted += 1;
                let again = save().expect("what was loaded can be saved");
                assert_eq!(saved_again(load, &again), again, "{name} {run}");
            }
        }
        assert!(accepted < runs, "{name}: no mutation was ever refused");
    }
}

#[test]
fn a_mutant_that_is_accepted_answers() {
    let original = Anatomy::of(&models::trained().to_bytes().unwrap());
    let x = models::samples().0;
    let mut draws = Draws(1);
    let mut accepted = 0;
    for _ in 0..500 {
        let mut mutant = original.clone();
        mutate(&mut mutant.numbers, &mut draws);
        mutant.numbers.resize(original.numbers.len(), 0);
        let Ok(model) = Model::<f32>::from_bytes(&mutant.file()) else { continue };
        accepted += 1;
        let answers: Array2<f32> = model.predict(&x).unwrap();
        assert_eq!(answers.dim(), (60, 2));
    }
    assert!(accepted > 0);
}
