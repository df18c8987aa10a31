//! A small Debian package client: the runtime that an app is built on comes
//! from Debian's own packages, without apt, dpkg or root.
//!
//! `InRelease` (signature) → `Packages.xz` (hash) → `.deb` (hash) → a folder.
//! No maintainer script runs; what the few that matter would do is done here.
//! Source packages come the same way, by `Sources.xz`, as files.

mod ahead;
mod archive;
mod assemble;
mod boiled;
mod database;
mod deb;
mod decompress;
mod effects;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod index;
mod keyring;
mod lock;
mod mirror;
mod packages;
mod paragraph;
mod relation;
mod release;
mod resolve;
mod root;
mod source_index;
mod source_packages;
mod sources;
mod suite;
mod unpack;
mod version;

pub use archive::{Desk, load_indexes, load_source_indexes};
pub use assemble::{Assembled, assemble, fetch};
pub use error::{Error, Result};
pub use index::{Index, IndexError, Listing};
pub use keyring::{Distrust, Keyring, Verified};
pub use lock::{LockedDeb, lock};
pub use mirror::Mirror;
pub use packages::{build_packages, common_packages, compiler_packages, python_packages};
pub use release::{Listed, Mismatch, Release};
pub use resolve::{DebRef, Held, Indexes};
pub use source_index::{SourceIndex, SourceListing, SourcePart};
pub use source_packages::{
    LockedFile, LockedSource, Obtained, SourceFiles, SourceIndexes, SourceWanted, fetch_sources,
    obtain_sources,
};
pub use sources::{SignedBy, Source, parse_list, parse_sources};
pub use suite::{Archive, Suite, UnknownSuite};
pub use version::compare as compare_versions;
