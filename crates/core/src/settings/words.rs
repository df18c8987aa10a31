//! Values that may be written in two ways.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a text or a list of texts")]
#[schemars(description = "One text that is split as a shell would, or a list of words")]
pub enum Words {
    Text(String),
    List(Vec<String>),
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a name or a number")]
#[schemars(description = "A name or a number")]
pub enum TextOrNumber {
    Text(String),
    Number(u32),
}

/// A command; splits a text as a shell would.
pub fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let words = match Words::deserialize(deserializer)? {
        Words::List(list) => list,
        Words::Text(text) => shlex::split(&text)
            .ok_or_else(|| serde::de::Error::custom("a quotation mark is not closed"))?,
    };
    if words.is_empty() {
        return Err(serde::de::Error::custom("the command is empty"));
    }
    Ok(Some(words))
}

/// A name that may be a number.
pub fn text_or_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    Ok(Some(match TextOrNumber::deserialize(deserializer)? {
        TextOrNumber::Text(text) => text,
        TextOrNumber::Number(number) => number.to_string(),
    }))
}
