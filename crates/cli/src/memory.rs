//! What work with models takes in memory, and what of it fits this host.

use std::fmt::Write as _;

use codeward_lm::{Bytes, Family, HostMemory, MemoryNeed, MemoryPlan, ModelConfig};
use serde_json::{Value, json};

/// The names of the kinds of work that people ask about, and what they take.
pub(crate) fn kinds(need: &MemoryNeed) -> [(&'static str, MemoryPlan); 5] {
    [
        ("sample", need.sample),
        ("train", need.train),
        ("train_recomputing", need.train_recomputing),
        ("adapt", need.adapt),
        ("adapt_recomputing", need.adapt_recomputing),
    ]
}

/// Bytes by kind of work.
pub(crate) fn as_json(need: &MemoryNeed) -> Value {
    let mut object = serde_json::Map::from_iter([("weights".to_owned(), json!(need.sample.weights))]);
    object.extend(kinds(need).map(|(name, plan)| (name.to_owned(), json!(plan.with_margin()))));
    Value::Object(object)
}

/// One line: what each kind of work takes.
pub(crate) fn describe(need: &MemoryNeed) -> String {
    let size = |plan: &MemoryPlan| Bytes(plan.with_margin());
    format!(
        "sample {}, train {} ({} recomputing), adapter {} ({} recomputing)",
        size(&need.sample),
        size(&need.train),
        size(&need.train_recomputing),
        size(&need.adapt),
        size(&need.adapt_recomputing),
    )
}

/// Published models of several sizes, by name.
pub(crate) fn known_models() -> [(&'static str, ModelConfig); 6] {
    let shape = |family, layers, hidden, inner, heads: [usize; 2], vocabulary, tied| ModelConfig {
        hidden_size: hidden,
        intermediate_size: inner,
        num_hidden_layers: layers,
        num_attention_heads: heads[0],
        num_key_value_heads: heads[1],
        head_dim: hidden / heads[0],
        vocab_size: vocabulary,
        max_position_embeddings: 8192,
        tie_word_embeddings: tied,
        ..ModelConfig::of_family(family)
    };
    let qwen = |layers, hidden, inner, heads| shape(Family::Qwen2, layers, hidden, inner, heads, 151_936, true);
    [
        ("SmolLM2-135M", shape(Family::Llama, 30, 576, 1536, [9, 3], 49_152, true)),
        ("SmolLM2-360M", shape(Family::Llama, 32, 960, 2560, [15, 5], 49_152, true)),
        ("Qwen2.5-Coder-0.5B", qwen(24, 896, 4864, [14, 2])),
        ("Qwen2.5-Coder-1.5B", qwen(28, 1536, 8960, [12, 2])),
        ("Qwen2.5-Coder-3B", qwen(36, 2048, 11_008, [16, 2])),
        ("Qwen2.5-Coder-7B", shape(Family::Qwen2, 28, 3584, 18_944, [28, 4], 152_064, false)),
    ]
}

/// What fits a host, as `doctor --json` says it.
pub(crate) fn host_as_json(host: Option<HostMemory>) -> Value {
    let models: Vec<Value> = known_models()
        .iter()
        .map(|(name, config)| {
            let work: serde_json::Map<String, Value> = kinds(&MemoryNeed::new(config))
                .into_iter()
                .map(|(kind, plan)| {
                    let bytes = plan.with_margin();
                    (kind.to_owned(), json!({"bytes": bytes, "fits": host.map(|host| bytes <= host.available)}))
                })
                .collect();
            json!({"name": name, "work": work})
        })
        .collect();
    json!({"available_bytes": host.map(|host| host.available), "bound": host.map(|host| host.bound.to_string()), "models": models})
}

/// What fits a host, one line a model.
pub(crate) fn describe_host(host: Option<HostMemory>) -> String {
    let free = host.map_or("unknown".to_owned(), |host| format!("{} {}", Bytes(host.available), host.bound));
    let mut text = format!("memory        {free}; what fits, for 16 sequences of 256 tokens:\n");
    for (name, config) in known_models() {
        let need = MemoryNeed::new(&config);
        let says = |name: &str, kept: MemoryPlan, again: Option<MemoryPlan>| {
            let fits = |plan: MemoryPlan| host.is_none_or(|host| plan.with_margin() <= host.available);
            match again {
                _ if fits(kept) => format!("{name} {}", Bytes(kept.with_margin())),
                Some(again) if fits(again) => format!("{name} {}, recomputing", Bytes(again.with_margin())),
                _ => format!("{name} no"),
            }
        };
        let sample = says("sampling", need.sample, None);
        let adapt = says("adapter", need.adapt, Some(need.adapt_recomputing));
        let train = says("all weights", need.train, Some(need.train_recomputing));
        let _ = writeln!(text, "  {name:<19} {sample:<19} {adapt:<30} {train}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_models_have_the_sizes_that_their_names_say() {
        let millions: Vec<u64> =
            known_models().iter().map(|(_, config)| MemoryNeed::new(config).sample.weights / 4 / 1_000_000).collect();
        // By the model cards: 134.5, 361.8, 494.0, 1543.7, 3085.9 and 7615.6 million.
        assert_eq!(millions, [134, 361, 494, 1543, 3085, 7615]);
    }
}
