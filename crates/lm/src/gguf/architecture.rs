//! From a GGUF file's metadata to the shape of a model and its Hugging Face `config.json`.

use std::io::{Read, Seek};

use serde_json::{Value, json};

use super::error::GgufError;
use super::reader::{GgufFile, MetadataValue};

/// A family of models that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Llama,
    Qwen2,
    Qwen3,
    Gemma3,
}

impl Family {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "llama" => Some(Self::Llama),
            "qwen2" => Some(Self::Qwen2),
            "qwen3" => Some(Self::Qwen3),
            "gemma3" => Some(Self::Gemma3),
            _ => None,
        }
    }

    /// How GGUF's keys begin.
    fn prefix(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Gemma3 => "gemma3",
        }
    }

    /// `architectures` and `model_type` of `config.json`.
    fn hugging_face_names(self) -> (&'static str, &'static str) {
        match self {
            Self::Llama => ("LlamaForCausalLM", "llama"),
            Self::Qwen2 => ("Qwen2ForCausalLM", "qwen2"),
            Self::Qwen3 => ("Qwen3ForCausalLM", "qwen3"),
            Self::Gemma3 => ("Gemma3ForCausalLM", "gemma3_text"),
        }
    }
}

/// What decides which tensors a model has.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shape {
    pub(super) family: Family,
    pub(super) hidden: usize,
    pub(super) inner: usize,
    pub(super) num_layers: usize,
    pub(super) num_heads: usize,
    pub(super) num_key_heads: usize,
    pub(super) head_dim: usize,
    pub(super) vocab_size: usize,
    pub(super) is_tied: bool,
    pub(super) has_attention_bias: bool,
}

/// The metadata of one architecture.
struct Keys<'a, R> {
    file: &'a GgufFile<R>,
    prefix: &'static str,
}

impl<R: Read + Seek> Keys<'_, R> {
    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.prefix)
    }

    fn value(&self, key: &str) -> Option<&MetadataValue> {
        self.file.metadata().get(&self.key(key))
    }

    fn wrong<T>(&self, key: &str, expected: &'static str) -> Result<T, GgufError> {
        Err(GgufError::WrongValue { key: self.key(key), expected })
    }

    /// A positive integer up to `most`, if the key is there. A list that gives each layer the same counts as one.
    fn count(&self, key: &str, most: usize) -> Result<Option<usize>, GgufError> {
        let found = match self.value(key) {
            None => return Ok(None),
            Some(MetadataValue::Unsigned(number)) => *number,
            Some(MetadataValue::Numbers(numbers)) => match numbers.as_slice() {
                [first, rest @ ..] if rest.iter().all(|number| number == first) && *first >= 0.0 => *first as u64,
                _ => {
                    let found = "one number for each layer".to_owned();
                    return Err(GgufError::UnsupportedFeature { feature: self.key(key), found });
                }
            },
            Some(_) => return self.wrong(key, "an integer above zero"),
        };
        match usize::try_from(found) {
            Ok(found) if found > 0 && found <= most => Ok(Some(found)),
            _ => self.wrong(key, "an integer within what models have"),
        }
    }

    fn needed_count(&self, key: &str, most: usize) -> Result<usize, GgufError> {
        self.count(key, most)?.ok_or_else(|| GgufError::MissingKey { key: self.key(key) })
    }

    fn number(&self, key: &str) -> Result<Option<f64>, GgufError> {
        match self.value(key) {
            None => Ok(None),
            Some(MetadataValue::Float(number)) if number.is_finite() => Ok(Some(shortest(*number))),
            Some(MetadataValue::Unsigned(number)) => Ok(Some(*number as f64)),
            Some(_) => self.wrong(key, "a number"),
        }
    }

    fn text(&self, key: &str) -> Result<Option<&str>, GgufError> {
        match self.value(key) {
            None => Ok(None),
            Some(MetadataValue::Text(text)) => Ok(Some(text)),
            Some(_) => self.wrong(key, "a text"),
        }
    }
}

/// The number that people wrote, when it went through single precision: 1e-5 rather than 9.999999747378752e-6.
fn shortest(number: f64) -> f64 {
    let single = number as f32;
    if f64::from(single) == number { single.to_string().parse().unwrap_or(number) } else { number }
}

