//! A door for fuzzers to the readers that are private otherwise.

use super::manifest::Manifest;
use super::mentions::Mentions;

/// A source text, a data text and a `package.json`.
pub fn read(bytes: &[u8]) {
    Mentions::of_code(bytes);
    Mentions::of_data(bytes);
    Manifest::parse(bytes);
}
