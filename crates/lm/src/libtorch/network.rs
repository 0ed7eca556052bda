//! The decoder in libtorch's operations. Families differ in the same data as on the processor: see `block`.
//!
//! The residual stream, norms, rotations and everything after the last product are in single precision; products and attention
//! are in that of the place. The way back is libtorch's tape.

use std::cell::RefCell;
use std::ops::Range;

use tch::{Kind, Tensor};

use super::batch::{Group, Rows};
use super::device::{Attempt, Place};
use super::parameters::{Leaf, Parameters};
use crate::adapter::{Adapter, ByProduct};
use crate::config::ModelConfig;
use crate::kernels::mlp::Activation;
use crate::layout::{Layout, Slot};
use crate::rotary::RotaryTables;

/// A network over parameters on a device.
pub(super) struct Network {
    pub(super) config: ModelConfig,
    pub(super) place: Place,
    embedding: Tensor, // [vocab, hidden]
    /// The embedding, where they are one.
    pub(super) head: Tensor, // [vocab, hidden]
    /// Where the head lies in the buffer.
    pub(super) head_range: Range<usize>,
    pub(super) layers: Vec<Layer>,
    final_norm: Tensor, // [hidden]
    rotary: RefCell<Option<Rotary>>,
}

/// One decoder block.
pub(super) struct Layer {
    input_norm: Tensor,                // [hidden]
    qkv: Product,                      // hidden to queries, keys, values
    head_norms: Option<Tensor>,        // [2, head_dim]
    output: Product,                   // queries to hidden
    middle_norm: Tensor,               // [hidden]
    gate_up: Product,                  // hidden to gates, ups
    down: Product,                     // inner to hidden
    attention_norm: Option<Tensor>,    // [hidden]
    feed_forward_norm: Option<Tensor>, // [hidden]
}

/// A matrix as in the file, `[outputs, inputs]`, and what goes with it.
struct Product {
    weight: Tensor,
    bias: Option<Tensor>,
    side: Option<SidePath>,
}

/// What an adapter adds to a product.
struct SidePath {
    /// All parts, one below the other.
    reduce: Tensor, // [parts * rank, inputs]
    /// Columns of the result, and the matrix that makes them.
    expand: Vec<(Range<i64>, Tensor)>, // [columns, rank]
    rank: i64,
    scale: f64,
}

/// Tensors as they are taken out of a buffer, and what of them is trained.
struct Taking<'a> {
    parameters: &'a Parameters,
    slots: &'a [Slot],
    leaves: Vec<Leaf>,
}

impl Taking<'_> {
    /// Tensors that lie side by side, from the first named to the last.
    fn span(&mut self, first: &str, last: &str, shape: &[i64]) -> Attempt<Tensor> {
        let slot = |name: &str| {
            let slot = self.slots.iter().find(|slot| slot.name == name);
            slot.unwrap_or_else(|| panic!("the layout has a tensor {name}"))
        };
        self.range(slot(first).range.start..slot(last).range.end, shape)
    }

    fn one(&mut self, name: &str, shape: &[i64]) -> Attempt<Tensor> {
        self.span(name, name, shape)
    }

    fn range(&mut self, range: Range<usize>, shape: &[i64]) -> Attempt<Tensor> {
        let leaf = self.parameters.leaf(range, shape)?;
        let tensor = leaf.tensor.shallow_clone();
        if self.parameters.is_trained() {
            self.leaves.push(leaf);
        }
        Ok(tensor)
    }
}

impl Network {
    /// The network of a layout, and the tensors of it that are trained and that the tape reaches.
    pub(super) fn new(
        layout: &Layout,
        config: &ModelConfig,
        parameters: &Parameters,
        place: Place,
    ) -> Attempt<(Self, Vec<Leaf>)> {
        let mut taking = Taking { parameters, slots: layout.slots(), leaves: Vec::new() };
        let (hidden, vocab) = (config.hidden_size as i64, config.vocab_size as i64);
        let embedding = taking.one("model.embed_tokens.weight", &[vocab, hidden])?;
        let head_name = if config.tie_word_embeddings { "model.embed_tokens.weight" } else { "lm_head.weight" };
        let head_slot = layout.slots().iter().find(|slot| slot.name == head_name).expect("every layout has a head");
        let head_range = head_slot.range.clone();
        // The way back through the head is ours: no leaf of the tape.
        let head = parameters.leaf(head_range.clone(), &[vocab, hidden])?.tensor.f_detach()?;
        let layers = (0..config.num_hidden_layers)
            .map(|layer| Layer::new(layer, config, &mut taking))
            .collect::<Attempt<_>>()?;
        let final_norm = taking.one("model.norm.weight", &[hidden])?;
        let leaves = taking.leaves;
        let rotary = RefCell::new(None);
        let network = Self { config: config.clone(), place, embedding, head, head_range, layers, final_norm, rotary };
        Ok((network, leaves))
    }

