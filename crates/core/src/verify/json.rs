//! JSON compared by shape: the same structure and types, and the same values
//! wherever the originals agree.

use serde_json::{Map, Value};

use super::text::{outline, same_text};

/// Where a document differs, and how.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// A JSON pointer (RFC 6901); empty for the document itself.
    pub(super) pointer: String,
    pub(super) expected: String,
    pub(super) got: String,
}

/// Parts of a key that say that its number is a measurement of time.
const MEASURED: [&str; 6] = [
    "elapsed", "duration", "latency", "uptime", "took", "time_ms",
];

/// Compares `small` with what the originals have in common.
pub(super) fn compare(originals: &[&Value], small: &Value) -> Result<(), Mismatch> {
    value(originals, small, "")
}

fn value(originals: &[&Value], small: &Value, pointer: &str) -> Result<(), Mismatch> {
    if originals.contains(&small) {
        return Ok(());
    }
    let fail = || {
        Err(Mismatch {
            pointer: pointer.to_owned(),
            expected: shorten(originals[0]),
            got: shorten(small),
        })
    };
    // Where the originals are of several types, each is compared with its own.
    let like: Vec<&Value> = originals
        .iter()
        .copied()
        .filter(|original| kind(original) == kind(small))
        .collect();
    if like.is_empty() {
        return fail();
    }
    match small {
        Value::Object(seen) => {
            let like: Vec<&Map<String, Value>> =
                like.iter().filter_map(|value| value.as_object()).collect();
            objects(&like, seen, pointer)
        }
        Value::Array(seen) => {
            let like: Vec<&[Value]> = like
                .iter()
                .filter_map(|value| value.as_array().map(Vec::as_slice))
                .collect();
            arrays(&like, seen, pointer)
        }
        Value::String(seen) => {
            let like: Vec<&str> = like.iter().filter_map(|value| value.as_str()).collect();
            if same_text(&like, seen) {
                Ok(())
            } else {
                fail()
            }
        }
        Value::Number(seen) => {
            let changes = like.iter().any(|value| *value != like[0]);
            let key = pointer
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_lowercase();
            let measured = MEASURED.iter().any(|word| key.contains(word));
            // Seconds since the epoch may be the same in both by chance.
            let clock = || same_text(&[&like[0].to_string()], &seen.to_string());
            if changes || measured || clock() {
                Ok(())
            } else {
                fail()
            }
        }
        Value::Bool(_) if like.iter().any(|value| *value != like[0]) => Ok(()),
        _ => fail(),
    }
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

fn objects(
    originals: &[&Map<String, Value>],
    small: &Map<String, Value>,
    pointer: &str,
) -> Result<(), Mismatch> {
    let at = |key: &str| format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
    let always = |key: &str| originals.iter().all(|o| o.contains_key(key));
    // Keys that only some runs have: identifiers used as keys, optional fields.
    let loose: Vec<&Value> = originals
        .iter()
        .flat_map(|o| o.iter())
        .filter(|(key, _)| !always(key))
        .map(|(_, value)| value)
        .collect();
    let loose_keys: Vec<&str> = originals
        .iter()
        .flat_map(|o| o.keys())
        .filter(|key| !always(key))
        .map(String::as_str)
        .collect();
    if let Some((key, expected)) = originals[0]
        .iter()
        .find(|(key, _)| always(key) && !small.contains_key(*key))
    {
        return Err(Mismatch {
            pointer: at(key),
            expected: shorten(expected),
            got: "nothing".to_owned(),
        });
    }
    for (key, seen) in small {
        let known: Vec<&Value> = originals.iter().filter_map(|o| o.get(key)).collect();
        if !known.is_empty() {
            value(&known, seen, &at(key))?;
        } else if loose.is_empty() || !same_text(&loose_keys, key) {
            return Err(Mismatch {
                pointer: at(key),
                expected: "nothing".to_owned(),
                got: shorten(seen),
            });
        } else {
            value(&loose, seen, &at(key))?;
        }
    }
    Ok(())
}

fn arrays(originals: &[&[Value]], small: &[Value], pointer: &str) -> Result<(), Mismatch> {
    match rearranged(originals, small) {
        None => {}
        Some(true) => return Ok(()),
        Some(false) => {
            return Err(Mismatch {
                pointer: pointer.to_owned(),
                expected: format!("in any order {}", list(originals[0])),
                got: list(small),
            });
        }
    }
    let length = originals[0].len();
    if originals.iter().any(|o| o.len() != length) {
        // Even the length changes: each element is like one of theirs.
        let all: Vec<&Value> = originals.iter().copied().flatten().collect();
        return small
            .iter()
            .enumerate()
            .try_for_each(|(at, seen)| value(&all, seen, &format!("{pointer}/{at}")));
    }
    if small.len() != length {
        return Err(Mismatch {
            pointer: pointer.to_owned(),
            expected: format!("{length} elements"),
            got: format!("{} elements", small.len()),
        });
    }
    small.iter().enumerate().try_for_each(|(at, seen)| {
        let known: Vec<&Value> = originals.iter().map(|o| &o[at]).collect();
        value(&known, seen, &format!("{pointer}/{at}"))
    })
}

/// For a set as a list, where the originals have the same elements in
/// different orders: whether `small` has them too, apart from values. `None`
/// where the originals are nothing of that kind.
fn rearranged(originals: &[&[Value]], small: &[Value]) -> Option<bool> {
    let sorted = |list: &[Value], text: &dyn Fn(&Value) -> String| {
        let mut texts: Vec<String> = list.iter().map(text).collect();
        texts.sort_unstable();
        texts
    };
    let (base, others) = originals.split_first()?;
    if others.iter().all(|other| other == base) {
        return None;
    }
    let elements = sorted(base, &Value::to_string);
    if others
        .iter()
        .any(|other| sorted(other, &Value::to_string) != elements)
    {
        return None;
    }
    let shape = |value: &Value| outline(&value.to_string());
    Some(sorted(base, &shape) == sorted(small, &shape))
}

fn list(values: &[Value]) -> String {
    shorten(&Value::from(values.to_vec()))
}

fn shorten(value: &Value) -> String {
    super::printable(&value.to_string(), 200)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(originals: [Value; 2], small: Value) -> Result<(), String> {
        compare(&[&originals[0], &originals[1]], &small).map_err(|mismatch| mismatch.pointer)
    }

    #[test]
    fn accepted() {
        for (originals, small) in [
            ([json!({"a": 1}), json!({"a": 1})], json!({"a": 1})),
            (
                [json!({"id": 1, "n": "x"}), json!({"id": 2, "n": "x"})],
                json!({"id": 9, "n": "x"}),
            ),
            (
                [json!({"t": 1793622896}), json!({"t": 1793622896})],
                json!({"t": 1793622899}),
            ),
            (
                [
                    json!({"t": "2026-11-02T10:00:00"}),
                    json!({"t": "2026-11-02T10:00:00"}),
                ],
                json!({"t": "2026-11-02T10:00:05"}),
            ),
            (
                [json!({"elapsed": 0.1}), json!({"elapsed": 0.1})],
                json!({"elapsed": 0.3}),
            ),
            ([json!(["a", "b"]), json!(["b", "a"])], json!(["a", "b"])),
            ([json!([1, 2, 3]), json!([3, 1, 2])], json!([2, 1, 3])),
            // Two runs cannot tell a set of numbers from two counters.
            ([json!([1, 2]), json!([2, 1])], json!([2, 2])),
            (
                [json!([{"p": 1}]), json!([{"p": 2}, {"p": 3}])],
                json!([{"p": 5}, {"p": 6}, {"p": 7}]),
            ),
            ([json!({"x": null}), json!({"x": "s"})], json!({"x": null})),
            (
                [json!({"x": true}), json!({"x": false})],
                json!({"x": true}),
            ),
            (
                [
                    json!({"a1b2c3d4e5": {"n": 1}}),
                    json!({"f6a7b8c9d0": {"n": 1}}),
                ],
                json!({"0123456789": {"n": 1}}),
            ),
            (
                [json!({"a": 1, "extra": 2}), json!({"a": 1})],
                json!({"a": 1}),
            ),
            ([json!("host a81"), json!("host b92")], json!("host c03")),
        ] {
            assert_eq!(
                check(originals.clone(), small.clone()),
                Ok(()),
                "{originals:?} {small}"
            );
        }
    }

    #[test]
    fn refused() {
        for (originals, small, pointer) in [
            ([json!({"a": 1}), json!({"a": 1})], json!({"a": 2}), "/a"),
            ([json!({"a": 1}), json!({"a": 1})], json!({"a": "1"}), "/a"),
            ([json!({"a": 1}), json!({"a": 1})], json!({}), "/a"),
            (
                [json!({"a": 1}), json!({"a": 1})],
                json!({"a": 1, "b": 2}),
                "/b",
            ),
            ([json!({"a": 1}), json!({"a": 1})], json!([]), ""),
            ([json!([1, 2]), json!([1, 2])], json!([1]), ""),
            ([json!([1, 2]), json!([1, 2])], json!([2, 1]), "/0"),
            (
                [json!(["a", "b"]), json!(["b", "a"])],
                json!(["b", "b"]),
                "",
            ),
            (
                [
                    json!({"id": 1, "l": [{"n": "x"}]}),
                    json!({"id": 2, "l": [{"n": "x"}]}),
                ],
                json!({"id": 3, "l": [{"n": "y"}]}),
                "/l/0/n",
            ),
            (
                [json!({"x": null}), json!({"x": null})],
                json!({"x": "s"}),
                "/x",
            ),
            (
                [json!({"x": null}), json!({"x": 1})],
                json!({"x": "s"}),
                "/x",
            ),
            (
                [json!({"a/b": true}), json!({"a/b": true})],
                json!({"a/b": false}),
                "/a~1b",
            ),
        ] {
            let found = check(originals.clone(), small.clone());
            assert_eq!(found, Err(pointer.to_owned()), "{originals:?} {small}");
        }
    }
}
