//! Checkpoints on disk: round trips, and what broken ones are refused with.

use std::path::Path;

use codeward_lm::{ConfigError, LoadError, Model, ModelConfig, Precision};

fn config() -> ModelConfig {
    ModelConfig {
        hidden_size: 16,
        intermediate_size: 24,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        num_key_value_heads: 1,
        head_dim: 8,
        vocab_size: 40,
        ..ModelConfig::tiny()
    }
}

fn saved() -> (tempfile::TempDir, Model) {
    let folder = tempfile::tempdir().expect("the test's folder is writable");
    let model = Model::init(config(), 1);
    model.save(folder.path(), Precision::F32).expect("the test's folder is writable");
    (folder, model)
}

/// Loads, expecting a refusal with a hint.
fn refused(folder: &Path) -> LoadError {
    Model::load(folder).expect_err("the checkpoint is broken")
}

/// Changes `config.json` as text.
fn change_config(folder: &Path, from: &str, to: &str) {
    let path = folder.join("config.json");
    let text = std::fs::read_to_string(&path).expect("the test's folder is writable");
    assert!(text.contains(from), "{text}");
    std::fs::write(path, text.replace(from, to)).expect("the test's folder is writable");
}

#[test]
fn saving_in_single_precision_is_exact() {
    for tied in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let config = ModelConfig { tie_word_embeddings: tied, head_dim: 6, bos_token_id: Some(3), ..config() };
        let model = Model::init(config.clone(), 1);
        model.save(folder.path(), Precision::F32).unwrap();
        let loaded = Model::load(folder.path()).unwrap();
        assert_eq!(loaded.config(), &config);
        assert_eq!(loaded.weights_hash(), model.weights_hash());
        let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["config.json", "model.safetensors"], "no partial file stays behind");
    }
}

#[test]
fn saving_in_bfloat16_keeps_eight_bits() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::init(config(), 1);
    model.save(folder.path(), Precision::Bf16).unwrap();
    let loaded = Model::load(folder.path()).unwrap();
    for name in model.tensor_names() {
        for (a, b) in model.tensor(name).unwrap().iter().zip(loaded.tensor(name).unwrap()) {
            assert!((a - b).abs() <= a.abs() / 256.0, "{name}: {a} {b}");
        }
    }
    assert_ne!(loaded.weights_hash(), model.weights_hash());
    // What is representable stays.
    loaded.save(folder.path(), Precision::Bf16).unwrap();
    assert_eq!(Model::load(folder.path()).unwrap().weights_hash(), loaded.weights_hash());
}

