//! A model: its configuration and its parameters.

use std::path::Path;

use crate::adapter::Adapter;
use crate::config::ModelConfig;
use crate::config_file::{ConfigFile, FamilyName};
use crate::decoder::DecoderWeights;
use crate::kernels::low_rank;
use crate::kernels::matrix::MatrixRef;
use crate::layout::{Layout, Slot};
use crate::random::Stream;
use crate::value_head::ValueHead;
use crate::weights::{self, LoadError, Precision, SaveError};

const CONFIG_FILE: &str = "config.json";
/// Spread of fresh matrices.
const INITIAL_DEVIATION: f64 = 0.02;

/// A decoder language model with its parameters in single precision, and perhaps an adapter and a value head beside them.
#[derive(Debug, Clone)]
pub struct Model {
    config: ModelConfig,
    layout: Layout,
    parameters: Vec<f32>,
    adapter: Option<Adapter>,
    value_head: Option<ValueHead>,
}

impl ModelConfig {
    /// Reads `config.json` from a folder in Hugging Face layout.
    ///
    /// # Errors
    /// If the file is missing, broken or describes a model that this crate does not compute.
    pub fn load(folder: &Path) -> Result<Self, LoadError> {
        let path = folder.join(CONFIG_FILE);
        let text = weights::read_text(&path, "the model's configuration")?;
        let not_json = |source| LoadError::Json { path: path.clone(), source };
        let unusable = |source| LoadError::Config { path: path.clone(), source };
        let name: FamilyName = serde_json::from_str(&text).map_err(not_json)?;
        name.family().map_err(unusable)?;
        let file: ConfigFile = serde_json::from_str(&text).map_err(not_json)?;
        Self::try_from(file).map_err(unusable)
    }

    /// Number of parameters of a model of this shape; a tied head counts once.
    pub fn num_parameters(&self) -> usize {
        Layout::new(self).total()
    }
}

impl Model {
    /// A fresh model: normal matrices, norms that multiply with one, biases of zero. The matrices that write to the
    /// residual stream start smaller, by the root of how many there are, so that depth does not make the stream grow.
    ///
    /// # Panics
    /// If the configuration is not valid ([`ModelConfig::validate`]).
    pub fn init(config: ModelConfig, seed: u64) -> Self {
        if let Err(error) = config.validate() {
            panic!("a model is made from a valid configuration: {error}");
        }
        let layout = Layout::new(&config);
        let mut parameters = vec![0.0; layout.total()];
        let residual = INITIAL_DEVIATION / (2.0 * config.num_hidden_layers as f64).sqrt();
        for (number, slot) in layout.slots().iter().enumerate() {
            let values = &mut parameters[slot.range.clone()];
            if slot.name.ends_with("norm.weight") {
                values.fill(1.0 - config.family.traits().norm_offset);
            } else if slot.shape.len() == 2 {
                let writes = slot.name.ends_with("o_proj.weight") || slot.name.ends_with("down_proj.weight");
                let deviation = if writes { residual } else { INITIAL_DEVIATION };
                let stream = Stream::new(seed).substream(number as u64);
                for (position, value) in values.iter_mut().enumerate() {
                    *value = (deviation * stream.normal(position as u64)) as f32;
                }
            }
        }
        Self { config, layout, parameters, adapter: None, value_head: None }
    }

    /// Reads `config.json`, the weights and the value head, if there is one, from a folder in Hugging Face layout.
    ///
    /// # Errors
    /// If a file is missing, broken or describes a model that this crate does not compute; nothing large is allocated
    /// before names, types, shapes and lengths are known to agree.
    pub fn load(folder: &Path) -> Result<Self, LoadError> {
        let config = ModelConfig::load(folder)?;
        let layout = Layout::new(&config);
        let parameters = weights::read_weights(folder, &layout)?;
        let value_head = ValueHead::load(folder, config.hidden_size)?;
        Ok(Self { config, layout, parameters, adapter: None, value_head })
    }

    /// Writes `config.json`, `model.safetensors` and a value head, if there is one; each file appears whole or not at all. An adapter is merged: the
    /// files hold what the model computes. To keep it apart, save it with [`Adapter::save`].
    ///
    /// # Errors
    /// If the folder or a file cannot be written.
    pub fn save(&self, folder: &Path, precision: Precision) -> Result<(), SaveError> {
        if self.adapter.is_some() {
            return self.merged().save(folder, precision);
        }
        weights::create_folder(folder)?;
        weights::write_weights(folder, &self.layout, &self.parameters, precision)?;
        if let Some(head) = &self.value_head {
            head.save(folder)?;
        }
        let mut file = ConfigFile::from(self.config.clone());
        file.torch_dtype = Some(match precision {
            Precision::F32 => "float32".to_owned(),
            Precision::Bf16 => "bfloat16".to_owned(),
        });
        let text = serde_json::to_string_pretty(&file).expect("a configuration is plain data");
        weights::write_text(&folder.join(CONFIG_FILE), &(text + "\n"))
    }

    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The model with an adapter beside its weights, in place of the one it may have.
    ///
    /// # Panics
    /// If the adapter was made for a model of another shape.
    #[must_use]
    pub fn with_adapter(self, adapter: Adapter) -> Self {
        assert!(adapter.fits(&self.config), "the adapter was made for a model of this shape");
        Self { adapter: Some(adapter), ..self }
    }

