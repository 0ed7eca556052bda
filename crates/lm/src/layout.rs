//! Where each tensor of a model lies in the one buffer that holds all its parameters.
//!
//! Gradients and optimiser moments use the same layout. What weight decay applies to comes first; tensors that are
//! multiplied with the same input lie side by side, so that one product computes queries, keys and values, and one
//! computes gates and ups.

use std::ops::Range;

use crate::block::LayerWeights;
use crate::config::ModelConfig;
use crate::decoder::DecoderWeights;
use crate::kernels::matrix::MatrixRef;

/// One tensor of the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Its name in the file.
    pub(crate) name: String,
    /// One or two dimensions, rows first.
    pub(crate) shape: Vec<usize>,
    /// Its numbers in the buffer.
    pub(crate) range: Range<usize>,
}

/// The layout of all parameters.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    config: ModelConfig,
    slots: Vec<Slot>,
    num_decayed: usize,
    total: usize,
}

/// The matrices of a layer, in order: name, and rows and columns by configuration.
fn layer_matrices(config: &ModelConfig) -> [(&'static str, [usize; 2]); 7] {
    let (hidden, inner) = (config.hidden_size, config.intermediate_size);
    let (query, key) = (config.query_width(), config.key_width());
    [
        ("self_attn.q_proj.weight", [query, hidden]),
        ("self_attn.k_proj.weight", [key, hidden]),
        ("self_attn.v_proj.weight", [key, hidden]),
        ("self_attn.o_proj.weight", [hidden, query]),
        ("mlp.gate_proj.weight", [inner, hidden]),
        ("mlp.up_proj.weight", [inner, hidden]),
        ("mlp.down_proj.weight", [hidden, inner]),
    ]
}

/// The vectors of a layer, in order. Families differ in what they have, and in what they call it: the norm before the
/// feed-forward layer is Gemma's `pre_feedforward_layernorm`, where `post_attention_layernorm` comes after attention.
fn layer_vectors(config: &ModelConfig) -> Vec<(&'static str, usize)> {
    let (hidden, inner) = (config.hidden_size, config.intermediate_size);
    let (query, key) = (config.query_width(), config.key_width());
    let traits = config.family.traits();
    let mut vectors = vec![("input_layernorm.weight", hidden)];
    if config.attention_bias {
        vectors.push(("self_attn.q_proj.bias", query));
        vectors.push(("self_attn.k_proj.bias", key));
        vectors.push(("self_attn.v_proj.bias", key));
    }
    if traits.head_norms {
        vectors.push(("self_attn.q_norm.weight", config.head_dim));
        vectors.push(("self_attn.k_norm.weight", config.head_dim));
    }
    if config.output_bias() {
        vectors.push(("self_attn.o_proj.bias", hidden));
    }
    let before_feed_forward =
        if traits.branch_norms { "pre_feedforward_layernorm.weight" } else { "post_attention_layernorm.weight" };
    vectors.push((before_feed_forward, hidden));
    if config.mlp_bias {
        vectors.push(("mlp.gate_proj.bias", inner));
        vectors.push(("mlp.up_proj.bias", inner));
        vectors.push(("mlp.down_proj.bias", hidden));
    }
    if traits.branch_norms {
        vectors.push(("post_attention_layernorm.weight", hidden));
        vectors.push(("post_feedforward_layernorm.weight", hidden));
    }
    vectors
}

/// The number of parameters in matrices of layers.
pub(crate) fn num_in_layer_matrices(config: &ModelConfig) -> usize {
    layer_matrices(config).iter().map(|(_, [rows, columns])| rows * columns).sum::<usize>() * config.num_hidden_layers
}

/// The number of parameters, or nothing if their bytes exceed what one allocation may hold. Every size is in its range,
/// so that the product of two does not overflow.
pub(crate) fn checked_total(config: &ModelConfig) -> Option<usize> {
    let matrices = layer_matrices(config).iter().map(|(_, [rows, columns])| rows * columns).sum::<usize>();
    let vectors = layer_vectors(config).iter().map(|(_, length)| length).sum::<usize>();
    let tables = if config.tie_word_embeddings { 1 } else { 2 } * config.vocab_size * config.hidden_size;
    let layers = matrices.checked_add(vectors)?.checked_mul(config.num_hidden_layers)?;
    let total = layers.checked_add(tables)?.checked_add(config.hidden_size)?;
    isize::try_from(total.checked_mul(size_of::<f32>())?).is_ok().then_some(total)
}

/// The tensors of one layer: matrices as `M`, vectors as `V`; absent are those that the model does not have.
pub(crate) struct LayerTensors<M, V> {
    pub(crate) input_norm: V, // [hidden]
    pub(crate) qkv: M,        // [hidden, qkv]
    /// Of queries, keys and values.
    pub(crate) qkv_bias: Option<V>, // [qkv]
    /// Of each head of queries, then of keys.
    pub(crate) head_norms: Option<V>, // [2, head_dim]
    pub(crate) output: M,     // [query, hidden]
    pub(crate) output_bias: Option<V>, // [hidden]
    /// Before the feed-forward layer.
    pub(crate) middle_norm: V, // [hidden]
    pub(crate) gate_up: M,    // [hidden, 2 * inner]
    pub(crate) gate_up_bias: Option<V>, // [2 * inner]
    pub(crate) down: M,       // [inner, hidden]
    pub(crate) down_bias: Option<V>, // [hidden]
    /// After attention, before its result is added to the stream.
    pub(crate) attention_norm: Option<V>, // [hidden]
    /// After the feed-forward layer, before its result is added to the stream.
    pub(crate) feed_forward_norm: Option<V>, // [hidden]
}

impl<M, V> LayerTensors<M, V> {
    /// The same with other matrices, made one by one from these: queries, keys and values; output; gate and up; down.
    pub(crate) fn map_matrices<N>(self, mut map: impl FnMut(M) -> N) -> LayerTensors<N, V> {
        // Fields are evaluated in the order they stand in.
        LayerTensors {
            qkv: map(self.qkv),
            output: map(self.output),
            gate_up: map(self.gate_up),
            down: map(self.down),
            input_norm: self.input_norm,
            qkv_bias: self.qkv_bias,
            head_norms: self.head_norms,
            output_bias: self.output_bias,
            middle_norm: self.middle_norm,
            gate_up_bias: self.gate_up_bias,
            down_bias: self.down_bias,
            attention_norm: self.attention_norm,
            feed_forward_norm: self.feed_forward_norm,
        }
    }

    /// Takes the layer's vectors in the order of [`layer_vectors`].
    fn new(matrices: [M; 4], config: &ModelConfig, mut take: impl FnMut(usize) -> V) -> Self {
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let traits = config.family.traits();
        let [qkv, output, gate_up, down] = matrices;
        // Fields are evaluated in the order they stand in.
        Self {
            qkv,
            output,
            gate_up,
            down,
            input_norm: take(hidden),
            qkv_bias: config.attention_bias.then(|| take(config.qkv_width())),
            head_norms: traits.head_norms.then(|| take(2 * config.head_dim)),
            output_bias: config.output_bias().then(|| take(hidden)),
            middle_norm: take(hidden),
            gate_up_bias: config.mlp_bias.then(|| take(2 * inner)),
            down_bias: config.mlp_bias.then(|| take(hidden)),
            attention_norm: traits.branch_norms.then(|| take(hidden)),
            feed_forward_norm: traits.branch_norms.then(|| take(hidden)),
        }
    }
}

/// Where a layer's gradients are added; matrices as in the file, `[outputs, inputs]`.
pub(crate) type LayerGradients<'a> = LayerTensors<&'a mut [f32], &'a mut [f32]>;

impl Layout {
    /// The layout of a valid configuration.
    pub(crate) fn new(config: &ModelConfig) -> Self {
        let mut layout = Self { config: config.clone(), slots: Vec::new(), num_decayed: 0, total: 0 };
        let table = [config.vocab_size, config.hidden_size];
        layout.push("model.embed_tokens.weight".to_owned(), &table);
        if !config.tie_word_embeddings {
            layout.push("lm_head.weight".to_owned(), &table);
        }
        for layer in 0..config.num_hidden_layers {
            for (name, shape) in layer_matrices(config) {
                layout.push(format!("model.layers.{layer}.{name}"), &shape);
            }
        }
        layout.num_decayed = layout.total;
        for layer in 0..config.num_hidden_layers {
            for (name, length) in layer_vectors(config) {
                layout.push(format!("model.layers.{layer}.{name}"), &[length]);
            }
        }
        layout.push("model.norm.weight".to_owned(), &[config.hidden_size]);
        layout
    }

    fn push(&mut self, name: String, shape: &[usize]) {
        let end = self.total + shape.iter().product::<usize>();
        self.slots.push(Slot { name, shape: shape.to_vec(), range: self.total..end });
        self.total = end;
    }

    /// All tensors, in the order of the buffer.
    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Number of parameters.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// How many of the leading parameters are subject to weight decay: all but biases and norms.
    pub(crate) fn num_decayed(&self) -> usize {
        self.num_decayed
    }

    /// A buffer as the tensors that the decoder multiplies with.
    pub(crate) fn view<'a>(&self, buffer: &'a [f32]) -> DecoderWeights<'a, MatrixRef<'a>> {
        assert_eq!(buffer.len(), self.total, "a buffer of this layout");
        let config = &self.config;
        let hidden = config.hidden_size;
        let mut rest = buffer;
        let mut take = |count: usize| {
            let (piece, remaining) = rest.split_at(count);
            rest = remaining;
            piece
        };
        let table = config.vocab_size * hidden;
        let embedding = take(table);
        let head = if config.tie_word_embeddings { embedding } else { take(table) };
        // A matrix in the file is [outputs, inputs]; the decoder multiplies rows with [inputs, outputs].
        let by_input = |data, inputs: usize, outputs: usize| MatrixRef::new(data, outputs, inputs).transposed();
        let (query, qkv, inner) = (config.query_width(), config.qkv_width(), config.intermediate_size);
        let matrices: Vec<[MatrixRef<'a>; 4]> = (0..config.num_hidden_layers)
            .map(|_| {
                [
                    by_input(take(qkv * hidden), hidden, qkv),
                    by_input(take(hidden * query), query, hidden),
                    by_input(take(2 * inner * hidden), hidden, 2 * inner),
                    by_input(take(hidden * inner), inner, hidden),
                ]
            })
            .collect();
        let layers = matrices.into_iter().map(|matrices| LayerWeights::new(matrices, config, &mut take)).collect();
        DecoderWeights { embedding, layers, final_norm: take(hidden), head: by_input(head, hidden, config.vocab_size) }
    }

    /// A gradient buffer as one writable slice per tensor group.
    pub(crate) fn gradients<'a>(&self, buffer: &'a mut [f32]) -> DecoderGradients<'a> {
        assert_eq!(buffer.len(), self.total, "a buffer of this layout");
        let config = &self.config;
        let hidden = config.hidden_size;
        let mut rest = buffer;
        let mut take = |count: usize| {
            let (piece, remaining) = std::mem::take(&mut rest).split_at_mut(count);
            rest = remaining;
            piece
        };
        let table = config.vocab_size * hidden;
        let embedding = take(table);
        let head = (!config.tie_word_embeddings).then(|| take(table));
        let (query, qkv, inner) = (config.query_width(), config.qkv_width(), config.intermediate_size);
        let matrices: Vec<[&'a mut [f32]; 4]> = (0..config.num_hidden_layers)
            .map(|_| [take(qkv * hidden), take(hidden * query), take(2 * inner * hidden), take(hidden * inner)])
            .collect();
        let layers = matrices.into_iter().map(|matrices| LayerGradients::new(matrices, config, &mut take)).collect();
        DecoderGradients { embedding, head, layers, final_norm: take(hidden) }
    }
}