/// The model's shape by its metadata, and by which of the optional tensors are there.
pub(super) fn shape<R: Read + Seek>(file: &GgufFile<R>) -> Result<Shape, GgufError> {
    let key = "general.architecture";
    let family = match file.metadata().get(key) {
        None => return Err(GgufError::MissingKey { key: key.to_owned() }),
        Some(MetadataValue::Text(name)) => {
            Family::from_name(name).ok_or_else(|| GgufError::UnsupportedArchitecture { found: name.clone() })?
        }
        Some(_) => return Err(GgufError::WrongValue { key: key.to_owned(), expected: "a text" }),
    };
    let keys = Keys { file, prefix: family.prefix() };
    let tensor = |name: &str| file.tensors().iter().find(|entry| entry.name == name);
    let Some(embedding) = tensor("token_embd.weight") else {
        return Err(GgufError::MissingTensor { name: "token_embd.weight".to_owned() });
    };
    let hidden = keys.needed_count("embedding_length", 1 << 16)?;
    let num_heads = keys.needed_count("attention.head_count", 1 << 10)?;
    let num_key_heads = keys.count("attention.head_count_kv", num_heads)?.unwrap_or(num_heads);
    let head_dim = match keys.count("attention.key_length", 1 << 12)? {
        Some(head_dim) => head_dim,
        None if hidden.is_multiple_of(num_heads) => hidden / num_heads,
        None => return keys.wrong("attention.head_count", "a divisor of the embedding length"),
    };
    if head_dim % 2 != 0 {
        return keys.wrong("attention.key_length", "an even number");
    }
    if !num_heads.is_multiple_of(num_key_heads) {
        return keys.wrong("attention.head_count_kv", "a divisor of the number of heads");
    }
    let shape = Shape {
        family,
        hidden,
        inner: keys.needed_count("feed_forward_length", 1 << 20)?,
        num_layers: keys.needed_count("block_count", 1 << 10)?,
        num_heads,
        num_key_heads,
        head_dim,
        vocab_size: embedding.num_elements() / embedding.row_length(),
        is_tied: tensor("output.weight").is_none(),
        has_attention_bias: family == Family::Qwen2
            || (family == Family::Llama && tensor("blk.0.attn_q.bias").is_some()),
    };
    if shape.vocab_size > 1 << 24 {
        return Err(GgufError::TooMany { what: "a vocabulary", found: shape.vocab_size as u64, most: 1 << 24 });
    }
    require_supported(&keys, &shape)?;
    Ok(shape)
}

/// Refuses what would load but compute something else.
fn require_supported<R: Read + Seek>(keys: &Keys<'_, R>, shape: &Shape) -> Result<(), GgufError> {
    let unsupported = |key: &str, found: String| Err(GgufError::UnsupportedFeature { feature: keys.key(key), found });
    if let Some(experts) = keys.number("expert_count")?.filter(|&count| count > 0.0) {
        return unsupported("expert_count", experts.to_string());
    }
    for key in ["attention.value_length", "rope.dimension_count"] {
        if let Some(found) = keys.count(key, 1 << 12)?.filter(|&found| found != shape.head_dim) {
            return unsupported(key, found.to_string());
        }
    }
    for key in ["attn_logit_softcapping", "final_logit_softcapping", "attention.clamp_kqv"] {
        if let Some(found) = keys.number(key)?.filter(|&found| found != 0.0) {
            return unsupported(key, found.to_string());
        }
    }
    Ok(())
}

