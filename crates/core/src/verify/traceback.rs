//! Python tracebacks without what depends on source files being there.
//!
//! A library that is shipped as bytecode has the same files, lines and
//! functions in its tracebacks, but not the source lines below them. That is
//! accepted for libraries; the app's own source stays, so its lines count.

/// Folders that hold libraries, not the user's code.
const LIBRARIES: [&str; 4] = [
    "/site-packages/",
    "/dist-packages/",
    "/lib/python3",
    "/lib64/python3",
];

/// The text with the source lines and the markers below them left out after
/// every frame in a library, and `.pyc` written as `.py`.
pub(super) fn normal(text: &str) -> String {
    if !text.contains("File \"") {
        return text.to_owned();
    }
    let mut result = String::with_capacity(text.len());
    // The column of the `File` of the library frame that is being skipped.
    let mut skipping: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        if let Some((column, file)) = frame(line) {
            skipping = LIBRARIES
                .iter()
                .any(|folder| file.contains(folder))
                .then_some(column);
            result.push_str(&line.replacen(".pyc\"", ".py\"", 1));
            continue;
        }
        // Source lines and their markers stand deeper than the frame.
        let deeper = |column: usize| {
            line.get(column..).is_some_and(|rest| {
                rest.starts_with("  ") && !rest.trim_start().starts_with("[Previous line repeated")
            })
        };
        match skipping {
            Some(column) if deeper(column) => {}
            _ => {
                skipping = None;
                result.push_str(line);
            }
        }
    }
    result
}

/// Where `File "..."` begins in a frame's line, and the file.
fn frame(line: &str) -> Option<(usize, &str)> {
    let column = line.find("File \"")?;
    let (file, rest) = line[column + 6..].split_once('"')?;
    let number = rest.strip_prefix(", line ")?;
    number
        .starts_with(|c: char| c.is_ascii_digit())
        .then_some((column, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITH_SOURCE: &str = r#"Traceback (most recent call last):
  File "/app/main.py", line 3, in <module>
    run()
  File "/usr/lib/python3.11/json/__init__.py", line 346, in loads
    return _default_decoder.decode(s)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/venv/lib/python3.11/site-packages/x/y.py", line 7, in decode
    raise ValueError(
    ...<2 lines>...
    )
ValueError: no
"#;

    const WITHOUT: &str = r#"Traceback (most recent call last):
  File "/app/main.py", line 3, in <module>
    run()
  File "/usr/lib/python3.11/json/__init__.pyc", line 346, in loads
  File "/venv/lib/python3.11/site-packages/x/y.py", line 7, in decode
ValueError: no
"#;

    #[test]
    fn sources_of_libraries_do_not_count() {
        assert_eq!(normal(WITH_SOURCE), normal(WITHOUT));
        assert_eq!(normal(WITH_SOURCE).lines().count(), 6);
    }

    #[test]
    fn what_the_app_itself_says_does() {
        let other = WITH_SOURCE.replace("run()", "walk()");
        assert_ne!(normal(WITH_SOURCE), normal(&other));
        let other = WITH_SOURCE.replace("line 346", "line 347");
        assert_ne!(normal(WITH_SOURCE), normal(&other));
        let other = WITH_SOURCE.replace("ValueError: no", "ValueError: yes");
        assert_ne!(normal(WITH_SOURCE), normal(&other));
    }

    #[test]
    fn tracebacks_of_groups_are_indented() {
        let with = "  | Traceback\n  |   File \"/usr/lib/python3.11/a.py\", line 1, in f\n  |     g()\n  |     ^^^\n  | E: x\n";
        let without =
            "  | Traceback\n  |   File \"/usr/lib/python3.11/a.py\", line 1, in f\n  | E: x\n";
        assert_eq!(normal(with), without);
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in [
            "",
            "plain\n    indented\n",
            "File \"x\" is missing\n    here\n",
            "no end",
        ] {
            assert_eq!(normal(text), text);
        }
    }
}
