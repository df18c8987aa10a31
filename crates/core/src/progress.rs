//! What a long step tells whoever watches.

/// Somebody who watches: a terminal, a test, nobody.
///
/// Shared between threads, so every method takes `&self`.
pub trait Progress: Sync {
    /// A new phase began. `total` is how many bytes [`Progress::advance`] will
    /// be told of, where that is known.
    fn phase(&self, name: &str, total: Option<u64>);
    /// So many more bytes of the current phase are done.
    fn advance(&self, bytes: u64);
    /// Something worth a line of its own.
    fn note(&self, text: &str);
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn phase(&self, _: &str, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
    fn note(&self, _: &str) {}
}
