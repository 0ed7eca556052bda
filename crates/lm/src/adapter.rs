//! A low-rank adapter: small trained matrices beside frozen ones.
//!
//! A linear layer `W` becomes `W + s B A`, with `A` of `[rank, inputs]` and `B` of `[outputs, rank]` (Hu et al. 2021,
//! arXiv 2106.09685, section 4.1). The factor `s` is `alpha / rank`; with
//! [`rank_stabilized`](AdapterConfig::rank_stabilized) it is `alpha / sqrt(rank)` (Kalajdzievski 2023, arXiv 2312.03732,
//! section 3), which keeps gradients of one size as the rank grows. We have no dropout.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use crate::config::{ConfigError, ModelConfig};
use crate::kernels::low_rank::LowRank;
use crate::kernels::matrix::MatrixRef;
use crate::layout::Slot;
use crate::random::Stream;

/// The largest rank; no layer is wider than a few of it.
const MOST_RANK: usize = 1 << 16;

/// A linear layer of the decoder block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Linear {
    /// Projects to queries.
    Query,
    /// Projects to keys.
    Key,
    /// Projects to values.
    Value,
    /// Projects what was attended to.
    Output,
    /// Of the feed-forward layer: projects to gates.
    Gate,
    /// Of the feed-forward layer: projects to what is gated.
    Up,
    /// Of the feed-forward layer: projects back.
    Down,
}

impl Linear {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Query, Self::Key, Self::Value, Self::Output, Self::Gate, Self::Up, Self::Down];

    /// Its name in checkpoints, such as `q_proj`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "q_proj",
            Self::Key => "k_proj",
            Self::Value => "v_proj",
            Self::Output => "o_proj",
            Self::Gate => "gate_proj",
            Self::Up => "up_proj",
            Self::Down => "down_proj",
        }
    }

    /// The part of the block that it belongs to, in names of tensors.
    fn module(self) -> &'static str {
        match self {
            Self::Query | Self::Key | Self::Value | Self::Output => "self_attn",
            Self::Gate | Self::Up | Self::Down => "mlp",
        }
    }

    /// One of its two matrices, `A` or `B`, in the files of PEFT.
    pub(crate) fn tensor_name(self, layer: usize, which: char) -> String {
        format!("base_model.model.model.layers.{layer}.{}.{}.lora_{which}.weight", self.module(), self.name())
    }
}

/// What decides an adapter's computation.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterConfig {
    /// Inner dimension of the added products.
    pub rank: usize,
    /// Numerator of the factor.
    pub alpha: f32,
    /// Whether the factor's denominator is the root of the rank instead of the rank.
    pub rank_stabilized: bool,
    /// The layers that are adapted, in every block.
    pub targets: BTreeSet<Linear>,
    /// The name or the folder of the model that the adapter belongs to, as a note for those who load it.
    pub base_model: Option<String>,
}

impl Default for AdapterConfig {
    /// Every linear layer, with rank 16 and a factor of two.
    fn default() -> Self {
        Self { rank: 16, alpha: 32.0, rank_stabilized: false, targets: BTreeSet::from(Linear::ALL), base_model: None }
    }
}

impl fmt::Display for AdapterConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let targets: Vec<&str> = self.targets.iter().map(|linear| linear.name()).collect();
        write!(formatter, "an adapter of rank {}, factor {}, on {}", self.rank, self.scale(), targets.join(" "))
    }
}

impl AdapterConfig {
    /// What the added products are multiplied with.
    pub fn scale(&self) -> f32 {
        let rank = self.rank as f64;
        (f64::from(self.alpha) / if self.rank_stabilized { rank.sqrt() } else { rank }) as f32
    }

    /// Number of parameters of such an adapter of a model.
    pub fn num_parameters(&self, model: &ModelConfig) -> usize {
        Adapter::empty(self.clone(), model).num_parameters()
    }

    /// Whether another adapter has the same computation and the same tensors.
    pub(crate) fn computes_like(&self, other: &Self) -> bool {
        (self.rank, self.alpha, self.rank_stabilized, &self.targets)
            == (other.rank, other.alpha, other.rank_stabilized, &other.targets)
    }

    /// Whether there is such an adapter.
    ///
    /// # Errors
    /// If the rank is zero or beyond any layer's width, the factor is not finite, or no layer is adapted.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let out_of_range = |field, found: String, expected: &str| {
            Err(ConfigError::OutOfRange { field, found, expected: expected.to_owned() })
        };
        if !(1..=MOST_RANK).contains(&self.rank) {
            return out_of_range("r", self.rank.to_string(), "1 to 65536");
        }
        if !self.alpha.is_finite() {
            return out_of_range("lora_alpha", self.alpha.to_string(), "a finite number");
        }
        if self.targets.is_empty() {
            return out_of_range("target_modules", "[]".to_owned(), "at least one linear layer");
        }
        Ok(())
    }
}

