//! Sizes and bandwidths as people write them: decimal, as engines and
//! providers do.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of bytes, written `20MB`, `1.5 GB`, `500k`, `16MiB` or `1000000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// Bits per second, written `5Mbps`, `1Gbps` or `5` for megabits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bandwidth(u64);

/// A text that is no size or bandwidth.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what} like {examples}")]
pub struct UnitError {
    pub text: String,
    pub what: &'static str,
    /// How to write one.
    pub examples: &'static str,
}

impl FromStr for Bytes {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        scaled(text, |unit| {
            Some(match unit {
                "" | "b" => 1,
                "k" | "kb" => 1_000,
                "m" | "mb" => 1_000_000,
                "g" | "gb" => 1_000_000_000,
                "t" | "tb" => 1_000_000_000_000,
                "kib" => 1 << 10,
                "mib" => 1 << 20,
                "gib" => 1 << 30,
                _ => return None,
            })
        })
        .map(Self)
        .ok_or_else(|| UnitError {
            text: text.to_owned(),
            what: "size",
            examples: "20MB, 1.5GB or 500k",
        })
    }
}

impl Bandwidth {
    /// What pull times are told for where nobody says otherwise: a mobile
    /// phone, a home, a data centre.
    pub const DEFAULTS: [Self; 3] = [Self(5_000_000), Self(100_000_000), Self(1_000_000_000)];

    /// Whole megabits per second.
    pub fn mbps(self) -> u64 {
        self.0 / 1_000_000
    }

    /// How long `bytes` take, by their number alone: no latency, no unpacking.
    pub fn seconds(self, bytes: u64) -> f64 {
        bytes as f64 * 8.0 / self.0 as f64
    }
}

impl FromStr for Bandwidth {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        scaled(text, |unit| {
            let unit = unit
                .strip_suffix("bps")
                .or(unit.strip_suffix("bit/s"))
                .unwrap_or(unit);
            Some(match unit {
                "k" => 1_000,
                "" | "m" => 1_000_000,
                "g" => 1_000_000_000,
                _ => return None,
            })
        })
        .filter(|bits| *bits > 0)
        .map(Self)
        .ok_or_else(|| UnitError {
            text: text.to_owned(),
            what: "bandwidth",
            examples: "20Mbps or 1Gbps",
        })
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = match self.0 {
            1_000_000_000.. => (1e9, "Gbps"),
            1_000_000.. => (1e6, "Mbps"),
            _ => (1e3, "kbps"),
        };
        write!(f, "{} {name}", self.0 as f64 / unit)
    }
}

impl Serialize for Bandwidth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl JsonSchema for Bytes {
    fn schema_name() -> Cow<'static, str> {
        "Bytes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                {
                    "type": "string",
                    "pattern": "^ *[0-9]+([.][0-9]*)? *([kKmMgGtT]?[bB]?|[kKmMgG][iI][bB]) *$"
                }
            ]
        })
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a size like \"20MB\" or a number of bytes")]
        enum Either {
            Text(String),
            Number(u64),
        }
        match Either::deserialize(deserializer)? {
            Either::Number(number) => Ok(Self(number)),
            Either::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

/// A number, which may have a fraction, times its unit.
fn scaled(text: &str, factor: impl Fn(&str) -> Option<u64>) -> Option<u64> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = factor(&unit.trim().to_ascii_lowercase())?;
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    let product = number.parse::<f64>().ok()? * factor as f64;
    (product.is_finite() && product < u64::MAX as f64).then_some(product.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, want) in [
            ("20G", Some(20_000_000_000)),
            ("500 MB", Some(500_000_000)),
            ("1.5kB", Some(1500)),
            ("16MiB", Some(16 << 20)),
            ("12", Some(12)),
            ("", None),
            (".", None),
            ("many", None),
            ("-1", None),
            ("99999999999T", None),
        ] {
            let found = text.parse().ok().map(|Bytes(bytes)| bytes);
            assert_eq!(found, want, "{text}");
        }
    }

    #[test]
    fn bandwidths() {
        for (text, want) in [
            ("5", Some("5 Mbps")),
            ("1Gbps", Some("1 Gbps")),
            ("2.5 gbit/s", Some("2.5 Gbps")),
            ("56kbps", Some("56 kbps")),
            ("0", None),
            ("fast", None),
        ] {
            let found = text.parse::<Bandwidth>().ok().map(|b| b.to_string());
            assert_eq!(found.as_deref(), want, "{text}");
        }
        assert!((Bandwidth::DEFAULTS[0].seconds(5_000_000) - 8.0).abs() < 1e-9);
    }
}
