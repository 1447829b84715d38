//! A hash of everything that happened, in the order in which it happened.

use contract::Instant;
use xxhash_rust::xxh3::Xxh3;

/// Collects events; equal runs give equal digests.
pub(crate) struct Fingerprint {
    hash: Box<Xxh3>,
    buffer: Vec<u8>,
    events: u64,
}

/// Bytes gathered before they are hashed at once.
const BATCH: usize = 4096;

impl Default for Fingerprint {
    fn default() -> Self {
        Self { hash: Box::new(Xxh3::new()), buffer: Vec::with_capacity(2 * BATCH), events: 0 }
    }
}

impl Fingerprint {
    /// Something happened: what (a tag of its kind) to whom.
    pub(crate) fn event(&mut self, at: Instant, tag: u8, who: u64) {
        self.events += 1;
        self.buffer.extend_from_slice(&at.0.to_le_bytes());
        self.buffer.extend_from_slice(&(who << 8 | u64::from(tag)).to_le_bytes());
        if self.buffer.len() >= BATCH {
            self.flush();
        }
    }

    /// A text of any length, such as an action.
    pub(crate) fn text(&mut self, at: Instant, text: &str) {
        self.events += 1;
        self.buffer.extend_from_slice(&at.0.to_le_bytes());
        self.buffer.extend_from_slice(text.as_bytes());
        self.flush();
    }

    /// How many events were told.
    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    /// The digest as 32 hex digits.
    pub(crate) fn digest(&mut self) -> String {
        self.flush();
        format!("{:032x}", self.hash.digest128())
    }

    fn flush(&mut self) {
        self.hash.update(&self.buffer);
        self.buffer.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(events: &[(u64, u8, u64)]) -> String {
        let mut fingerprint = Fingerprint::default();
        for &(at, tag, who) in events {
            fingerprint.event(Instant(at), tag, who);
        }
        fingerprint.digest()
    }

    #[test]
    fn order_time_kind_and_entity_all_count() {
        let base = digest(&[(1, 2, 3), (4, 5, 6)]);
        assert_eq!(base, digest(&[(1, 2, 3), (4, 5, 6)]));
        for other in [
            digest(&[(4, 5, 6), (1, 2, 3)]),
            digest(&[(1, 2, 3), (5, 5, 6)]),
            digest(&[(1, 2, 3), (4, 6, 6)]),
            digest(&[(1, 2, 3), (4, 5, 7)]),
        ] {
            assert_ne!(base, other);
        }
    }
}
