//! Conditions whose outcome is known before the program runs.

use std::collections::BTreeMap;

use ruff_python_ast::{BoolOp, CmpOp, Expr, Number, UnaryOp};

use super::imports::{Aliases, Platform};

/// What a file said so far that conditions may lean on.
#[derive(Debug)]
pub struct Context {
    pub platform: Platform,
    /// Names that stand for something imported: `np` is `numpy`.
    pub aliases: Aliases,
    /// Names that were given the outcome of a known condition:
    /// `WIN = sys.platform == "win32"`.
    pub flags: BTreeMap<String, bool>,
}

/// A value that is known: text, a whole number, or a tuple of numbers.
#[derive(Debug, Clone, PartialEq)]
enum Known {
    Text(&'static str),
    Literal(String),
    Numbers(Vec<i64>),
    Number(i64),
}

/// Decides a condition for CPython on Linux. `None` where it depends on
/// anything else.
pub fn decide(test: &Expr, context: &Context) -> Option<bool> {
    match test {
        Expr::BooleanLiteral(value) => Some(value.value),
        Expr::NumberLiteral(number) => match &number.value {
            Number::Int(int) => int.as_i64().map(|n| n != 0),
            _ => None,
        },
        Expr::Name(_) | Expr::Attribute(_) => {
            let path = path(test, &context.aliases)?;
            context.flags.get(&path).copied().or_else(|| flag(&path))
        }
        Expr::UnaryOp(op) if op.op == UnaryOp::Not => {
            decide(&op.operand, context).map(|value| !value)
        }
        Expr::BoolOp(op) => {
            let values: Vec<_> = op
                .values
                .iter()
                .map(|value| decide(value, context))
                .collect();
            let decisive = op.op == BoolOp::Or;
            if values.contains(&Some(decisive)) {
                Some(decisive)
            } else if values.iter().all(Option::is_some) {
                Some(!decisive)
            } else {
                None
            }
        }
        Expr::Compare(compare) => {
            let ([op], [right]) = (&*compare.ops, &*compare.comparators) else {
                return None;
            };
            if matches!(op, CmpOp::In | CmpOp::NotIn) {
                let found = contains(right, &value(&compare.left, context)?)?;
                return Some(found == (*op == CmpOp::In));
            }
            compared(*op, value(&compare.left, context)?, value(right, context)?)
        }
        Expr::Call(call) => {
            let Expr::Attribute(method) = &*call.func else {
                return None;
            };
            let ("startswith", [Expr::StringLiteral(prefix)]) =
                (method.attr.as_str(), &*call.arguments.args)
            else {
                return None;
            };
            match value(&method.value, context)? {
                Known::Text(text) => Some(text.starts_with(prefix.value.to_str())),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The dotted path of a chain of names, aliases replaced by what they import.
pub fn path(expr: &Expr, aliases: &Aliases) -> Option<String> {
    let mut parts = Vec::new();
    let mut here = expr;
    loop {
        match here {
            Expr::Attribute(attribute) => {
                parts.push(attribute.attr.as_str());
                here = &attribute.value;
            }
            Expr::Name(name) => {
                let first = name.id.as_str();
                parts.push(aliases.get(first).map_or(first, String::as_str));
                break;
            }
            _ => return None,
        }
    }
    parts.reverse();
    Some(parts.join("."))
}

/// True for `TYPE_CHECKING` and `typing.TYPE_CHECKING`.
pub fn is_type_checking(test: &Expr) -> bool {
    let name = match test {
        Expr::Name(name) => name.id.as_str(),
        Expr::Attribute(attribute) => attribute.attr.as_str(),
        _ => return false,
    };
    name == "TYPE_CHECKING"
}

/// Names that are true or false everywhere here.
fn flag(path: &str) -> Option<bool> {
    match path.rsplit('.').next()? {
        "TYPE_CHECKING" | "MYPY" => Some(false),
        "PY2" if path == "PY2" || path.ends_with("six.PY2") => Some(false),
        "PY3" if path == "PY3" || path.ends_with("six.PY3") => Some(true),
        _ => None,
    }
}

fn value(expr: &Expr, context: &Context) -> Option<Known> {
    let (major, minor) = (
        i64::from(context.platform.version.0),
        i64::from(context.platform.version.1),
    );
    match expr {
        Expr::StringLiteral(text) => Some(Known::Literal(text.value.to_str().to_owned())),
        Expr::NumberLiteral(number) => match &number.value {
            Number::Int(int) => int.as_i64().map(Known::Number),
            _ => None,
        },
        Expr::Tuple(tuple) => tuple
            .elts
            .iter()
            .map(|item| match item {
                Expr::NumberLiteral(number) => match &number.value {
                    Number::Int(int) => int.as_i64(),
                    _ => None,
                },
                _ => None,
            })
            .collect::<Option<Vec<_>>>()
            .map(Known::Numbers),
        Expr::Name(_) | Expr::Attribute(_) => match path(expr, &context.aliases)?.as_str() {
            "sys.platform" => Some(Known::Text("linux")),
            "os.name" => Some(Known::Text("posix")),
            "sys.implementation.name" => Some(Known::Text("cpython")),
            "sys.version_info" => Some(Known::Numbers(vec![major, minor])),
            "sys.version_info.major" => Some(Known::Number(major)),
            "sys.version_info.minor" => Some(Known::Number(minor)),
            _ => None,
        },
        Expr::Call(call) if call.arguments.is_empty() => {
            match path(&call.func, &context.aliases)?.as_str() {
                "platform.system" => Some(Known::Text("Linux")),
                "platform.python_implementation" => Some(Known::Text("CPython")),
                _ => None,
            }
        }
        Expr::Subscript(subscript) => {
            let Known::Numbers(numbers) = value(&subscript.value, context)? else {
                return None;
            };
            match &*subscript.slice {
                Expr::NumberLiteral(number) => match &number.value {
                    Number::Int(int) => numbers
                        .get(usize::try_from(int.as_i64()?).ok()?)
                        .copied()
                        .map(Known::Number),
                    _ => None,
                },
                Expr::Slice(slice) if slice.lower.is_none() && slice.step.is_none() => {
                    let Some(Expr::NumberLiteral(upper)) = slice.upper.as_deref() else {
                        return None;
                    };
                    let Number::Int(upper) = &upper.value else {
                        return None;
                    };
                    let upper = usize::try_from(upper.as_i64()?).ok()?;
                    numbers
                        .get(..upper)
                        .map(|part| Known::Numbers(part.to_vec()))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// Compares where the answer is the same for every micro version.
fn compared(op: CmpOp, left: Known, right: Known) -> Option<bool> {
    use std::cmp::Ordering;
    let order = match (left, right) {
        (Known::Text(a), Known::Literal(b)) | (Known::Literal(b), Known::Text(a)) => {
            return match op {
                CmpOp::Eq => Some(a == b),
                CmpOp::NotEq => Some(a != b),
                _ => None,
            };
        }
        (Known::Number(a), Known::Number(b)) => a.cmp(&b),
        (Known::Numbers(a), Known::Numbers(b)) => {
            // `version_info` goes on after what is known of it: only a
            // difference within the known part decides, or a shorter right
            // side that is equal so far (then the left is greater).
            let common = a.len().min(b.len());
            match a[..common].cmp(&b[..common]) {
                Ordering::Equal if b.len() < 3 && a.len() >= b.len() => {
                    if b.len() == 2 && a.len() == 2 && matches!(op, CmpOp::Eq | CmpOp::NotEq) {
                        // `version_info[:2] == (3, 11)`; the whole tuple is
                        // never compared so.
                        Ordering::Equal
                    } else if matches!(op, CmpOp::GtE | CmpOp::Lt) {
                        Ordering::Greater
                    } else {
                        return None;
                    }
                }
                Ordering::Equal => return None,
                other => other,
            }
        }
        _ => return None,
    };
    match op {
        CmpOp::Eq => Some(order.is_eq()),
        CmpOp::NotEq => Some(order.is_ne()),
        CmpOp::Lt => Some(order.is_lt()),
        CmpOp::LtE => Some(order.is_le()),
        CmpOp::Gt => Some(order.is_gt()),
        CmpOp::GtE => Some(order.is_ge()),
        _ => None,
    }
}

fn contains(list: &Expr, item: &Known) -> Option<bool> {
    let Known::Text(item) = item else {
        return None;
    };
    let items: Vec<&Expr> = match list {
        Expr::Tuple(tuple) => tuple.elts.iter().collect(),
        Expr::List(list) => list.elts.iter().collect(),
        Expr::Set(set) => set.elts.iter().collect(),
        _ => return None,
    };
    let mut found = false;
    for other in items {
        let Expr::StringLiteral(text) = other else {
            return None;
        };
        found |= text.value.to_str() == *item;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use ruff_python_parser::parse_expression;

    use super::*;

    fn decided(text: &str) -> Option<bool> {
        let context = Context {
            platform: Platform { version: (3, 11) },
            aliases: Aliases::from([("t".to_owned(), "typing".to_owned())]),
            flags: BTreeMap::from([("WIN".to_owned(), false)]),
        };
        decide(parse_expression(text).unwrap().expr(), &context)
    }

    #[test]
    fn platform_and_version() {
        for (text, expected) in [
            ("sys.platform == 'win32'", Some(false)),
            ("sys.platform.startswith('linux')", Some(true)),
            ("os.name in ('nt', 'ce')", Some(false)),
            ("sys.version_info >= (3, 8)", Some(true)),
            ("sys.version_info >= (3, 11)", Some(true)),
            ("sys.version_info < (3, 11)", Some(false)),
            ("sys.version_info > (3, 11)", None),
            ("sys.version_info >= (3, 11, 4)", None),
            ("sys.version_info[0] == 2", Some(false)),
            ("sys.version_info[:2] == (3, 11)", Some(true)),
            ("sys.version_info.major < 3", Some(false)),
            ("sys.version_info[0] >= 3 and x", None),
            ("t.TYPE_CHECKING", Some(false)),
            ("not TYPE_CHECKING or x", Some(true)),
            ("platform.system() == 'Windows'", Some(false)),
            ("sys.platform == name", None),
            ("six.PY2", Some(false)),
            ("not WIN", Some(true)),
        ] {
            assert_eq!(decided(text), expected, "{text}");
        }
    }
}
