//! Strings with a meaning: addresses, domains, sizes. Their rules travel with them into every schema.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[serde(transparent)]
        pub struct $type(pub String);

        impl $type {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $type {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

name! {
    /// A mail address in lower case, such as `anna@example.org`.
    MailAddress
}

name! {
    /// A domain name in lower case, such as `example.org`; other scripts as `xn--` labels.
    DomainName
}

name! {
    /// A size such as `500Mi` or `10Gi` (a Kubernetes quantity in octets).
    Size
}

impl MailAddress {
    /// What is behind the `@`.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl Size {
    /// Octets; `None` when it is not a quantity of whole octets.
    pub fn octets(&self) -> Option<u64> {
        let text = self.0.trim();
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at(split);
        let factor: u64 = match suffix {
            "" => 1,
            "k" => 1000,
            "M" => 1000_u64.pow(2),
            "G" => 1000_u64.pow(3),
            "T" => 1000_u64.pow(4),
            "P" => 1000_u64.pow(5),
            "Ki" => 1 << 10,
            "Mi" => 1 << 20,
            "Gi" => 1 << 30,
            "Ti" => 1 << 40,
            "Pi" => 1 << 50,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let whole = if whole.is_empty() && !fraction.is_empty() { 0 } else { whole.parse::<u64>().ok()? };
        let mut octets = whole.checked_mul(factor)?;
        if !fraction.is_empty() {
            let digits = fraction.get(..fraction.len().min(9))?;
            let scale = 10_u64.pow(u32::try_from(digits.len()).ok()?);
            let part = u128::from(digits.parse::<u64>().ok()?) * u128::from(factor) / u128::from(scale);
            octets = octets.checked_add(u64::try_from(part).ok()?)?;
        }
        Some(octets)
    }
}

/// The schema of a name: its lengths, its rule, and what is said when that does not hold.
macro_rules! schema {
    ($type:ident, $shortest:literal, $longest:literal, $rule:expr, $message:literal) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "minLength": $shortest,
                    "maxLength": $longest,
                    "x-kubernetes-validations": [{"rule": $rule, "message": $message}],
                })
            }
        }
    };
}

schema!(
    MailAddress,
    3,
    320,
    format!("self.matches('{ADDRESS}')"),
    "a mail address in lower case is wanted, such as anna@example.org"
);

schema!(
    DomainName,
    1,
    253,
    format!("self.matches('^{DOMAIN}$')"),
    "a domain name in lower case is wanted, such as example.org"
);

schema!(
    Size,
    1,
    24,
    "self.matches('^([0-9]+|[0-9]*[.][0-9]+)(k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$')",
    "a size in octets is wanted, such as 500Mi or 10Gi"
);

const DOMAIN: &str = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?([.][a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*";
/// RFC 5321 §4.5.3.1.1: a local part has at most 64 octets. No quoted local parts: no client can type them.
const ADDRESS: &str = "^[^@A-Z[:space:][:cntrl:]<>()\\\\[\\\\],;:\"]{1,64}@[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?([.][a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_octets() {
        for (text, octets) in [
            ("0", Some(0)),
            ("1500", Some(1500)),
            ("2k", Some(2000)),
            ("10Mi", Some(10 << 20)),
            ("1.5Gi", Some(3 << 29)),
            (".5Ki", Some(512)),
            ("10GB", None),
            ("-1", None),
            ("", None),
            ("99999999999999999999", None),
            ("18446744073709551615Ki", None),
        ] {
            assert_eq!(Size::from(text).octets(), octets, "{text}");
        }
    }
}