/// `config.json` for Hugging Face readers.
pub(super) fn config<R: Read + Seek>(
    file: &GgufFile<R>,
    shape: &Shape,
    rope_factors: Option<&[f32]>,
) -> Result<Value, GgufError> {
    let keys = Keys { file, prefix: shape.family.prefix() };
    let (architecture, model_type) = shape.family.hugging_face_names();
    let gemma = shape.family == Family::Gemma3;
    let theta = keys.number("rope.freq_base")?.unwrap_or(if gemma { 1e6 } else { 1e4 });
    let epsilon = keys.number("attention.layer_norm_rms_epsilon")?.unwrap_or(1e-6);
    let mut config = json!({
        "architectures": [architecture],
        "model_type": model_type,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.num_layers,
        "num_attention_heads": shape.num_heads,
        "num_key_value_heads": shape.num_key_heads,
        "head_dim": shape.head_dim,
        "vocab_size": shape.vocab_size,
        "max_position_embeddings": keys.needed_count("context_length", 1 << 24)?,
        "rms_norm_eps": epsilon,
        "rope_theta": theta,
        "tie_word_embeddings": shape.is_tied,
        "bos_token_id": token_id(file, "tokenizer.ggml.bos_token_id")?,
        "eos_token_id": token_id(file, "tokenizer.ggml.eos_token_id")?,
        "pad_token_id": token_id(file, "tokenizer.ggml.padding_token_id")?,
        "use_cache": true,
    });
    if gemma {
        for (key, value) in gemma_settings(&keys, shape)? {
            config[key] = value;
        }
    } else {
        config["hidden_act"] = json!("silu");
    }
    match shape.family {
        Family::Llama => {
            config["attention_bias"] = json!(shape.has_attention_bias);
            config["mlp_bias"] = json!(false);
        }
        Family::Qwen2 => config["use_sliding_window"] = json!(false),
        Family::Qwen3 => {
            config["attention_bias"] = json!(false);
            config["use_sliding_window"] = json!(false);
        }
        Family::Gemma3 => {}
    }
    if let Some(scaling) = rope_scaling(&keys, shape, theta, rope_factors)? {
        config["rope_scaling"] = scaling;
    }
    Ok(config)
}

/// Gemma's settings that the others do not have.
fn gemma_settings<R: Read + Seek>(keys: &Keys<'_, R>, shape: &Shape) -> Result<Vec<(&'static str, Value)>, GgufError> {
    // The largest model of the family scales by the width that its heads would have without their own setting.
    let scalar = if shape.num_layers == 62 { shape.hidden / shape.num_heads } else { shape.head_dim };
    // Every sixth layer sees everything. The file has no key for it.
    let pattern = 6;
    let layers: Vec<&str> = (1..=shape.num_layers)
        .map(|layer| if layer.is_multiple_of(pattern) { "full_attention" } else { "sliding_attention" })
        .collect();
    Ok(vec![
        ("hidden_activation", json!("gelu_pytorch_tanh")),
        ("query_pre_attn_scalar", json!(scalar)),
        ("sliding_window", json!(keys.needed_count("attention.sliding_window", 1 << 24)?)),
        ("sliding_window_pattern", json!(pattern)),
        ("layer_types", json!(layers)),
        ("rope_local_base_freq", json!(keys.number("rope.freq_base_swa")?.unwrap_or(1e4))),
        ("attention_bias", json!(false)),
        ("attn_logit_softcapping", Value::Null),
        ("final_logit_softcapping", Value::Null),
    ])
}

fn token_id<R: Read + Seek>(file: &GgufFile<R>, key: &str) -> Result<Option<u32>, GgufError> {
    match file.metadata().get(key) {
        // Some converters say so where there is none.
        None | Some(MetadataValue::Negative(-1)) => Ok(None),
        Some(MetadataValue::Unsigned(id)) if *id == u64::from(u32::MAX) => Ok(None),
        Some(MetadataValue::Unsigned(id)) if u32::try_from(*id).is_ok() => Ok(u32::try_from(*id).ok()),
        Some(_) => Err(GgufError::WrongValue { key: key.to_owned(), expected: "the id of a token" }),
    }
}

/// How rotary wavelengths are stretched for long contexts.
fn rope_scaling<R: Read + Seek>(
    keys: &Keys<'_, R>,
    shape: &Shape,
    theta: f64,
    rope_factors: Option<&[f32]>,
) -> Result<Option<Value>, GgufError> {
    let factor = keys.number("rope.scaling.factor")?.or(keys.number("rope.scale_linear")?).unwrap_or(1.0);
    let by_kind = match keys.text("rope.scaling.type")? {
        None if factor == 1.0 => None,
        None | Some("linear") => {
            (factor != 1.0).then(|| json!({"rope_type": "linear", "factor": factor, "rope_theta": theta}))
        }
        Some("none") => None,
        Some("yarn") => {
            let original = keys.needed_count("rope.scaling.original_context_length", 1 << 24)?;
            Some(json!({
                "rope_type": "yarn", "factor": factor, "original_max_position_embeddings": original, "rope_theta": theta,
            }))
        }
        Some(other) => {
            let feature = keys.key("rope.scaling.type");
            return Err(GgufError::UnsupportedFeature { feature, found: other.to_owned() });
        }
    };
    match (by_kind, rope_factors) {
        (scaling, None) => Ok(scaling),
        (None, Some(factors)) => llama3_scaling(shape, theta, factors),
        (Some(_), Some(_)) => {
            let (feature, found) = (super::names::ROPE_FACTORS.to_owned(), "two ways of scaling at once".to_owned());
            Err(GgufError::UnsupportedFeature { feature, found })
        }
    }
}

