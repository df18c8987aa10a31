//! The same matrix for `docker compose` (the Compose Specification).

use std::fmt::Write;

use super::Variant;

/// A Compose file: one service per variant. Those that are to fail have a
/// profile of their own, so that `up` leaves them out.
///
/// `context` is the matrix's folder as the file shall name it.
pub fn compose(variants: &[Variant], context: &str, build_args: &[String]) -> String {
    let mut text = String::from("services:\n");
    // Writing to a string cannot fail.
    for variant in variants {
        let name = service(variant);
        let _ = write!(
            text,
            "  {name}:\n    image: {}\n    build:\n      context: {}\n      dockerfile: {}\n",
            quoted(&format!("matrix/{name}")),
            quoted(context),
            quoted(&variant.file),
        );
        if !build_args.is_empty() {
            text.push_str("      args:\n");
            for pair in build_args {
                let _ = writeln!(text, "        - {}", quoted(pair));
            }
        }
        if variant.should_fail {
            text.push_str("    profiles: [\"err\"]\n");
        }
    }
    text
}

/// A service's name: lower case letters, digits, `-`, `_` and `.`, so that it
/// is an image's too.
fn service(variant: &Variant) -> String {
    let of = |part: &Option<String>| part.as_ref().map(|part| format!("-{part}"));
    let name = format!(
        "{}{}{}{}",
        variant.program,
        of(&variant.build).unwrap_or_default(),
        of(&variant.run).unwrap_or_default(),
        if variant.should_fail { "-err" } else { "" },
    );
    let safe = |c: char| match c.to_ascii_lowercase() {
        c if c.is_ascii_alphanumeric() => c,
        _ => '-',
    };
    name.chars().map(safe).collect()
}

/// A string in YAML's double quotes: JSON's are among them (YAML 1.2, 1.3).
/// Compose takes `$` for a variable.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text.replace('$', "$$")).to_string()
}
