//! Requests by the hash of their content.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The blake3 hash of a request's content. Written as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RequestKey([u8; 32]);

impl RequestKey {
    /// Of the request with this path and body, whoever it goes to.
    pub(crate) fn of(path: &str, body: &Value) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("codeward endpoint request 1");
        hasher.update(path.as_bytes()).update(b"\n");
        let mut text = String::new();
        write_sorted(body, &mut text);
        hasher.update(text.as_bytes());
        Self(*hasher.finalize().as_bytes())
    }

    /// Of the same request when it goes to `base_url`.
    pub(crate) fn at(self, base_url: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("codeward endpoint cache 1");
        hasher.update(&self.0).update(base_url.as_bytes());
        Self(*hasher.finalize().as_bytes())
    }

    /// A number in `[0, 1)` that depends on the request and `attempt` only.
    pub(crate) fn share(self, attempt: u32) -> f64 {
        let hash = blake3::keyed_hash(&self.0, &attempt.to_le_bytes());
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&hash.as_bytes()[..8]);
        // The upper 53 bits fill a double's fraction.
        (u64::from_le_bytes(bytes) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// JSON with the keys of each object in order, so that the order in which somebody wrote them does not matter.
fn write_sorted(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| name.as_str());
            text.push('{');
            for (at, (name, member)) in sorted.into_iter().enumerate() {
                text.push_str(if at == 0 { "" } else { "," });
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write_sorted(member, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { "," });
                write_sorted(item, text);
            }
            text.push(']');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

impl std::fmt::Display for RequestKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl From<RequestKey> for String {
    fn from(key: RequestKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for RequestKey {
    type Error = blake3::HexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Ok(Self(*blake3::Hash::from_hex(text)?.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(body: &str) -> RequestKey {
        RequestKey::of("chat", &serde_json::from_str(body).unwrap())
    }

    #[test]
    fn the_order_of_members_does_not_matter_and_everything_else_does() {
        let one = key(r#"{"a": [1, {"c": 2, "b": "x"}], "t": 0.5}"#);
        assert_eq!(one, key(r#"{"t": 0.5, "a": [1, {"b": "x", "c": 2}]}"#));
        for other in [
            r#"{"t": 0.5, "a": [{"b": "x", "c": 2}, 1]}"#,
            r#"{"t": 0.25, "a": [1, {"b": "x", "c": 2}]}"#,
            r#"{"t": 0.5, "a": [1, {"b": "x\",\"c\":2", "c": 2}]}"#,
        ] {
            assert_ne!(one, key(other), "{other}");
        }
        assert_ne!(one, RequestKey::of("text", &serde_json::json!({"a": [1, {"c": 2, "b": "x"}], "t": 0.5})));
        assert_ne!(one.at("http://a/v1"), one.at("http://b/v1"));
    }

    #[test]
    fn text_round_trips() {
        let one = key("{}");
        assert_eq!(RequestKey::try_from(one.to_string()).unwrap(), one);
        assert!(RequestKey::try_from("zz".to_owned()).is_err());
    }

    #[test]
    fn shares_differ_by_attempt_and_stay_within_bounds() {
        let shares: Vec<f64> = (0..1000).map(|attempt| key("{}").share(attempt)).collect();
        assert!(shares.iter().all(|share| (0.0..1.0).contains(share)));
        let mean = shares.iter().sum::<f64>() / 1000.0;
        assert!((mean - 0.5).abs() < 0.05, "{mean}");
    }
}
