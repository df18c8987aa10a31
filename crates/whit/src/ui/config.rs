//! Settings and who decided them.

use serde_json::Value;
use whit_core::settings::Explained;

use super::printable::printable;
use super::report::table;

/// A line per value.
pub fn print_config(rows: &[Explained]) {
    let mut table = table();
    table.set_header(["key", "value", "from"]);
    for row in rows {
        table.add_row([
            printable(&row.key),
            printable(&shown(&row.value)),
            printable(&row.from),
        ]);
    }
    anstream::println!("{table}");
}

/// As `whit.toml` writes it.
fn shown(value: &Value) -> String {
    match toml::Value::try_from(value) {
        Ok(value) => value.to_string(),
        Err(_) => value.to_string(),
    }
}
