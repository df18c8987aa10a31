//! What whit keeps between runs.

use std::path::Path;

use comfy_table::{CellAlignment, Table, presets};
use whit_core::upkeep::CacheUse;

use super::report::bytes;

/// A line per cache, and the sum.
pub fn print_caches(root: &Path, caches: &[CacheUse]) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["cache", "entries", "size", "what"]);
    for cache in caches {
        table.add_row([
            cache.name.to_owned(),
            cache.entries.to_string(),
            bytes(cache.bytes),
            cache.what.to_owned(),
        ]);
    }
    for column in table.column_iter_mut().skip(1).take(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    anstream::println!("{table}");
    let total = caches.iter().map(|cache| cache.bytes).sum();
    anstream::println!("{} in {}", bytes(total), root.display());
}

/// What was removed.
pub fn print_freed(entries: u64, freed: u64) {
    match entries {
        0 => anstream::println!("nothing to remove"),
        _ => anstream::println!("removed {entries} entries, {}", bytes(freed)),
    }
}