    /// Puts an adapter beside the products, and gives its tensors.
    pub(super) fn adapt(&mut self, adapter: &Adapter, parameters: &Parameters) -> Attempt<Vec<Leaf>> {
        let mut taking = Taking { parameters, slots: adapter.slots(), leaves: Vec::new() };
        let mut end = 0;
        for layer in &mut self.layers {
            let ByProduct { qkv, output, gate_up, down } = adapter.products();
            let products = [&mut layer.qkv, &mut layer.output, &mut layer.gate_up, &mut layer.down];
            for (product, shape) in products.into_iter().zip([qkv, output, gate_up, down]) {
                if shape.parts.is_empty() {
                    continue;
                }
                let (rank, inputs) = (adapter.config().rank, shape.inputs);
                let mut next = |rows: usize, columns: usize| {
                    let range = end..end + rows * columns;
                    end = range.end;
                    taking.range(range, &[rows as i64, columns as i64])
                };
                let reduce = next(shape.parts.len() * rank, inputs)?;
                let mut expand = Vec::new();
                for (_, columns) in &shape.parts {
                    expand.push((columns.start as i64..columns.end as i64, next(columns.len(), rank)?));
                }
                let scale = f64::from(adapter.config().scale());
                product.side = Some(SidePath { reduce, expand, rank: rank as i64, scale });
            }
        }
        Ok(taking.leaves)
    }

    /// Makes the tables of rotations cover so many positions.
    pub(super) fn prepare(&self, positions: usize) -> Attempt<()> {
        let mut rotary = self.rotary.borrow_mut();
        if rotary.as_ref().is_none_or(|rotary| rotary.num_positions < positions) {
            // Room to spare, so that slightly longer batches do not make them anew.
            *rotary = Some(Rotary::new(positions.next_power_of_two().max(256), &self.config, self.place)?);
        }
        Ok(())
    }

    /// The residual stream after the last layer. `keep` sees the keys and values of each layer.
    pub(super) fn forward(
        &self,
        rows: &Rows,
        is_adapted: bool,
        mut keep: impl FnMut(usize, &Tensor, &Tensor) -> Attempt<()>,
    ) -> Attempt<Tensor> {
        self.prepare(rows.longest)?;
        let rotary = self.rotary.borrow();
        let rotary = rotary.as_ref().expect("the tables were just made").at(&rows.positions)?;
        let mut stream = self.embed(&rows.tokens)?; // [rows, hidden]
        for (index, layer) in self.layers.iter().enumerate() {
            let (queries, keys, values) =
                self.heads(layer, &stream, rotary.of_layer(index, &self.config), is_adapted)?;
            keep(index, &keys, &values)?;
            let window = self.config.window(index);
            let attended: Vec<Tensor> = rows
                .groups
                .iter()
                .map(|group| self.attend(group, &queries, &keys, &values, window))
                .collect::<Attempt<_>>()?;
            let attended = if attended.len() == 1 { attended[0].shallow_clone() } else { Tensor::f_cat(&attended, 0)? };
            stream = self.after_attention(layer, &stream, &attended, is_adapted)?;
        }
        Ok(stream)
    }

    /// The rows of the stream before the first layer.
    pub(super) fn embed(&self, tokens: &Tensor) -> Attempt<Tensor> {
        let rows = Tensor::f_embedding(&self.embedding, tokens, -1, false, false)?.f_to_kind(Kind::Float)?;
        if self.config.family.traits().scaled_embedding {
            return rows.f_mul_scalar(f64::from(self.config.embedding_scale()));
        }
        Ok(rows)
    }

