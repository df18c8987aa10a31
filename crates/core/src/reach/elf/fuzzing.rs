//! A door for fuzzers to the readers that are private otherwise.

use super::modules;

/// `nsswitch.conf` and `gconv-modules`.
pub fn tables(text: &str) {
    modules::parse_services(text);
    modules::parse_conversions(text);
}
