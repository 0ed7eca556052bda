//! Checkpoints on disk: round trips, and what broken ones are refused with.

use std::path::Path;

use codeward_lm::{ConfigError, Family, LoadError, Model, ModelConfig, Precision};

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
    for family in [Family::Llama, Family::Qwen2, Family::Qwen3, Family::Gemma3] {
        for tied in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let config = ModelConfig {
                num_hidden_layers: 4,
                tie_word_embeddings: tied,
                bos_token_id: Some(3),
                hidden_size: 16,
                intermediate_size: 24,
                head_dim: 6,
                vocab_size: 40,
                ..ModelConfig::of_family(family)
            };
            let model = Model::init(config.clone(), 1);
            model.save(folder.path(), Precision::F32).unwrap();
            let loaded = Model::load(folder.path()).unwrap();
            assert_eq!(loaded.config(), &config);
            assert_eq!(loaded.weights_hash(), model.weights_hash());
            let entries = std::fs::read_dir(folder.path()).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            assert_eq!(names, ["config.json", "model.safetensors"], "no partial file stays behind");
        }
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
    // Gemma's norms add one to what is stored.
    let gemma = Model::init(ModelConfig::of_family(Family::Gemma3), 1);
    assert_eq!(gemma.tensor("model.layers.2.self_attn.q_norm.weight").unwrap(), [0.0; 64]);
}

const SHARDS: [&str; 2] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];

/// Replaces the weight file by shards, and writes the index. `home` says which shards hold a tensor, by its number.
fn shard(folder: &Path, homes: impl Fn(usize) -> Vec<usize>) {
    let path = folder.join("model.safetensors");
    let bytes = std::fs::read(&path).expect("the checkpoint was saved");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("the checkpoint was saved");
    let mut tensors = tensors.tensors();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let mut map = serde_json::Map::new();
    for (shard, file) in SHARDS.iter().enumerate() {
        let part: Vec<_> = tensors.iter().enumerate().filter(|(number, _)| homes(*number).contains(&shard)).collect();
        map.extend(part.iter().map(|(_, (name, _))| (name.clone(), serde_json::Value::from(*file))));
        let part: Vec<_> = part.into_iter().map(|(_, (name, view))| (name.as_str(), view.clone())).collect();
        safetensors::serialize_to_file(part, None, &folder.join(file)).expect("the test's folder is writable");
    }
    std::fs::remove_file(path).expect("the test's folder is writable");
    write_index(folder, &serde_json::Value::Object(map));
}

fn write_index(folder: &Path, map: &serde_json::Value) {
    let index = folder.join("model.safetensors.index.json");
    let contents = serde_json::json!({ "metadata": { "total_size": 1 }, "weight_map": map });
    std::fs::write(index, contents.to_string()).expect("the test's folder is writable");
}

#[test]
fn a_sharded_checkpoint_reads_like_a_whole_one() {
    let (folder, model) = saved();
    shard(folder.path(), |number| vec![number % 2]);
    assert_eq!(Model::load(folder.path()).unwrap().weights_hash(), model.weights_hash());
}

#[test]
fn shards_stay_in_the_folder() {
    let (folder, _) = saved();
    shard(folder.path(), |number| vec![number % 2]);
    // A real checkpoint outside, to be refused for its place alone.
    let outside = folder.path().join("elsewhere");
    std::fs::create_dir(&outside).unwrap();
    std::fs::copy(folder.path().join(SHARDS[0]), outside.join("model.safetensors")).unwrap();
    let absolute = outside.join("model.safetensors").display().to_string();
    let tricks = [
        "../secret.safetensors",
        "elsewhere/model.safetensors",
        "./model-00001-of-00002.safetensors",
        "model-00001-of-00002.safetensors/",
        "elsewhere\\model.safetensors",
        "C:model.safetensors",
        "..",
        "",
        "config.json",
        absolute.as_str(),
    ];
    for trick in tricks {
        write_index(folder.path(), &serde_json::json!({ "model.norm.weight": trick }));
        let error = refused(folder.path());
        assert!(matches!(&error, LoadError::ForeignShard { file, .. } if file == trick), "{trick}: {error}");
    }
}