    /// Queries, keys and values of rows of the stream, normalised and rotated: `[rows, heads, head_dim]` each.
    pub(super) fn heads(
        &self,
        layer: &Layer,
        stream: &Tensor,
        rotation: &Rotation,
        is_adapted: bool,
    ) -> Attempt<(Tensor, Tensor, Tensor)> {
        let config = &self.config;
        let (query, key, width) =
            (config.num_attention_heads as i64, config.num_key_value_heads as i64, config.head_dim as i64);
        let normed = self.place.cast(&self.norm(stream, &layer.input_norm)?)?;
        let qkv = layer.qkv.of(&normed, self.place, is_adapted)?;
        let qkv = qkv.f_view([-1, query + 2 * key, width])?;
        let turned = qkv.f_narrow(1, 0, query + key)?.f_to_kind(Kind::Float)?;
        let turned = match &layer.head_norms {
            None => turned,
            Some(weights) => {
                let queries = self.norm(&turned.f_narrow(1, 0, query)?, &weights.f_select(0, 0)?)?;
                let keys = self.norm(&turned.f_narrow(1, query, key)?, &weights.f_select(0, 1)?)?;
                Tensor::f_cat(&[queries, keys], 1)?
            }
        };
        let turned = self.place.cast(&rotation.turn(&turned)?)?;
        let (queries, keys) = (turned.f_narrow(1, 0, query)?, turned.f_narrow(1, query, key)?);
        Ok((queries, keys, qkv.f_narrow(1, query + key, key)?))
    }

    /// What the rows of a group attend to: `[rows, queries]`.
    fn attend(
        &self,
        group: &Group,
        queries: &Tensor,
        keys: &Tensor,
        values: &Tensor,
        window: Option<usize>,
    ) -> Attempt<Tensor> {
        let (sequences, length) = (group.num_sequences, group.length);
        let rectangle = |rows: &Tensor| {
            let own = rows.f_narrow(0, group.first_row, group.num_rows)?;
            let own = match &group.padding {
                None => own,
                Some(padding) => own.f_index_select(0, &padding.rows)?,
            };
            let (heads, width) = (own.size()[1], own.size()[2]);
            own.f_view([sequences, length, heads, width])?.f_transpose(1, 2)
        };
        let (queries, mut keys, mut values) = (rectangle(queries)?, rectangle(keys)?, rectangle(values)?);
        let mask = match window {
            Some(window) if (window as i64) < length => Some(window_mask(length, window as i64, self.place)?),
            _ => None,
        };
        // The fused kernels of cards read each head of keys for several of queries; others want them side by side.
        let shares_heads = self.config.num_attention_heads != self.config.num_key_value_heads;
        let is_fused = self.place.device.is_cuda() && mask.is_none();
        if shares_heads && !is_fused {
            let times = (self.config.num_attention_heads / self.config.num_key_value_heads) as i64;
            keys = keys.f_repeat_interleave_self_int(times, 1, None)?;
            values = values.f_repeat_interleave_self_int(times, 1, None)?;
        }
        let scale = f64::from(self.config.head_shape().scale);
        let is_causal = mask.is_none();
        let attended = Tensor::f_scaled_dot_product_attention(
            &queries,
            &keys,
            &values,
            mask.as_ref(),
            0.0,
            is_causal,
            scale,
            shares_heads && is_fused,
        )?;
        let rows = attended.f_transpose(1, 2)?.f_reshape([sequences * length, -1])?;
        match &group.padding {
            None => Ok(rows),
            Some(padding) => rows.f_index_select(0, &padding.places),
        }
    }

    /// The stream after the rest of the layer.
    pub(super) fn after_attention(
        &self,
        layer: &Layer,
        stream: &Tensor,
        attended: &Tensor,
        is_adapted: bool,
    ) -> Attempt<Tensor> {
        let branch = layer.output.of(attended, self.place, is_adapted)?;
        let stream = self.add_branch(stream, &branch, layer.attention_norm.as_ref())?;
        let normed = self.place.cast(&self.norm(&stream, &layer.middle_norm)?)?;
        let gate_up = layer.gate_up.of(&normed, self.place, is_adapted)?;
        let inner = self.config.intermediate_size as i64;
        let (gate, up) = (gate_up.f_narrow(1, 0, inner)?, gate_up.f_narrow(1, inner, inner)?);
        let gate = match self.config.family.traits().activation {
            Activation::Silu => gate.f_silu()?,
            Activation::GeluTanh => gate.f_gelu("tanh")?,
        };
        let branch = layer.down.of(&gate.f_mul(&up)?, self.place, is_adapted)?;
        self.add_branch(&stream, &branch, layer.feed_forward_norm.as_ref())
    }

