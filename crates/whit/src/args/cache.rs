//! Flags of the commands about caches.

use clap::{Args, Subcommand};
use whit_core::size::Bytes;

#[derive(Debug, Args)]
pub struct Cache {
    #[command(subcommand)]
    pub command: Option<CacheCommand>,
    /// Print the list as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// Remove what was not used for the longest time
    Prune {
        /// What may stay, e.g. 5G
        #[arg(long, value_name = "SIZE")]
        max: Bytes,
    },
    /// Remove everything, or all of some caches
    Clear {
        /// Caches by the names that `whit cache` prints
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
}