/// Where the gradient of each tensor is added; shapes as in the file.
pub(crate) struct DecoderGradients<'a> {
    pub(crate) embedding: &'a mut [f32], // [vocab, hidden]
    /// Absent when the head is the embedding.
    pub(crate) head: Option<&'a mut [f32]>, // [vocab, hidden]
    pub(crate) layers: Vec<LayerGradients<'a>>,
    pub(crate) final_norm: &'a mut [f32], // [hidden]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Family;

    #[test]
    fn slots_cover_the_buffer_and_decay_stops_at_the_vectors() {
        let layout = Layout::new(&ModelConfig { tie_word_embeddings: false, ..ModelConfig::tiny() });
        let mut next = 0;
        for slot in layout.slots() {
            assert_eq!(slot.range.start, next);
            assert_eq!(slot.range.len(), slot.shape.iter().product::<usize>());
            assert_eq!(slot.shape.len() == 2, slot.range.end <= layout.num_decayed(), "{}", slot.name);
            next = slot.range.end;
        }
        assert_eq!(next, layout.total());
        // Two tables, per layer 196608 + 491520 in matrices and 1024 in vectors, and the last norm.
        assert_eq!(layout.total(), 2 * 2048 * 256 + 4 * (196_608 + 491_520 + 1024) + 256);
    }

    #[test]
    fn views_address_the_tensors_of_the_file() {
        let layout = Layout::new(&ModelConfig::tiny());
        let buffer: Vec<f32> = (0..layout.total()).map(|i| i as f32).collect();
        let start = |name: &str| {
            layout.slots().iter().find(|slot| slot.name == name).map(|slot| slot.range.start as f32).unwrap()
        };
        let view = layout.view(&buffer);
        let layer = &view.layers[2];
        // Row r of [inputs, outputs] begins with element r of the first output.
        assert_eq!(layer.qkv.transposed().row(256)[0], start("model.layers.2.self_attn.k_proj.weight"));
        assert_eq!(layer.gate_up.transposed().row(640)[0], start("model.layers.2.mlp.up_proj.weight"));
        assert_eq!(layer.down.transposed().row(0)[0], start("model.layers.2.mlp.down_proj.weight"));
        assert_eq!(layer.qkv_bias.unwrap()[256], start("model.layers.2.self_attn.k_proj.bias"));
        assert_eq!(view.final_norm[0], start("model.norm.weight"));
        let mut buffer = buffer;
        let gradients = layout.gradients(&mut buffer);
        assert_eq!(gradients.layers[2].gate_up[0], start("model.layers.2.mlp.gate_proj.weight"));
        assert_eq!(gradients.layers[3].middle_norm[0], start("model.layers.3.post_attention_layernorm.weight"));
        assert!(gradients.head.is_none());
    }
    #[test]
    fn every_family_has_its_tensors_where_the_views_look_for_them() {
        for family in Family::ALL {
            let config = ModelConfig {
                attention_bias: true,
                mlp_bias: family == Family::Llama,
                tie_word_embeddings: false,
                ..ModelConfig::of_family(family)
            };
            config.validate().unwrap();
            let layout = Layout::new(&config);
            assert_eq!(checked_total(&config), Some(layout.total()));
            let buffer: Vec<f32> = (0..layout.total()).map(|i| i as f32).collect();
            let view = layout.view(&buffer);
            let layer = &view.layers[2];
            let biases = [("self_attn.q_proj.bias", layer.qkv_bias), ("self_attn.o_proj.bias", layer.output_bias)];
            let feed = [("mlp.gate_proj.bias", layer.gate_up_bias), ("mlp.down_proj.bias", layer.down_bias)];
            let middle = match family {
                Family::Gemma3 => "pre_feedforward_layernorm.weight",
                _ => "post_attention_layernorm.weight",
            };
            let after_attention = layer.attention_norm.or(Some(layer.middle_norm));
            let norms = [
                ("self_attn.q_norm.weight", layer.head_norms),
                ("self_attn.k_norm.weight", layer.head_norms.map(|norms| &norms[config.head_dim..])),
                (middle, Some(layer.middle_norm)),
                ("post_attention_layernorm.weight", after_attention),
                ("post_feedforward_layernorm.weight", layer.feed_forward_norm),
            ];
            for (name, tensor) in biases.into_iter().chain(feed).chain(norms) {
                let slot = layout.slots().iter().find(|slot| slot.name == format!("model.layers.2.{name}"));
                assert_eq!(
                    tensor.map(|tensor| tensor[0]),
                    slot.map(|slot| slot.range.start as f32),
                    "{family:?} {name}"
                );
            }
        }
    }
}