/// One of something for each of the four products of a block.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ByProduct<T> {
    pub(crate) qkv: T,
    pub(crate) output: T,
    pub(crate) gate_up: T,
    pub(crate) down: T,
}

impl<T> ByProduct<T> {
    fn from_array([qkv, output, gate_up, down]: [T; 4]) -> Self {
        Self { qkv, output, gate_up, down }
    }

    fn each(&self) -> [&T; 4] {
        [&self.qkv, &self.output, &self.gate_up, &self.down]
    }

    pub(crate) fn map<U>(&self, f: impl FnMut(&T) -> U) -> ByProduct<U> {
        ByProduct::from_array(self.each().map(f))
    }
}

impl ByProduct<Vec<f32>> {
    pub(crate) fn num_numbers(&self) -> usize {
        self.each().iter().map(|buffer| buffer.len()).sum()
    }

    /// Makes room for rows of these widths.
    pub(crate) fn resize(&mut self, rows: usize, widths: &ByProduct<usize>) {
        let buffers = [&mut self.qkv, &mut self.output, &mut self.gate_up, &mut self.down];
        for (buffer, width) in buffers.into_iter().zip(widths.each()) {
            buffer.resize(rows * width, 0.0);
        }
    }
}

/// The adapted layers of one product: they have the input in common.
#[derive(Debug, Clone)]
pub(crate) struct ProductShape {
    pub(crate) inputs: usize,
    /// Each with its columns of the output.
    pub(crate) parts: Vec<(Linear, Range<usize>)>,
}

/// Where a product's gradients are added.
pub(crate) struct LowRankGradients<'a> {
    pub(crate) reduce: &'a mut [f32], // [ranks, inputs]
    /// In the order of the parts.
    pub(crate) expand: Vec<&'a mut [f32]>, // [outputs, rank]
}

/// A low-rank adapter of one model's shape. [`Model::with_adapter`](crate::Model::with_adapter) puts it to work.
///
/// Tensors have the names of PEFT's files, such as `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`.
#[derive(Debug, Clone)]
pub struct Adapter {
    config: AdapterConfig,
    products: ByProduct<ProductShape>,
    num_layers: usize,
    slots: Vec<Slot>,
    parameters: Vec<f32>,
}

impl Adapter {
    /// A fresh adapter, which changes nothing yet: `B` is zero. The numbers of `A` are uniform between plus and minus
    /// one over the root of the inputs, as in PEFT (He et al. 2015 with a slope of the root of five).
    ///
    /// # Panics
    /// If a configuration is not valid.
    pub fn init(config: AdapterConfig, model: &ModelConfig, seed: u64) -> Self {
        if let Err(error) = config.validate().and_then(|()| model.validate()) {
            panic!("an adapter is made from valid configurations: {error}");
        }
        let mut adapter = Self::empty(config, model);
        adapter.parameters = vec![0.0; adapter.num_parameters()];
        for (number, slot) in adapter.slots.iter().enumerate() {
            if slot.name.ends_with("lora_A.weight") {
                let bound = 1.0 / (slot.shape[1] as f64).sqrt();
                let stream = Stream::new(seed).substream(number as u64);
                for (position, value) in adapter.parameters[slot.range.clone()].iter_mut().enumerate() {
                    *value = (bound * (2.0 * stream.uniform(position as u64) - 1.0)) as f32;
                }
            }
        }
        adapter
    }

    /// An adapter of valid configurations, without numbers yet.
    pub(crate) fn empty(config: AdapterConfig, model: &ModelConfig) -> Self {
        let products = product_shapes(model, &config.targets);
        let mut slots = Vec::new();
        let mut end = 0;
        let mut push = |name: String, shape: [usize; 2]| {
            let start = end;
            end += shape[0] * shape[1];
            slots.push(Slot { name, shape: shape.to_vec(), range: start..end });
        };
        for layer in 0..model.num_hidden_layers {
            for product in products.each() {
                for (linear, _) in &product.parts {
                    push(linear.tensor_name(layer, 'A'), [config.rank, product.inputs]);
                }
                for (linear, columns) in &product.parts {
                    push(linear.tensor_name(layer, 'B'), [columns.len(), config.rank]);
                }
            }
        }
        Self { config, products, num_layers: model.num_hidden_layers, slots, parameters: Vec::new() }
    }

