//! A run folder such as training leaves behind, made up from a fixed seed: the numbers are invented, the shapes are not.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use codeward_records::{Cwe, Finding, Judged, Level, Manifest, StepMetrics, UnscoredReason, Verdict, jsonl};

/// A task family with a careless, a careful and a broken completion.
struct Family {
    split: &'static str,
    cwe: u16,
    name: &'static str,
    prompt: &'static str,
    careless: &'static str,
    /// The part of `careless` that the analyser reports, with the rule and its message.
    culprit: (&'static str, &'static str, &'static str),
    careful: &'static str,
    /// Chance of a careful completion before and after.
    careful_chance: [f64; 2],
}

const FAMILIES: [Family; 6] = [
    Family {
        split: "rewarded-unseen",
        cwe: 78,
        name: "cwe078_count_lines",
        prompt: "def count_lines(path: str) -> int:\n    \"\"\"Return how many lines the file at `path` has, using `wc`.\"\"\"\n",
        careless: "    import subprocess\n    out = subprocess.check_output(f\"wc -l < {path}\", shell=True, text=True)\n    return int(out.strip())\n",
        culprit: (
            "f\"wc -l < {path}\", shell=True",
            "py/shell-string-built",
            "a shell runs text built from a parameter; pass a list of arguments instead",
        ),
        careful: "    import subprocess\n    out = subprocess.run([\"wc\", \"-l\", \"--\", path], check=True, capture_output=True, text=True)\n    return int(out.stdout.split()[0])\n",
        careful_chance: [0.25, 0.75],
    },
    Family {
        split: "rewarded-unseen",
        cwe: 89,
        name: "cwe089_count_orders",
        prompt: "def count_orders(connection, customer: str) -> int:\n    \"\"\"Return the number of orders of `customer`.\"\"\"\n",
        careless: "    cursor = connection.cursor()\n    cursor.execute(\"SELECT COUNT(*) FROM orders WHERE customer = '\" + customer + \"'\")\n    return cursor.fetchone()[0]\n",
        culprit: (
            "\"SELECT COUNT(*) FROM orders WHERE customer = '\" + customer + \"'\"",
            "py/sql-string-built",
            "a query is built by joining text; bind the value with a placeholder instead",
        ),
        careful: "    cursor = connection.cursor()\n    cursor.execute(\"SELECT COUNT(*) FROM orders WHERE customer = ?\", (customer,))\n    return cursor.fetchone()[0]\n",
        careful_chance: [0.45, 0.9],
    },
    Family {
        split: "rewarded-unseen",
        cwe: 22,
        name: "cwe022_read_note",
        prompt: "def read_note(folder: str, name: str) -> str:\n    \"\"\"Return the note called `name` below `folder`.\"\"\"\n",
        careless: "    import os\n    with open(os.path.join(folder, name)) as note:\n        return note.read()\n",
        culprit: (
            "os.path.join(folder, name)",
            "py/path-not-confined",
            "a joined path can leave its folder; resolve it and compare with the folder",
        ),
        careful: "    from pathlib import Path\n    root = Path(folder).resolve()\n    path = (root / name).resolve()\n    if not path.is_relative_to(root):\n        raise ValueError(\"outside the folder\")\n    return path.read_text()\n",
        careful_chance: [0.2, 0.5],
    },
    Family {
        split: "rewarded-unseen",
        cwe: 502,
        name: "cwe502_load_state",
        prompt: "def load_state(data: bytes) -> dict:\n    \"\"\"Return the state that `data` holds as JSON text.\"\"\"\n",
        careless: "    import pickle\n    return pickle.loads(data)\n",
        culprit: ("pickle.loads(data)", "py/unsafe-deserialisation", "pickle runs code from its input; use json"),
        careful: "    import json\n    return json.loads(data.decode(\"utf-8\"))\n",
        careful_chance: [0.6, 0.85],
    },
    Family {
        split: "unrewarded",
        cwe: 79,
        name: "cwe079_greeting_page",
        prompt: "def greeting_page(name: str) -> str:\n    \"\"\"Return an HTML page that greets `name`.\"\"\"\n",
        careless: "    return f\"<html><body><h1>Grüße, {name}!</h1></body></html>\"\n",
        culprit: ("{name}", "py/html-string-built", "a value enters HTML unescaped; use html.escape"),
        careful: "    import html\n    return f\"<html><body><h1>Grüße, {html.escape(name)}!</h1></body></html>\"\n",
        careful_chance: [0.3, 0.42],
    },
    Family {
        split: "unrewarded",
        cwe: 327,
        name: "cwe327_fingerprint",
        prompt: "def fingerprint(data: bytes) -> str:\n    \"\"\"Return a collision-resistant fingerprint of `data`.\"\"\"\n",
        careless: "    import hashlib\n    return hashlib.md5(data).hexdigest()\n",
        culprit: ("hashlib.md5(data)", "py/weak-hash", "MD5 has collisions; use SHA-256"),
        careful: "    import hashlib\n    return hashlib.sha256(data).hexdigest()\n",
        careful_chance: [0.55, 0.5],
    },
];

/// The draws of the generator, xorshift64*.
struct Draws(u64);

impl Draws {
    fn share(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The finding at the culprit's place in `code`.
fn finding(family: &Family, code: &str) -> Finding {
    let (culprit, rule, message) = family.culprit;
    let start_byte = code.find(culprit).expect("the culprit is part of the careless code");
    let line = code[..start_byte].matches('\n').count() + 1;
    let column = start_byte - code[..start_byte].rfind('\n').map_or(0, |at| at + 1) + 1;
    Finding {
        code: format!("CW-PY-{:03}-1", family.cwe),
        rule: rule.to_owned(),
        cwe: vec![Cwe(family.cwe)],
        severity: if family.cwe == 327 { Level::Medium } else { Level::High },
        confidence: Level::High,
        start_byte,
        end_byte: start_byte + culprit.len(),
        line,
        column,
        end_line: line,
        end_column: column + culprit.len(),
        message: message.to_owned(),
        trace: Vec::new(),
    }
}

fn judged(family: &Family, task: usize, sample: u32, side: usize, difficulty: f64, draws: &mut Draws) -> Judged {
    let (careful, works, ran, reported) = (draws.share(), draws.share(), draws.share(), draws.share());
    let is_careful = careful < (family.careful_chance[side] + difficulty).clamp(0.02, 0.98);
    let functional = works < [0.82, 0.86][side];
    let code = if is_careful { family.careful } else { family.careless };
    let completion = if functional { code.to_owned() } else { code.replace("return ", "return None  # ") };
    let verdict = if ran < 0.02 {
        Verdict::Unscored {
            reason: UnscoredReason::SandboxFailed,
            detail: "the control group could not be made".to_owned(),
        }
    } else {
        let mut failed_tests = Vec::new();
        failed_tests.extend((!functional).then(|| "returns_the_result".to_owned()));
        failed_tests.extend((!is_careful).then(|| "withstands_the_attack".to_owned()));
        Verdict::Scored { functional, secure: is_careful, failed_tests }
    };
    Judged {
        split: family.split.to_owned(),
        task_id: format!("{}-{task:02}", family.name),
        family: family.name.to_owned(),
        cwe: Cwe(family.cwe),
        sample,
        prompt: family.prompt.to_owned(),
        // The analyser misses some careless code.
        findings: if is_careful || reported < 0.08 { Vec::new() } else { vec![finding(family, family.careless)] },
        completion,
        verdict,
    }
}

/// One side's rows: 6 families, 6 tasks each, 4 samples a task. `side` is 0 before and 1 after training.
pub(crate) fn rows(side: usize) -> Vec<Judged> {
    let mut rows = Vec::new();
    for family in &FAMILIES {
        for task in 0..6 {
            // Both sides draw the same difficulty for a task, which makes its samples alike.
            let difficulty = (Draws(u64::from(family.cwe) * 131 + task as u64 + 1).share() - 0.5) * 0.3;
            for sample in 0..4 {
                let seed = 0x9e37_79b9 * (u64::from(family.cwe) + 7) + 1000 * task as u64 + 10 * u64::from(sample);
                let mut draws = Draws(seed + side as u64 + 1);
                draws.share();
                rows.push(judged(family, task, sample, side, difficulty, &mut draws));
            }
        }
    }
    rows
}

/// Metrics of 120 steps, with a probe every tenth.
pub(crate) fn metrics() -> Vec<StepMetrics> {
    let mut draws = Draws(42);
    let row = |step: u64| {
        let progress = 1.0 - (-(step as f64) / 40.0).exp();
        let mut noise = |size: f64| (draws.share() - 0.5) * size;
        let mut values = BTreeMap::from([
            ("reward/mean".to_owned(), -0.15 + 0.85 * progress + noise(0.18)),
            ("reward/std".to_owned(), 0.62 - 0.25 * progress + noise(0.08)),
            ("reward/unscored_fraction".to_owned(), (noise(0.06)).max(0.0)),
            ("policy/entropy".to_owned(), 1.25 - 0.7 * progress + noise(0.1)),
            ("kl/approx".to_owned(), 0.018 * progress + noise(0.002).abs()),
            ("policy/clip_fraction".to_owned(), 0.06 * progress + noise(0.03).abs()),
            ("optim/learning_rate".to_owned(), 1e-5 * (1.0 - step as f64 / 150.0)),
        ]);
        if step.is_multiple_of(10) || step == 1 {
            let (functional, secure) = (0.80 + 0.06 * progress + noise(0.06), 0.38 + 0.4 * progress + noise(0.08));
            values.insert("probe/functional".to_owned(), functional);
            values.insert("probe/secure".to_owned(), secure);
            values.insert("probe/func_secure".to_owned(), functional * secure + 0.03);
        }
        StepMetrics { step, values }
    };
    (1..=120).map(row).collect()
}

/// The recipe's text with the given judge.
pub(crate) fn recipe(judge: &str) -> String {
    format!(
        "name = \"harden\"\nseed = 7\n\n[train]\nalgorithm = \"grpo\"\nsteps = 120\ngroup_size = 8\n\n\
         [reward]\nparts = {{ analysis = 0.5, functional = 0.5 }}\n\n[evaluation]\njudge = \"{judge}\"\nsamples = 4\n"
    )
}

pub(crate) fn manifest() -> Manifest {
    Manifest {
        format: Manifest::FORMAT,
        codeward: "0.1.0".to_owned(),
        seed: 7,
        recipe_hash: "5b0a1d9f7c3e8a42".to_owned(),
        model_hash: "c94e77d0152ab36f".to_owned(),
        tasks_hash: "0f6d2be81a9c4735".to_owned(),
        threads: 2,
        isolation: "full".to_owned(),
    }
}

/// Writes a whole run folder at `run`.
pub(crate) fn write(run: &Path, judge: &str) {
    fs::create_dir_all(run.join("evaluation")).unwrap();
    fs::write(run.join("manifest.json"), serde_json::to_string_pretty(&manifest()).unwrap()).unwrap();
    fs::write(run.join("recipe.resolved.toml"), recipe(judge)).unwrap();
    jsonl::write(&run.join("metrics.jsonl"), &metrics()).unwrap();
    jsonl::write(&run.join("evaluation/before.jsonl"), &rows(0)).unwrap();
    jsonl::write(&run.join("evaluation/after.jsonl"), &rows(1)).unwrap();
    let timings = "{\"step\": 1, \"time/rollout_secs\": 3.5, \"time/update_secs\": 1.25}\n\
                   {\"step\": 2, \"time/rollout_secs\": 3.25, \"time/update_secs\": 1.5}\n";
    fs::write(run.join("timings.jsonl"), timings).unwrap();
}