    /// The model without its adapter, and the adapter.
    pub fn without_adapter(self) -> (Self, Option<Adapter>) {
        (Self { adapter: None, ..self }, self.adapter)
    }

    /// The adapter beside the weights, if there is one.
    pub fn adapter(&self) -> Option<&Adapter> {
        self.adapter.as_ref()
    }

    /// The model with a value head, or without one.
    ///
    /// # Panics
    /// If the head was made for a model of another width.
    #[must_use]
    pub fn with_value_head(self, value_head: Option<ValueHead>) -> Self {
        let fits = value_head.as_ref().is_none_or(|head| head.weight().len() == self.config.hidden_size);
        assert!(fits, "the value head was made for a model of this width");
        Self { value_head, ..self }
    }

    /// What gives tokens a value, if there is such a head.
    pub fn value_head(&self) -> Option<&ValueHead> {
        self.value_head.as_ref()
    }

    pub(crate) fn replace_adapter(&mut self, adapter: Adapter) {
        self.adapter = Some(adapter);
    }

    pub(crate) fn replace_value_head(&mut self, value_head: Option<ValueHead>) {
        self.value_head = value_head;
    }

    pub(crate) fn value_head_mut(&mut self) -> Option<&mut ValueHead> {
        self.value_head.as_mut()
    }

    /// A model without adapter that computes the same: `W + s B A` takes the place of `W`.
    #[must_use]
    pub fn merged(&self) -> Self {
        let mut parameters = self.parameters.clone();
        if let Some(adapter) = &self.adapter {
            let gradients = self.layout.gradients(&mut parameters);
            for (layer, adapter) in gradients.layers.into_iter().zip(adapter.view()) {
                low_rank::merge(layer.qkv, &adapter.qkv);
                low_rank::merge(layer.output, &adapter.output);
                low_rank::merge(layer.gate_up, &adapter.gate_up);
                low_rank::merge(layer.down, &adapter.down);
            }
        }
        let (config, layout, value_head) = (self.config.clone(), self.layout.clone(), self.value_head.clone());
        Self { config, layout, parameters, adapter: None, value_head }
    }

    /// Number of parameters, without an adapter's; a tied head counts once.
    pub fn num_parameters(&self) -> usize {
        self.parameters.len()
    }

    /// A hash of names, shapes and numbers: equal for equal models, on any machine.
    pub fn weights_hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for slot in self.layout.slots() {
            hasher.update(format!("{} {:?}\n", slot.name, slot.shape).as_bytes());
            // Little-endian, as in the file.
            hasher.update(bytemuck::cast_slice(&self.parameters[slot.range.clone()]));
        }
        if let Some(adapter) = &self.adapter {
            hasher.update(&adapter.config().scale().to_le_bytes());
            for slot in adapter.slots() {
                hasher.update(format!("{} {:?}\n", slot.name, slot.shape).as_bytes());
                hasher.update(bytemuck::cast_slice(&adapter.parameters()[slot.range.clone()]));
            }
        }
        if let Some(head) = &self.value_head {
            hasher.update(b"value head\n");
            hasher.update(bytemuck::cast_slice(head.parameters()));
        }
        hasher.finalize().to_hex().to_string()
    }

    /// One tensor by its name in the file, rows first; those of an adapter are [its own](Adapter::tensor).
    pub fn tensor(&self, name: &str) -> Option<&[f32]> {
        let slot = self.layout.slots().iter().find(|slot| slot.name == name)?;
        Some(&self.parameters[slot.range.clone()])
    }

    /// The names of all tensors, as in the file.
    pub fn tensor_names(&self) -> impl Iterator<Item = &str> {
        self.layout.slots().iter().map(|slot| slot.name.as_str())
    }

    /// Replaces the numbers of one tensor.
    ///
    /// # Panics
    /// If there is no such tensor, or its size is another.
    pub fn set_tensor(&mut self, name: &str, numbers: &[f32]) {
        let slot = self.layout.slots().iter().find(|slot| slot.name == name);
        let slot = slot.unwrap_or_else(|| panic!("the model has a tensor {name}"));
        self.parameters[slot.range.clone()].copy_from_slice(numbers);
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The parameters that a trainer changes: the adapter's, or, without one, all.
    pub(crate) fn trained(&self) -> &[f32] {
        self.adapter.as_ref().map_or(&self.parameters, Adapter::parameters)
    }

    /// [`Model::trained`], to be changed.
    pub(crate) fn trained_mut(&mut self) -> &mut [f32] {
        match &mut self.adapter {
            Some(adapter) => adapter.parameters_mut(),
            None => &mut self.parameters,
        }
    }

    /// The tensors of [`Model::trained`].
    pub(crate) fn trained_slots(&self) -> &[Slot] {
        self.adapter.as_ref().map_or(self.layout.slots(), Adapter::slots)
    }

    /// All weights in the order of the layout, without an adapter.
    #[cfg(feature = "libtorch")]
    pub(crate) fn weights(&self) -> &[f32] {
        &self.parameters
    }

    /// The weights as they lie in the file.
    pub(crate) fn stored_weights(&self) -> DecoderWeights<'_, MatrixRef<'_>> {
        self.layout.view(&self.parameters)
    }
}
