//! A delay in a scenario: the name of one in the catalogue, or a distribution written out.

use crate::catalog::Distribution;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, Serialize, de};
use std::borrow::Cow;
use std::fmt;

/// `"pull-nvme"`, or `{ lognormal = { median = "40s", sigma = 0.35 } }`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum DelaySetting {
    /// A delay of the catalogue.
    Named(String),
    /// A distribution.
    Written(Distribution),
}

impl DelaySetting {
    /// The delay of the catalogue with this name.
    pub(crate) fn named(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

impl<'de> Deserialize<'de> for DelaySetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> de::Visitor<'de> for Either {
            type Value = DelaySetting;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a delay, or one such as `{ fixed = \"30s\" }`")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<DelaySetting, E> {
                Ok(DelaySetting::named(name))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<DelaySetting, A::Error> {
                Distribution::deserialize(MapAccessDeserializer::new(map))
                    .map(DelaySetting::Written)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for DelaySetting {
    fn schema_name() -> Cow<'static, str> {
        "Delay".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let written = generator.subschema_for::<Distribution>();
        let named = json_schema!({ "type": "string", "description": "a delay of the catalogue" });
        json_schema!({ "anyOf": [named, written] })
    }
}
