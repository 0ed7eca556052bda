//! Which tensors a model has, what GGUF and Hugging Face call them, and what changes between the two.

use super::architecture::{Family, Shape};

/// The stretching of rotary wavelengths, which is a setting rather than a parameter.
pub(super) const ROPE_FACTORS: &str = "rope_freqs.weight";

/// What the numbers of a tensor need on the way to Hugging Face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// They stay.
    None,
    /// Norms of Gemma are stored as what they multiply with, and meant as the difference to one.
    MinusOne,
    /// The rows of each head of Llama's queries and keys are stored in pairs.
    Interleaved {
        /// Width of one head.
        head_dim: usize,
    },
}

/// One tensor of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) stored_name: String,
    pub(super) name: String,
    /// Rows first.
    pub(super) shape: Vec<usize>,
    pub(super) change: Change,
}

/// The tensors of a model, embedding first.
pub(super) fn places(shape: &Shape) -> Vec<Place> {
    let mut places = vec![place("token_embd.weight", "model.embed_tokens.weight", &[shape.vocab_size, shape.hidden])];
    for layer in 0..shape.num_layers {
        let named = layer_places(shape).into_iter().map(|place| Place {
            stored_name: format!("blk.{layer}.{}", place.stored_name),
            name: format!("model.layers.{layer}.{}", place.name),
            ..place
        });
        places.extend(named);
    }
    places.push(norm(shape, "output_norm.weight", "model.norm.weight", shape.hidden));
    if !shape.is_tied {
        places.push(place("output.weight", "lm_head.weight", &[shape.vocab_size, shape.hidden]));
    }
    places
}

fn place(stored_name: &str, name: &str, shape: &[usize]) -> Place {
    Place { stored_name: stored_name.to_owned(), name: name.to_owned(), shape: shape.to_vec(), change: Change::None }
}

fn norm(shape: &Shape, stored_name: &str, name: &str, width: usize) -> Place {
    let change = if shape.family == Family::Gemma3 { Change::MinusOne } else { Change::None };
    Place { change, ..place(stored_name, name, &[width]) }
}

/// The tensors of one layer, named without its number.
fn layer_places(shape: &Shape) -> Vec<Place> {
    let (hidden, inner) = (shape.hidden, shape.inner);
    let (query, key) = (shape.num_heads * shape.head_dim, shape.num_key_heads * shape.head_dim);
    let paired = |place: Place| match shape.family {
        Family::Llama => Place { change: Change::Interleaved { head_dim: shape.head_dim }, ..place },
        _ => place,
    };
    let mut places = vec![
        norm(shape, "attn_norm.weight", "input_layernorm.weight", hidden),
        paired(place("attn_q.weight", "self_attn.q_proj.weight", &[query, hidden])),
        paired(place("attn_k.weight", "self_attn.k_proj.weight", &[key, hidden])),
        place("attn_v.weight", "self_attn.v_proj.weight", &[key, hidden]),
        place("attn_output.weight", "self_attn.o_proj.weight", &[hidden, query]),
    ];
    if shape.has_attention_bias {
        places.push(paired(place("attn_q.bias", "self_attn.q_proj.bias", &[query])));
        places.push(paired(place("attn_k.bias", "self_attn.k_proj.bias", &[key])));
        places.push(place("attn_v.bias", "self_attn.v_proj.bias", &[key]));
        // Qwen2 has no bias where the heads come together again.
        if shape.family == Family::Llama {
            places.push(place("attn_output.bias", "self_attn.o_proj.bias", &[hidden]));
        }
    }
    if matches!(shape.family, Family::Qwen3 | Family::Gemma3) {
        places.push(norm(shape, "attn_q_norm.weight", "self_attn.q_norm.weight", shape.head_dim));
        places.push(norm(shape, "attn_k_norm.weight", "self_attn.k_norm.weight", shape.head_dim));
    }
    if shape.family == Family::Gemma3 {
        places.push(norm(shape, "post_attention_norm.weight", "post_attention_layernorm.weight", hidden));
        places.push(norm(shape, "ffn_norm.weight", "pre_feedforward_layernorm.weight", hidden));
        places.push(norm(shape, "post_ffw_norm.weight", "post_feedforward_layernorm.weight", hidden));
    } else {
        places.push(norm(shape, "ffn_norm.weight", "post_attention_layernorm.weight", hidden));
    }
    places.push(place("ffn_gate.weight", "mlp.gate_proj.weight", &[inner, hidden]));
    places.push(place("ffn_up.weight", "mlp.up_proj.weight", &[inner, hidden]));
    places.push(place("ffn_down.weight", "mlp.down_proj.weight", &[hidden, inner]));
    places
}