    fn add_branch(&self, stream: &Tensor, branch: &Tensor, norm: Option<&Tensor>) -> Attempt<Tensor> {
        match norm {
            None => stream.f_add(branch),
            Some(weight) => stream.f_add(&self.norm(&branch.f_to_kind(Kind::Float)?, weight)?),
        }
    }

    /// Root-mean-square normalisation over the last dimension.
    fn norm(&self, rows: &Tensor, weight: &Tensor) -> Attempt<Tensor> {
        let width = *rows.size().last().expect("rows have a width");
        let offset = f64::from(self.config.family.traits().norm_offset);
        let shifted = if offset == 0.0 { weight.shallow_clone() } else { weight.f_add_scalar(offset)? };
        rows.f_rms_norm([width], Some(&shifted), f64::from(self.config.rms_norm_eps))
    }

    /// Rows of the stream as the heads see them.
    pub(super) fn normed(&self, stream: &Tensor) -> Attempt<Tensor> {
        self.norm(stream, &self.final_norm)
    }

    /// Logits of normalised rows, in single precision.
    pub(super) fn logits(&self, normed: &Tensor) -> Attempt<Tensor> {
        self.place.cast(normed)?.f_linear(&self.head, None::<&Tensor>)?.f_to_kind(Kind::Float)
    }

    /// The rotations of some positions.
    pub(super) fn rotations(&self, positions: &Tensor) -> Attempt<Rotations> {
        self.rotary.borrow().as_ref().expect("tables were made").at(positions)
    }
}

impl Layer {
    fn new(layer: usize, config: &ModelConfig, taking: &mut Taking<'_>) -> Attempt<Self> {
        let [hidden, inner, query, qkv, width] =
            [config.hidden_size, config.intermediate_size, config.query_width(), config.qkv_width(), config.head_dim]
                .map(|size| size as i64);
        let traits = config.family.traits();
        let name = |part: &str| format!("model.layers.{layer}.{part}");
        let product = |weight: Tensor, bias: Option<Tensor>| Product { weight, bias, side: None };
        let qkv_weight =
            taking.span(&name("self_attn.q_proj.weight"), &name("self_attn.v_proj.weight"), &[qkv, hidden])?;
        let output = taking.one(&name("self_attn.o_proj.weight"), &[hidden, query])?;
        let gate_up = taking.span(&name("mlp.gate_proj.weight"), &name("mlp.up_proj.weight"), &[2 * inner, hidden])?;
        let down = taking.one(&name("mlp.down_proj.weight"), &[hidden, inner])?;
        let mut vector = |is_there: bool, first: &str, last: &str, shape: &[i64]| {
            is_there.then(|| taking.span(&name(first), &name(last), shape)).transpose()
        };
        let post = "post_attention_layernorm.weight";
        let middle = if traits.branch_norms { "pre_feedforward_layernorm.weight" } else { post };
        let after = "post_feedforward_layernorm.weight";
        let expected = "a vector that every family has";
        let qkv_bias = vector(config.attention_bias, "self_attn.q_proj.bias", "self_attn.v_proj.bias", &[qkv])?;
        let output_bias = vector(config.output_bias(), "self_attn.o_proj.bias", "self_attn.o_proj.bias", &[hidden])?;
        let gate_up_bias = vector(config.mlp_bias, "mlp.gate_proj.bias", "mlp.up_proj.bias", &[2 * inner])?;
        let down_bias = vector(config.mlp_bias, "mlp.down_proj.bias", "mlp.down_proj.bias", &[hidden])?;
        Ok(Self {
            input_norm: vector(true, "input_layernorm.weight", "input_layernorm.weight", &[hidden])?.expect(expected),
            qkv: product(qkv_weight, qkv_bias),
            head_norms: vector(traits.head_norms, "self_attn.q_norm.weight", "self_attn.k_norm.weight", &[2, width])?,
            output: product(output, output_bias),
            middle_norm: vector(true, middle, middle, &[hidden])?.expect(expected),
            gate_up: product(gate_up, gate_up_bias),
            down: product(down, down_bias),
            attention_norm: vector(traits.branch_norms, post, post, &[hidden])?,
            feed_forward_norm: vector(traits.branch_norms, after, after, &[hidden])?,
        })
    }
}

