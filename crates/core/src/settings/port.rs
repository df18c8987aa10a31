//! Ports.

use std::borrow::Cow;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::words::text_or_number;

/// A port as `EXPOSE` writes it: `8000` or `53/udp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    pub number: u16,
    pub udp: bool,
}

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, udp) = match text.split_once('/') {
            None => (text, false),
            Some((number, protocol)) if protocol.eq_ignore_ascii_case("tcp") => (number, false),
            Some((number, protocol)) if protocol.eq_ignore_ascii_case("udp") => (number, true),
            Some(_) => return Err(format!("{text:?} is not PORT, PORT/tcp or PORT/udp")),
        };
        match number.parse() {
            Ok(number) if number > 0 => Ok(Self { number, udp }),
            _ => Err(format!("{text:?} is not a port")),
        }
    }
}

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}/{}",
            self.number,
            if self.udp { "udp" } else { "tcp" }
        )
    }
}

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_or_number(deserializer)?
            .unwrap_or_default()
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl Serialize for Port {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Port {
    fn schema_name() -> Cow<'static, str> {
        "Port".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 1, "maximum": 65535 },
                { "type": "string", "pattern": "^[0-9]{1,5}(/([tT][cC][pP]|[uU][dD][pP]))?$" }
            ]
        })
    }
}