    /// Numbers per row between the matrices of each product, and how many parameters there are, for an adapter of a model.
    pub(crate) fn sizes(config: &AdapterConfig, model: &ModelConfig) -> (ByProduct<usize>, usize) {
        let products = product_shapes(model, &config.targets);
        let outputs = |product: &ProductShape| product.parts.iter().map(|(_, columns)| columns.len()).sum::<usize>();
        let per_rank: usize =
            products.each().iter().map(|product| product.parts.len() * product.inputs + outputs(product)).sum();
        let ranks = products.map(|product| product.parts.len() * config.rank);
        (ranks, per_rank * config.rank * model.num_hidden_layers)
    }

    /// What decides its computation.
    pub fn config(&self) -> &AdapterConfig {
        &self.config
    }

    /// Number of parameters.
    pub fn num_parameters(&self) -> usize {
        self.slots.last().map_or(0, |slot| slot.range.end)
    }

    /// One tensor by its name in the file, rows first.
    pub fn tensor(&self, name: &str) -> Option<&[f32]> {
        let slot = self.slots.iter().find(|slot| slot.name == name)?;
        Some(&self.parameters[slot.range.clone()])
    }

    /// The names of all tensors, as in the file.
    pub fn tensor_names(&self) -> impl Iterator<Item = &str> {
        self.slots.iter().map(|slot| slot.name.as_str())
    }

    /// Replaces the numbers of one tensor.
    ///
    /// # Panics
    /// If there is no such tensor, or its size is another.
    pub fn set_tensor(&mut self, name: &str, numbers: &[f32]) {
        let slot = self.slots.iter().find(|slot| slot.name == name);
        let slot = slot.unwrap_or_else(|| panic!("the adapter has a tensor {name}"));
        self.parameters[slot.range.clone()].copy_from_slice(numbers);
    }

    /// Whether it was made for models of this shape.
    pub(crate) fn fits(&self, model: &ModelConfig) -> bool {
        self.slots == Self::empty(self.config.clone(), model).slots
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// What is adapted of each product. Numbers lie block by block, product by product: first all `A`, then all `B`.
    #[cfg(feature = "libtorch")]
    pub(crate) fn products(&self) -> &ByProduct<ProductShape> {
        &self.products
    }

    pub(crate) fn parameters(&self) -> &[f32] {
        &self.parameters
    }

    pub(crate) fn parameters_mut(&mut self) -> &mut [f32] {
        &mut self.parameters
    }

    pub(crate) fn set_parameters(&mut self, parameters: Vec<f32>) {
        assert_eq!(parameters.len(), self.num_parameters(), "numbers for every tensor");
        self.parameters = parameters;
    }

    /// The matrices of every block, as they are multiplied.
    pub(crate) fn view(&self) -> Vec<ByProduct<LowRank<'_>>> {
        let (rank, scale) = (self.config.rank, self.config.scale());
        let mut rest = self.parameters.as_slice();
        let mut take = |rows: usize, columns: usize| {
            let (piece, remaining) = rest.split_at(rows * columns);
            rest = remaining;
            MatrixRef::new(piece, rows, columns)
        };
        (0..self.num_layers)
            .map(|_| {
                self.products.map(|product| {
                    let reduce = take(product.parts.len() * rank, product.inputs);
                    let parts = product.parts.iter();
                    let expand = parts.map(|(_, columns)| (columns.clone(), take(columns.len(), rank))).collect();
                    LowRank::new(reduce, expand, scale)
                })
            })
            .collect()
    }

    /// A buffer of this adapter's size as the gradients of every block.
    pub(crate) fn gradients<'a>(&self, buffer: &'a mut [f32]) -> Vec<ByProduct<LowRankGradients<'a>>> {
        assert_eq!(buffer.len(), self.num_parameters(), "a buffer of this adapter");
        let rank = self.config.rank;
        let mut rest = buffer;
        let mut take = |count: usize| {
            let (piece, remaining) = std::mem::take(&mut rest).split_at_mut(count);
            rest = remaining;
            piece
        };
        (0..self.num_layers)
            .map(|_| {
                self.products.map(|product| LowRankGradients {
                    reduce: take(product.parts.len() * rank * product.inputs),
                    expand: product.parts.iter().map(|(_, columns)| take(columns.len() * rank)).collect(),
                })
            })
            .collect()
    }
}