impl Product {
    fn of(&self, rows: &Tensor, place: Place, is_adapted: bool) -> Attempt<Tensor> {
        let bias = self.bias.as_ref().map(|bias| place.cast(bias)).transpose()?;
        let result = rows.f_linear(&self.weight, bias.as_ref())?;
        match &self.side {
            Some(side) if is_adapted => side.add_to(result, rows),
            _ => Ok(result),
        }
    }
}

impl SidePath {
    fn add_to(&self, result: Tensor, rows: &Tensor) -> Attempt<Tensor> {
        let reduced = rows.f_linear(&self.reduce, None::<&Tensor>)?.f_mul_scalar(self.scale)?;
        for (part, (columns, expand)) in self.expand.iter().enumerate() {
            let own = reduced.f_narrow(1, part as i64 * self.rank, self.rank)?;
            let mut target = result.f_narrow(1, columns.start, columns.end - columns.start)?;
            let _ = target.f_add_(&own.f_linear(expand, None::<&Tensor>)?)?;
        }
        Ok(result)
    }
}

/// True where a row may see a column: itself, and those before it as far as the window reaches.
fn window_mask(length: i64, window: i64, place: Place) -> Attempt<Tensor> {
    let all = Tensor::f_ones([length, length], (Kind::Bool, place.device))?;
    all.f_tril(0)?.f_triu(1 - window)
}

/// Cosines and sines for every position.
struct Rotary {
    num_positions: usize,
    common: [Tensor; 2], // [positions, head_dim / 2]
    local: Option<[Tensor; 2]>,
}

/// Cosines and sines of some rows.
pub(super) struct Rotations {
    common: Rotation,
    local: Option<Rotation>,
}

/// Of the layers of one kind.
pub(super) struct Rotation {
    cosines: Tensor, // [rows, 1, head_dim / 2]
    sines: Tensor,   // [rows, 1, head_dim / 2]
}

impl Rotary {
    fn new(positions: usize, config: &ModelConfig, place: Place) -> Attempt<Self> {
        let tables = RotaryTables::new(positions, config);
        let half = config.head_dim as i64 / 2;
        let on_device = |(cosines, sines): (&[f32], &[f32])| {
            let table = |numbers: &[f32]| place.numbers(numbers)?.f_view([-1, half]);
            Ok::<_, tch::TchError>([table(cosines)?, table(sines)?])
        };
        let (common, local) = tables.numbers();
        Ok(Self { num_positions: positions, common: on_device(common)?, local: local.map(on_device).transpose()? })
    }

    fn at(&self, positions: &Tensor) -> Attempt<Rotations> {
        let of = |[cosines, sines]: &[Tensor; 2]| {
            let rows = |table: &Tensor| table.f_index_select(0, positions)?.f_unsqueeze(1);
            Ok::<_, tch::TchError>(Rotation { cosines: rows(cosines)?, sines: rows(sines)? })
        };
        Ok(Rotations { common: of(&self.common)?, local: self.local.as_ref().map(of).transpose()? })
    }
}

impl Rotations {
    pub(super) fn of_layer(&self, layer: usize, config: &ModelConfig) -> &Rotation {
        match &self.local {
            Some(local) if config.window(layer).is_some() => local,
            _ => &self.common,
        }
    }
}

impl Rotation {
    /// Rotates heads: coordinate `i` with coordinate `i + head_dim / 2`.
    fn turn(&self, heads: &Tensor) -> Attempt<Tensor> {
        let half = heads.size()[2] / 2;
        let (first, second) = (heads.f_narrow(2, 0, half)?, heads.f_narrow(2, half, half)?);
        let turned = [
            first.f_mul(&self.cosines)?.f_sub(&second.f_mul(&self.sines)?)?,
            second.f_mul(&self.cosines)?.f_add(&first.f_mul(&self.sines)?)?,
        ];
        Tensor::f_cat(&turned, 2)
    }
}
