//! What habits cost, where no image is there to measure.
//!
//! Everything in these tables was measured, with what is said beside it;
//! what could not be measured is not in them, and a finding says so.

mod debian;

pub use debian::apt;

/// `/var/lib/apt/lists` after `apt-get update` with `main` of bookworm,
/// bookworm-updates and bookworm-security, as lz4 (May 2025): 19.8 MB.
/// Ubuntu's lists, with `universe`, are larger.
pub const APT_LISTS: u64 = 20_000_000;

/// What the `buildpack-deps:bookworm` set of packages adds to a minimal
/// Debian (`scripts/lint-costs.py`): the difference between an official image
/// of a language and its `-slim`.
pub const BUILDPACK: u64 = 728_000_000;

/// The wheels of `examples/fastapi`: 14.7 MB; of `examples/pandas` 29.9 MB, of
/// `examples/falcon` 1.2 MB.
pub const PIP_CACHE: u64 = 15_000_000;

/// npm's cache after `npm install express sequelize pg winston`: 25.8 MB; of
/// `express` alone 5.3 MB, of `react react-dom next` 139 MB.
pub const NPM_CACHE: u64 = 26_000_000;
