"""The other sides of bench_lm: PyTorch with transformers and PEFT, or llama.cpp through llama-cpp-python.

A case comes as one line of JSON on the standard input, then commands: "round" does the work once, "end" ends it. Answers are
lines of JSON. `python peers.py torch|llamacpp`, started by the example.
"""

import json
import os
import sys
import time


def status(key):
    with open("/proc/self/status", encoding="ascii") as lines:
        for line in lines:
            if line.startswith(key):
                return int(line.split()[1]) << 10
    raise RuntimeError(f"no {key}")


def tokens(case, row):
    """The formula of case.rs."""
    most = case["vocabulary"] - 1
    return [(at * 7919 + row // case["group"] * 104_729) % most + 1 for at in range(case["length"])]


def num_threads():
    return int(os.environ["OMP_NUM_THREADS"])


class Torch:
    def __init__(self, case):
        import torch
        import transformers

        if case["work"] == "adapt":
            import peft
        self.start = status("VmRSS:")
        self.torch, self.case = torch, case
        torch.set_num_threads(num_threads())
        torch.manual_seed(1)
        transformers.logging.set_verbosity_error()
        model = transformers.AutoModelForCausalLM.from_pretrained(case["model"], dtype=torch.float32)
        self.about = {"engine": f"torch {torch.__version__}, transformers {transformers.__version__}"}
        batch = [tokens(case, row) for row in range(case["batch"])]
        self.batch = torch.tensor(batch)
        if case["work"] == "adapt":
            config = peft.LoraConfig(
                r=16,
                lora_alpha=32,
                lora_dropout=0.0,
                target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
                task_type="CAUSAL_LM",
            )
            model = peft.get_peft_model(model, config)
            self.about["engine"] += f", peft {peft.__version__}"
        self.model = model
        if case["work"] in ("train", "adapt"):
            model.train()
            self.trained = [p for p in model.parameters() if p.requires_grad]
            self.optimizer = torch.optim.AdamW(self.trained, lr=1e-5, weight_decay=0.0, fused=True)
        else:
            model.eval()
            self.batch = self.batch[:: case["group"]]

    def round(self):
        if self.case["work"] in ("train", "adapt"):
            return self.update()
        return self.complete()

    def update(self):
        torch = self.torch
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.model(input_ids=self.batch, labels=self.batch, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        return loss.item()

    def complete(self):
        torch, case = self.torch, self.case
        sampling = {"do_sample": False}
        if case["work"] == "sample":
            sampling = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
        with torch.inference_mode():
            out = self.model.generate(
                self.batch,
                attention_mask=torch.ones_like(self.batch),
                max_new_tokens=case["new_tokens"],
                min_new_tokens=case["new_tokens"],
                num_return_sequences=case["group"],
                eos_token_id=None,
                pad_token_id=0,
                **sampling,
            )
        drawn = out[:, case["length"] :]
        assert drawn.shape == (case["batch"], case["new_tokens"]), drawn.shape
        return drawn[:, 0].sum().item()


class LlamaCpp:
    """llama.cpp on the same weights in single precision; its cache of keys and values has half precision, as it always does."""

    def __init__(self, case):
        import llama_cpp

        self.start = status("VmRSS:")
        self.lib, self.case = llama_cpp, case
        lib = llama_cpp
        lib.llama_backend_init()
        self.quiet = lib.llama_log_callback(lambda level, text, data: None)
        lib.llama_log_set(self.quiet, None)
        parameters = lib.llama_model_default_params()
        parameters.n_gpu_layers = 0
        path = single_precision(case)
        self.model = lib.llama_model_load_from_file(path.encode(), parameters)
        assert self.model, f"llama.cpp does not load {path}"
        context = lib.llama_context_default_params()
        # Whole blocks of its cache for each row.
        context.n_ctx = case["batch"] * (-(-(case["length"] + case["new_tokens"]) // 256) * 256)
        context.n_batch = context.n_ubatch = 512
        context.n_seq_max = case["batch"]
        context.n_threads = context.n_threads_batch = num_threads()
        context.no_perf = True
        # One cache for all rows, so that those of a group share their prompt.
        context.kv_unified = case["group"] > 1
        self.context = lib.llama_init_from_model(self.model, context)
        assert self.context, "llama.cpp has no room for the context"
        self.memory = lib.llama_get_memory(self.context)
        self.vocabulary = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(self.model))
        self.batch = lib.llama_batch_init(max(512, case["batch"]), 0, 1)
        self.about = {"engine": f"llama-cpp-python {llama_cpp.__version__}, F32 weights, F16 cache"}

    def add(self, token, position, row, wanted):
        batch, at = self.batch, self.batch.n_tokens
        batch.token[at], batch.pos[at] = token, position
        batch.n_seq_id[at], batch.seq_id[at][0], batch.logits[at] = 1, row, wanted
        batch.n_tokens += 1

    def decode(self):
        failed = self.lib.llama_decode(self.context, self.batch)
        assert failed == 0, f"llama_decode returned {failed}"

    def sampler(self):
        lib = self.lib
        chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        if self.case["work"] == "sample":
            lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_temp(1.0))
            lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_dist(1))
        else:
            lib.llama_sampler_chain_add(chain, lib.llama_sampler_init_greedy())
        return chain

    def round(self):
        lib, case = self.lib, self.case
        rows, length, group = case["batch"], case["length"], case["group"]
        prompts = [tokens(case, row) for row in range(0, rows, group)]
        sampler = self.sampler()
        lib.llama_memory_clear(self.memory, True)
        last = [0] * rows
        draw = lambda at: lib.llama_sampler_sample(sampler, self.context, at)
        # Prompts, as many together as a batch takes.
        per_batch = max(1, 512 // length)
        for first in range(0, len(prompts), per_batch):
            portion = range(first, min(first + per_batch, len(prompts)))
            self.batch.n_tokens = 0
            ends = []
            for prompt in portion:
                for position, token in enumerate(prompts[prompt]):
                    self.add(token, position, prompt * group, position + 1 == length)
                ends.append(self.batch.n_tokens - 1)
            assert self.batch.n_tokens <= 512, "a prompt fits a batch"
            self.decode()
            for prompt, end in zip(portion, ends):
                for member in range(group):
                    row = prompt * group + member
                    if member:
                        lib.llama_memory_seq_cp(self.memory, prompt * group, row, -1, -1)
                    last[row] = draw(end)
        check = sum(last)
        for step in range(case["new_tokens"] - 1):
            self.batch.n_tokens = 0
            for row in range(rows):
                self.add(last[row], length + step, row, True)
            self.decode()
            last = [draw(row) for row in range(rows)]
        lib.llama_sampler_free(sampler)
        return check


def single_precision(case):
    """The checkpoint as a GGUF file in single precision without a tokenizer, written beside it or where BENCH_GGUF says."""
    import gguf
    import numpy

    folder = case["model"]
    path = os.path.join(os.environ.get("BENCH_GGUF", folder), "bench-f32.gguf")
    if os.path.exists(path):
        return path
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    assert config["model_type"] == "llama", "the script writes GGUF files of Llama models"
    heads, keys = config["num_attention_heads"], config["num_key_value_heads"]
    width = config.get("head_dim") or config["hidden_size"] // heads
    writer = gguf.GGUFWriter(path + ".part", "llama")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(keys)
    writer.add_rope_dimension_count(width)
    writer.add_rope_freq_base(config.get("rope_theta", 10000.0))
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("no_vocab")
    names = {
        "model.embed_tokens": "token_embd",
        "model.norm": "output_norm",
        "lm_head": "output",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
    }
    with open(os.path.join(folder, "model.safetensors"), "rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(header_bytes))
        header.pop("__metadata__", None)
        for name, tensor in header.items():
            start, end = tensor["data_offsets"]
            file.seek(8 + header_bytes + start)
            numbers = numpy.frombuffer(file.read(end - start), dtype={"F32": "<f4", "BF16": "<u2"}[tensor["dtype"]])
            if tensor["dtype"] == "BF16":
                numbers = (numbers.astype("<u4") << 16).view("<f4")
            numbers = numbers.reshape(tensor["shape"])
            parts = name.removesuffix(".weight").split(".")
            if parts[:2] == ["model", "layers"]:
                new = f"blk.{parts[2]}." + names[".".join(parts[3:])]
            else:
                new = names[name.removesuffix(".weight")]
            for kind, count in (("attn_q", heads), ("attn_k", keys)):
                if new.endswith(kind):
                    # llama.cpp rotates neighbouring coordinates of a head, the checkpoint its halves.
                    halves = numbers.reshape(count, 2, width // 2, -1)
                    numbers = halves.swapaxes(1, 2).reshape(numbers.shape)
            writer.add_tensor(new + ".weight", numpy.ascontiguousarray(numbers, dtype=numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(path + ".part", path)
    return path


def main():
    kinds = {"torch": Torch, "llamacpp": LlamaCpp}
    case = json.loads(sys.stdin.readline())
    side = kinds[sys.argv[1]](case)
    loaded = status("VmRSS:")
    print(json.dumps({**side.about, "threads": num_threads()}), flush=True)
    for line in sys.stdin:
        if line.strip() != "round":
            break
        clock, processors = time.perf_counter(), time.process_time()
        check = side.round()
        seconds, processors = time.perf_counter() - clock, time.process_time() - processors
        print(json.dumps({"seconds": seconds, "processor_seconds": processors, "check": check}), flush=True)
    print(json.dumps({"peak": status("VmHWM:"), "start": side.start, "loaded": loaded}), flush=True)


main()
