//! Which mutant is on, by the environment variable AXONAL_MUTANT; with AXONAL_MUTANT_LOG, the mutants that are reached.
#![allow(missing_docs, clippy::expect_used, reason = "compiled into a copy of the crate for a measurement")]

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

const UNKNOWN: u32 = u32::MAX;
const LOGGING: u32 = u32::MAX - 1;
const NONE: u32 = u32::MAX - 2;

static CHOSEN: AtomicU32 = AtomicU32::new(UNKNOWN);
static SEEN: [AtomicBool; 1 << 14] = [const { AtomicBool::new(false) }; 1 << 14];

#[inline]
pub(crate) fn active(mutant: u32) -> bool {
    let chosen = CHOSEN.load(Ordering::Relaxed);
    chosen == mutant || (chosen >= LOGGING && read_or_log(mutant))
}

#[cold]
fn read_or_log(mutant: u32) -> bool {
    let log = std::env::var_os("AXONAL_MUTANT_LOG");
    if CHOSEN.load(Ordering::Relaxed) == UNKNOWN {
        let chosen = std::env::var("AXONAL_MUTANT").ok().and_then(|text| text.parse().ok());
        CHOSEN.store(chosen.unwrap_or(if log.is_some() { LOGGING } else { NONE }), Ordering::Relaxed);
        return active(mutant);
    }
    if let Some(log) = log
        && !SEEN[mutant as usize].swap(true, Ordering::Relaxed)
    {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(log);
        file.and_then(|mut file| file.write_all(format!("{mutant}\n").as_bytes())).expect("a log");
    }
    false
}