/// Recognises the settings of Llama 3 by the factors that they give. The file has the factors only; all published
/// models share the two bounds and the original length, so the one unknown is the factor of the longest waves.
fn llama3_scaling(shape: &Shape, theta: f64, factors: &[f32]) -> Result<Option<Value>, GgufError> {
    let factor = f64::from(factors.iter().copied().fold(1.0, f32::max));
    if factors.iter().all(|&factor| factor == 1.0) {
        return Ok(None);
    }
    let close = |(found, expected): (&f32, f64)| (f64::from(*found) - expected).abs() <= 1e-4 * expected;
    if !factors.iter().zip(llama3_factors(shape.head_dim, theta, factor)).all(close) {
        let (feature, found) = (super::names::ROPE_FACTORS.to_owned(), "not that of a Llama 3 model".to_owned());
        return Err(GgufError::UnsupportedFeature { feature, found });
    }
    Ok(Some(json!({
        "rope_type": "llama3", "factor": factor, "low_freq_factor": LLAMA3_LOW, "high_freq_factor": LLAMA3_HIGH,
        "original_max_position_embeddings": LLAMA3_ORIGINAL_LENGTH, "rope_theta": theta,
    })))
}

const LLAMA3_LOW: f64 = 1.0;
const LLAMA3_HIGH: f64 = 4.0;
const LLAMA3_ORIGINAL_LENGTH: u32 = 8192;

/// What Llama 3 divides each rotary frequency by: nothing for short waves, the factor for long ones, and between the
/// bounds a mean of both.
fn llama3_factors(head_dim: usize, theta: f64, factor: f64) -> impl Iterator<Item = f64> {
    (0..head_dim / 2).map(move |pair| {
        let wavelength = std::f64::consts::TAU * theta.powf(2.0 * pair as f64 / head_dim as f64);
        let turns = f64::from(LLAMA3_ORIGINAL_LENGTH) / wavelength;
        if turns > LLAMA3_HIGH {
            1.0
        } else if turns < LLAMA3_LOW {
            factor
        } else {
            let smooth = (turns - LLAMA3_LOW) / (LLAMA3_HIGH - LLAMA3_LOW);
            1.0 / ((1.0 - smooth) / factor + smooth)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_precision_numbers_read_as_people_wrote_them() {
        assert_eq!(shortest(f64::from(1e-5_f32)), 1e-5);
        assert_eq!(shortest(f64::from(1e-6_f32)), 1e-6);
        assert_eq!(shortest(100_000.0), 100_000.0);
        assert_eq!(shortest(0.1), 0.1);
    }

    /// The factors of Llama 3.2 1B (head of 64, base 500,000, factor 32): the first is untouched, the last is 32, and
    /// pair 15, whose wave fits 2.775 times into the original length, is between.
    #[test]
    fn the_factors_of_llama_3_are_recognised() {
        let factors: Vec<f32> = llama3_factors(64, 5e5, 32.0).map(|x| x as f32).collect();
        assert_eq!((factors[0], factors[31]), (1.0, 32.0));
        let turns = 8192.0 / (std::f64::consts::TAU * 5e5_f64.powf(30.0 / 64.0));
        let smooth = (turns - 1.0) / 3.0;
        assert!((f64::from(factors[15]) - 1.0 / ((1.0 - smooth) / 32.0 + smooth)).abs() < 1e-5);
        let shape = Shape {
            family: Family::Llama,
            hidden: 64,
            inner: 64,
            num_layers: 1,
            num_heads: 1,
            num_key_heads: 1,
            head_dim: 64,
            vocab_size: 8,
            is_tied: true,
            has_attention_bias: false,
        };
        let scaling = llama3_scaling(&shape, 5e5, &factors).unwrap().unwrap();
        assert_eq!(scaling["factor"], 32.0);
        assert_eq!(scaling["rope_type"], "llama3");
        let mut others = factors;
        others[20] = 7.0;
        assert!(llama3_scaling(&shape, 5e5, &others).is_err());
        assert_eq!(llama3_scaling(&shape, 5e5, &[1.0; 32]).unwrap(), None);
    }
}
