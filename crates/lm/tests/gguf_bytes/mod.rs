//! Writes GGUF files by hand, well-formed and otherwise.

/// A metadata value on its way to a file: the number of its type, and its bytes.
#[derive(Clone)]
pub(crate) struct Encoded {
    kind: u32,
    bytes: Vec<u8>,
}

pub(crate) fn text(text: &str) -> Encoded {
    Encoded { kind: 8, bytes: text_bytes(text) }
}

pub(crate) fn number(number: u32) -> Encoded {
    Encoded { kind: 4, bytes: number.to_le_bytes().to_vec() }
}

pub(crate) fn float(number: f32) -> Encoded {
    Encoded { kind: 6, bytes: number.to_le_bytes().to_vec() }
}

pub(crate) fn flag(flag: bool) -> Encoded {
    Encoded { kind: 7, bytes: vec![u8::from(flag)] }
}

pub(crate) fn texts(texts: &[&str]) -> Encoded {
    array(8, texts.len() as u64, &texts.iter().flat_map(|text| text_bytes(text)).collect::<Vec<u8>>())
}

pub(crate) fn floats(numbers: &[f32]) -> Encoded {
    array(6, numbers.len() as u64, &numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())
}

pub(crate) fn integers(numbers: &[i32]) -> Encoded {
    array(5, numbers.len() as u64, &numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())
}

/// An array whose count may be a lie.
pub(crate) fn array(kind: u32, count: u64, bytes: &[u8]) -> Encoded {
    let bytes = [kind.to_le_bytes().as_slice(), &count.to_le_bytes(), bytes].concat();
    Encoded { kind: 9, bytes }
}

pub(crate) fn raw(kind: u32, bytes: &[u8]) -> Encoded {
    Encoded { kind, bytes: bytes.to_vec() }
}

fn text_bytes(text: &str) -> Vec<u8> {
    [(text.len() as u64).to_le_bytes().as_slice(), text.as_bytes()].concat()
}

/// Name, dimensions in the file's order, type, offset, bytes.
type TensorBytes = (String, Vec<u64>, u32, u64, Vec<u8>);

/// A file in the making. Every announced number can be overruled.
#[derive(Clone)]
pub(crate) struct GgufBytes {
    pub(crate) version: u32,
    pub(crate) num_tensors: Option<u64>,
    pub(crate) num_keys: Option<u64>,
    pub(crate) keys: Vec<(String, Encoded)>,
    pub(crate) tensors: Vec<TensorBytes>,
}

impl GgufBytes {
    pub(crate) fn new() -> Self {
        Self { version: 3, num_tensors: None, num_keys: None, keys: Vec::new(), tensors: Vec::new() }
    }

    pub(crate) fn key(mut self, key: &str, value: Encoded) -> Self {
        self.keys.retain(|(known, _)| known != key);
        self.keys.push((key.to_owned(), value));
        self
    }

    /// Adds a tensor of single-precision numbers behind the others.
    pub(crate) fn tensor(mut self, name: &str, dimensions: &[u64], numbers: &[f32]) -> Self {
        let offset = self.tensors.iter().map(|tensor| (tensor.4.len() as u64).next_multiple_of(32)).sum();
        let bytes = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.tensors.push((name.to_owned(), dimensions.to_vec(), 0, offset, bytes));
        self
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend(self.num_tensors.unwrap_or(self.tensors.len() as u64).to_le_bytes());
        out.extend(self.num_keys.unwrap_or(self.keys.len() as u64).to_le_bytes());
        for (key, value) in &self.keys {
            out.extend(text_bytes(key));
            out.extend(value.kind.to_le_bytes());
            out.extend(&value.bytes);
        }
        for (name, dimensions, kind, offset, _) in &self.tensors {
            out.extend(text_bytes(name));
            out.extend((dimensions.len() as u32).to_le_bytes());
            out.extend(dimensions.iter().flat_map(|dimension| dimension.to_le_bytes()));
            out.extend(kind.to_le_bytes());
            out.extend(offset.to_le_bytes());
        }
        for (.., bytes) in &self.tensors {
            out.resize(out.len().next_multiple_of(32), 0);
            out.extend(bytes);
        }
        out
    }
}

/// A Llama of one layer with two heads of four, eight tokens, and a byte-level tokenizer without merges.
pub(crate) fn tiny_llama() -> GgufBytes {
    let ramp = |count: usize| (0..count).map(|index| index as f32 / 16.0).collect::<Vec<f32>>();
    GgufBytes::new()
        .key("general.architecture", text("llama"))
        .key("llama.block_count", number(1))
        .key("llama.context_length", number(64))
        .key("llama.embedding_length", number(8))
        .key("llama.feed_forward_length", number(4))
        .key("llama.attention.head_count", number(2))
        .key("llama.attention.head_count_kv", number(1))
        .key("llama.attention.layer_norm_rms_epsilon", float(1e-5))
        .key("tokenizer.ggml.model", text("gpt2"))
        .key("tokenizer.ggml.pre", text("smollm"))
        .key("tokenizer.ggml.tokens", texts(&["<s>", "a", "b", "ab", "c", "abc", "d", "e"]))
        .key("tokenizer.ggml.token_type", integers(&[3, 1, 1, 1, 1, 1, 1, 1]))
        .key("tokenizer.ggml.merges", texts(&["a b", "ab c"]))
        .key("tokenizer.ggml.bos_token_id", number(0))
        .key("tokenizer.ggml.eos_token_id", number(0))
        .key("tokenizer.ggml.add_bos_token", flag(false))
        .tensor("token_embd.weight", &[8, 8], &ramp(64))
        .tensor("blk.0.attn_norm.weight", &[8], &[1.0; 8])
        .tensor("blk.0.attn_q.weight", &[8, 8], &ramp(64))
        .tensor("blk.0.attn_k.weight", &[8, 4], &ramp(32))
        .tensor("blk.0.attn_v.weight", &[8, 4], &ramp(32))
        .tensor("blk.0.attn_output.weight", &[8, 8], &ramp(64))
        .tensor("blk.0.ffn_norm.weight", &[8], &[1.0; 8])
        .tensor("blk.0.ffn_gate.weight", &[8, 4], &ramp(32))
        .tensor("blk.0.ffn_up.weight", &[8, 4], &ramp(32))
        .tensor("blk.0.ffn_down.weight", &[4, 8], &ramp(32))
        .tensor("output_norm.weight", &[8], &[1.0; 8])
}