#[test]
fn shards_that_do_not_fit_together_are_named() {
    // The third tensor is in both.
    let (folder, _) = saved();
    shard(folder.path(), |number| if number == 2 { vec![0, 1] } else { vec![number % 2] });
    let error = refused(folder.path());
    assert!(matches!(&error, LoadError::DuplicateTensor { path, other, name }
        if path.ends_with(SHARDS[0]) && other.ends_with(SHARDS[1]) && name == "model.layers.0.mlp.down_proj.weight"));
    assert!(error.hint().is_some());
    // The third tensor is in neither.
    let (folder, _) = saved();
    shard(folder.path(), |number| if number == 2 { vec![] } else { vec![number % 2] });
    let error = refused(folder.path());
    assert!(matches!(error, LoadError::MissingTensor { name, .. } if name == "model.layers.0.mlp.down_proj.weight"));
    // The index says that a tensor is in the other shard.
    let (folder, _) = saved();
    shard(folder.path(), |number| vec![number % 2]);
    let text = std::fs::read_to_string(folder.path().join("model.safetensors.index.json")).unwrap();
    let mut index: serde_json::Value = serde_json::from_str(&text).unwrap();
    index["weight_map"]["model.norm.weight"] =
        if index["weight_map"]["model.norm.weight"] == SHARDS[0] { SHARDS[1] } else { SHARDS[0] }.into();
    write_index(folder.path(), &index["weight_map"]);
    assert!(matches!(refused(folder.path()), LoadError::MissingTensor { name, .. } if name == "model.norm.weight"));
    // A shard does not exist, and there are more than anyone could have.
    let (folder, _) = saved();
    shard(folder.path(), |number| vec![number % 2]);
    std::fs::remove_file(folder.path().join(SHARDS[1])).unwrap();
    assert!(matches!(refused(folder.path()), LoadError::MissingFile { path, .. } if path.ends_with(SHARDS[1])));
    let many: serde_json::Map<String, serde_json::Value> =
        (0..1001).map(|number| (format!("tensor-{number}"), format!("{number}.safetensors").into())).collect();
    write_index(folder.path(), &many.into());
    assert!(matches!(refused(folder.path()), LoadError::TooManyShards { found: 1001, limit: 1000, .. }));
}

#[test]
fn half_precision_is_read_as_it_is() {
    let (folder, model) = saved();
    let path = folder.path().join("model.safetensors");
    let names: Vec<String> = model.tensor_names().map(str::to_owned).collect();
    let shapes: Vec<Vec<usize>> = {
        let bytes = std::fs::read(&path).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        names.iter().map(|name| tensors.tensor(name).unwrap().shape().to_vec()).collect()
    };
    // All three types in one file.
    let kinds = [safetensors::Dtype::F16, safetensors::Dtype::BF16, safetensors::Dtype::F32];
    let encode = |number: usize, x: f32| match number % 3 {
        0 => half::f16::from_f32(x).to_le_bytes().to_vec(),
        1 => half::bf16::from_f32(x).to_le_bytes().to_vec(),
        _ => x.to_le_bytes().to_vec(),
    };
    let rounded = |number: usize, x: f32| match number % 3 {
        0 => half::f16::from_f32(x).to_f32(),
        1 => half::bf16::from_f32(x).to_f32(),
        _ => x,
    };
    let encoded: Vec<Vec<u8>> = names
        .iter()
        .enumerate()
        .map(|(number, name)| model.tensor(name).unwrap().iter().flat_map(|&x| encode(number, x)).collect())
        .collect();
    let views = names.iter().zip(&shapes).zip(&encoded).enumerate().map(|(number, ((name, shape), bytes))| {
        let kind = kinds[number % 3];
        (name.as_str(), safetensors::tensor::TensorView::new(kind, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize_to_file(views.collect::<Vec<_>>(), None, &path).unwrap();
    let loaded = Model::load(folder.path()).unwrap();
    for (number, name) in names.iter().enumerate() {
        let wanted: Vec<f32> = model.tensor(name).unwrap().iter().map(|&x| rounded(number, x)).collect();
        assert_eq!(loaded.tensor(name).unwrap(), wanted, "{name}");
    }
}

#[test]
fn endless_text_is_refused() {
    let (folder, _) = saved();
    let path = folder.path().join("config.json");
    // Sparse: it takes no room on the disk.
    std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(matches!(refused(folder.path()), LoadError::TooLong { found, .. } if found == 1 << 40));
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
    // A family whose file has none of our keys is named all the same.
    let text = r#"{"architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "text_config": {}}"#;
    std::fs::write(folder.path().join("config.json"), text).unwrap();
    assert!(refused(folder.path()).hint().unwrap().contains("text-only"));
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