fn product_shapes(model: &ModelConfig, targets: &BTreeSet<Linear>) -> ByProduct<ProductShape> {
    let (hidden, inner) = (model.hidden_size, model.intermediate_size);
    let (query, key) = (model.query_width(), model.key_width());
    let product = |inputs: usize, linears: &[(Linear, usize)]| {
        let mut end = 0;
        let mut parts = Vec::new();
        for &(linear, outputs) in linears {
            let columns = end..end + outputs;
            end = columns.end;
            if targets.contains(&linear) {
                parts.push((linear, columns));
            }
        }
        ProductShape { inputs, parts }
    };
    ByProduct {
        qkv: product(hidden, &[(Linear::Query, query), (Linear::Key, key), (Linear::Value, key)]),
        output: product(query, &[(Linear::Output, hidden)]),
        gate_up: product(hidden, &[(Linear::Gate, inner), (Linear::Up, inner)]),
        down: product(inner, &[(Linear::Down, hidden)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_adapter_has_the_sizes_and_the_spread_of_peft() {
        let model = ModelConfig::tiny();
        let adapter = Adapter::init(AdapterConfig { rank: 8, ..AdapterConfig::default() }, &model, 5);
        // Per layer: q 256 + 256, k and v 256 + 128 each, o 256 + 256, gate and up 256 + 640 each, down 640 + 256.
        assert_eq!(adapter.num_parameters(), 4 * 8 * (512 + 2 * 384 + 512 + 3 * 896));
        assert_eq!(adapter.tensor_names().count(), 4 * 7 * 2);
        for slot in adapter.slots() {
            let numbers = &adapter.parameters[slot.range.clone()];
            if slot.name.ends_with("lora_B.weight") {
                assert!(numbers.iter().all(|&x| x == 0.0), "{}", slot.name);
                continue;
            }
            // A uniform number's variance is a third of the square of its bound: with a slope of the root of five,
            // the bound is sqrt(3) * sqrt(2 / (1 + 5)) / sqrt(inputs).
            let bound = 1.0 / (slot.shape[1] as f32).sqrt();
            assert!(numbers.iter().all(|x| x.abs() <= bound), "{}", slot.name);
            let square = numbers.iter().map(|x| x * x).sum::<f32>() / numbers.len() as f32;
            assert!((square * 3.0 / (bound * bound) - 1.0).abs() < 0.1, "{}: {square}", slot.name);
        }
        let again = Adapter::init(adapter.config().clone(), &model, 5);
        assert_eq!(again.parameters, adapter.parameters);
        assert_ne!(Adapter::init(adapter.config().clone(), &model, 6).parameters, adapter.parameters);
    }

    #[test]
    fn the_factor_follows_the_rank_or_its_root() {
        let config = AdapterConfig { rank: 16, alpha: 8.0, ..AdapterConfig::default() };
        assert_eq!(config.scale(), 0.5);
        assert_eq!(AdapterConfig { rank_stabilized: true, ..config }.scale(), 2.0);
    }

    #[test]
    fn views_address_the_tensors_of_the_file() {
        let model = ModelConfig::tiny();
        let targets = BTreeSet::from([Linear::Query, Linear::Value, Linear::Up]);
        let mut adapter = Adapter::init(AdapterConfig { rank: 2, targets, ..AdapterConfig::default() }, &model, 1);
        adapter.set_parameters((0..adapter.num_parameters()).map(|i| i as f32).collect());
        let start = |linear: Linear, which| adapter.tensor(&linear.tensor_name(3, which)).unwrap()[0];
        let layer = &adapter.view()[3];
        assert_eq!(layer.qkv.reduce.row(0)[0], start(Linear::Query, 'A'));
        assert_eq!(layer.qkv.reduce.row(2)[0], start(Linear::Value, 'A'));
        let columns: Vec<_> =
            layer.qkv.expand.iter().map(|(columns, matrix)| (columns.clone(), matrix.row(0)[0])).collect();
        assert_eq!(columns, [(0..256, start(Linear::Query, 'B')), (384..512, start(Linear::Value, 'B'))]);
        assert_eq!(layer.gate_up.expand[0].0, 640..1280);
        assert_eq!(layer.gate_up.expand[0].1.row(0)[0], start(Linear::Up, 'B'));
        assert_eq!((layer.output.num_ranks(), layer.down.num_ranks()), (0, 0));
        let mut buffer = adapter.parameters.clone();
        let gradients = adapter.gradients(&mut buffer);
        assert_eq!(gradients[3].qkv.expand[1][0], start(Linear::Value, 'B'));
        assert_eq!(gradients[3].gate_up.reduce[0], start(Linear::Up, 'A'));
    }

    #[test]
    fn impossible_adapters_are_refused() {
        let config = AdapterConfig::default();
        assert_eq!(config.validate(), Ok(()));
        for (broken, named) in [
            (AdapterConfig { rank: 0, ..config.clone() }, "r"),
            (AdapterConfig { rank: MOST_RANK + 1, ..config.clone() }, "r"),
            (AdapterConfig { alpha: f32::NAN, ..config.clone() }, "lora_alpha"),
            (AdapterConfig { targets: BTreeSet::new(), ..config.clone() }, "target_modules"),
        ] {
            assert!(matches!(broken.validate(), Err(ConfigError::OutOfRange { field, .. }) if field == named));
        }
    }
}
