//! Random numbers with a seed that can be replayed.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "test binaries use parts of this")]

use std::time::{SystemTime, UNIX_EPOCH};

/// A xorshift generator.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Seeded by the variable `SPANLOG_SEED`, else by the clock. The harness shows the seed if the
    /// test fails.
    pub fn from_env() -> Self {
        let seed = match std::env::var("SPANLOG_SEED") {
            Ok(seed) => seed.parse().expect("SPANLOG_SEED is a number"),
            Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64,
        };
        println!("SPANLOG_SEED={seed} gives the same random numbers");
        Self::new(seed)
    }

    pub fn new(seed: u64) -> Self {
        // Zero would stay zero.
        Self(seed | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }
}