#[test]
fn initial_weights_depend_on_the_seed_alone() {
    assert_eq!(Model::init(config(), 1).weights_hash(), Model::init(config(), 1).weights_hash());
    assert_ne!(Model::init(config(), 1).weights_hash(), Model::init(config(), 2).weights_hash());
    let model = Model::init(ModelConfig::tiny(), 1);
    assert_eq!(model.num_parameters(), 3_281_152);
    let deviation = |name: &str| {
        let values = model.tensor(name).unwrap();
        (values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
    };
    assert!((deviation("model.layers.1.mlp.up_proj.weight") / 0.02 - 1.0).abs() < 0.01);
    // Eight matrices write to the stream.
    assert!((deviation("model.layers.1.mlp.down_proj.weight") / (0.02 / 8f64.sqrt()) - 1.0).abs() < 0.01);
    assert_eq!(deviation("model.layers.1.self_attn.q_proj.bias"), 0.0);
    assert_eq!(model.tensor("model.norm.weight").unwrap(), [1.0; 256]);
}

#[test]
fn a_sharded_checkpoint_reads_like_a_whole_one() {
    let (folder, model) = saved();
    // Two models' files stand in for shards: each tensor is in one of them only.
    let bytes = std::fs::read(folder.path().join("model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut map = serde_json::Map::new();
    for (number, file) in ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"].iter().enumerate() {
        let mut part: Vec<_> = tensors.tensors();
        part.sort_by(|a, b| a.0.cmp(&b.0));
        let part: Vec<_> = part.into_iter().enumerate().filter(|(i, _)| i % 2 == number).map(|(_, t)| t).collect();
        map.extend(part.iter().map(|(name, _)| (name.clone(), serde_json::Value::from(*file))));
        safetensors::serialize_to_file(part, None, &folder.path().join(file)).unwrap();
    }
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    let index = folder.path().join("model.safetensors.index.json");
    std::fs::write(&index, serde_json::json!({ "weight_map": map }).to_string()).unwrap();
    assert_eq!(Model::load(folder.path()).unwrap().weights_hash(), model.weights_hash());
    std::fs::write(&index, r#"{"weight_map": {"model.norm.weight": "../secret.safetensors"}}"#).unwrap();
    assert!(matches!(refused(folder.path()), LoadError::ForeignShard { file, .. } if file == "../secret.safetensors"));
}

#[test]
fn missing_files_are_named() {
    let error = refused(Path::new("/nowhere/at/all"));
    assert!(matches!(&error, LoadError::MissingFolder { .. }));
    assert_eq!(error.to_string(), "no model folder at \"/nowhere/at/all\"");
    assert_eq!(error.hint(), Some("give the folder that holds config.json and model.safetensors"));
    let (folder, _) = saved();
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    assert!(
        matches!(refused(folder.path()), LoadError::MissingFile { path, .. } if path.ends_with("model.safetensors"))
    );
    std::fs::remove_file(folder.path().join("config.json")).unwrap();
    assert!(matches!(refused(folder.path()), LoadError::MissingFile { path, .. } if path.ends_with("config.json")));
}

#[test]
fn broken_configurations_are_refused() {
    let (folder, _) = saved();
    change_config(folder.path(), "\"Qwen2ForCausalLM\"", "\"GPT2LMHeadModel\"");
    let error = refused(folder.path());
    assert!(matches!(
        &error,
        LoadError::Config { source: ConfigError::UnsupportedArchitecture { found }, .. } if found == "GPT2LMHeadModel"
    ));
    assert!(error.hint().is_some());
    let (folder, _) = saved();
    change_config(folder.path(), "\"num_attention_heads\": 2", "\"num_attention_heads\": \"two\"");
    assert!(matches!(refused(folder.path()), LoadError::Json { .. }));
}

#[test]
fn hostile_sizes_are_refused_before_anything_is_allocated() {
    // Within every single limit, and far beyond any memory if it were believed.
    let (folder, _) = saved();
    change_config(folder.path(), "\"hidden_size\": 16", "\"hidden_size\": 8192");
    change_config(folder.path(), "\"vocab_size\": 40", "\"vocab_size\": 16777216");
    change_config(folder.path(), "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1024");
    let error = refused(folder.path());
    assert!(matches!(&error, LoadError::WrongShape { found, .. } if found == &[40, 16]), "{error}");
    // A header that claims to be longer than the file, and one with a tensor that is.
    let (folder, _) = saved();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, u64::MAX.to_le_bytes()).unwrap();
    assert!(matches!(refused(folder.path()), LoadError::WrongLength { expected: u64::MAX, found: 8, .. }));
    let header = r#"{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,4]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend([0; 4]);
    std::fs::write(&path, &bytes).unwrap();
    assert!(matches!(refused(folder.path()), LoadError::Json { .. }));
}

#[test]
fn broken_weights_are_refused() {
    let (folder, _) = saved();
    let path = folder.path().join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    for length in [0, 7, 100, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let error = refused(folder.path());
        assert!(matches!(&error, LoadError::WrongLength { found, .. } if *found == length as u64), "{error}");
        assert!(error.hint().is_some());
    }
    std::fs::write(&path, &bytes).unwrap();
    // The tensor of the last numbers begins the file's tail; a NaN anywhere is found.
    let mut spoilt = bytes.clone();
    let end = spoilt.len();
    spoilt[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&path, &spoilt).unwrap();
    assert!(matches!(refused(folder.path()), LoadError::NotFinite { .. }));
    std::fs::write(&path, &bytes).unwrap();
    change_config(folder.path(), "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1");
    assert!(matches!(refused(folder.path()), LoadError::UnexpectedTensor { name, .. } if name.contains("layers.1")));
    change_config(folder.path(), "\"num_hidden_layers\": 1", "\"num_hidden_layers\": 3");
    assert!(matches!(refused(folder.path()), LoadError::MissingTensor { name, .. } if name.contains("layers.2")));
    change_config(folder.path(), "\"intermediate_size\": 24", "\"intermediate_size\": 25");
    let error = refused(folder.path());
    assert!(error.to_string().ends_with("has shape [24, 16], expected [25, 16]"), "{error}");
}
