//! The command line: argument structs only.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use codeward_sandbox::Language;

/// Hardens code language models: trains them by reinforcement learning until their code is secure and works, and proves it.
#[derive(Debug, Parser)]
#[command(
    name = "codeward",
    version,
    after_help = "Start with `codeward quickstart`. Exit codes: 0 done, 1 the checked thing failed, 2 usage or our own error."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Run model-written code under weaker isolation where full isolation cannot be had: `hardened` (no namespaces, but files,
    /// system calls and signals are confined) or `none` (limits only: the code can do whatever you can). Recorded in every
    /// result.
    #[arg(long, global = true, value_name = "LEVEL", value_enum)]
    pub(crate) unsafe_isolation: Option<UnsafeIsolation>,
    /// Ask the hub for models named hf:owner/name@revision, and download what is missing. Without it only the cache is looked at,
    /// and nothing is sent anywhere.
    #[arg(long, global = true)]
    pub(crate) download: bool,
    /// Who computes the language model: cpu, or, in a binary built with the feature `libtorch`, libtorch-cpu, libtorch-cuda (bfloat16)
    /// or libtorch-cuda-f32. `codeward doctor` lists those that start here.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) engine: Option<String>,
}

/// Levels of isolation that have to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum UnsafeIsolation {
    /// No namespaces.
    Hardened,
    /// Limits only.
    None,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The main job: evaluate the bundled model, harden it, evaluate again, write the report.
    Quickstart(Quickstart),
    /// Run a recipe: supervised training or reinforcement learning.
    Train(Train),
    /// Sample from a model.
    Generate(Generate),
    /// Score completions: JSONL in, rewards with parts and spans out.
    Score(Score),
    /// Try reward hacks on completions: does a reward fall for them?
    Canaries(Canaries),
    /// Look for weaknesses in source files.
    Scan(Scan),
    /// What a rule reports and what to write instead; or why a rollout of a run got its reward.
    Explain(Explain),
    /// The rewards that come with Codeward, and a check of one's own.
    Recipes(Recipes),
    /// Score a run's stored rollouts with another recipe, and show what changes.
    Rescore(Rescore),
    /// Run one program in the sandbox.
    Exec(Exec),
    /// Benchmark a model: how often its code works, is secure, and both.
    Eval(Eval),
    /// Write the report of a run again.
    Report(Report),
    /// Look at a checkpoint, or make one from a GGUF file.
    Model(Model),
    /// What this host enforces and has.
    Doctor(Doctor),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  codeward quickstart\n  codeward quickstart --out runs/seed2 --seed 2 --json\n  codeward quickstart --out runs/seed2 --seed 2 --resume"
)]
pub(crate) struct Quickstart {
    /// Folder of the run.
    #[arg(long, value_name = "DIR", default_value = "runs/quickstart")]
    pub(crate) out: PathBuf,
    /// Continue the run in the folder instead of refusing to touch it.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Every random draw comes from it.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// A folder in Hugging Face layout, or hf:owner/name@revision, instead of the bundled model.
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<PathBuf>,
    /// Fewer steps than the recipe says, for a quick look.
    #[arg(long, value_name = "N")]
    pub(crate) steps: Option<u64>,
    /// Recipe of kind `grpo` instead of the bundled one: a file or a bundled name.
    #[arg(long, value_name = "RECIPE", default_value = "quickstart")]
    pub(crate) recipe: String,
    /// Print one JSON object instead of the table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  codeward train quickstart --out runs/mine\n  codeward train recipes/tiny-base/recipe.toml --out runs/tiny-base\n  codeward train quickstart --out runs/mine --resume\n  codeward train recipes/srcode/recipe.toml --out runs/srcode\n  codeward train quickstart --dry-run"
)]
pub(crate) struct Train {
    /// A recipe or pipeline file, or the name of a bundled recipe: quickstart, tiny-base.
    pub(crate) recipe: String,
    /// Folder of the run.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Continue the run in the folder.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Instead of the recipe's seed.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Instead of the recipe's model: a folder in Hugging Face layout, or hf:owner/name@revision.
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) judge: JudgeAddress,
    /// Say what the run would be, and run nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print one JSON object at the end.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  codeward generate --prompt $'# Write the Python function find_user(connection, name).\\n# Return the row.\\n'\n  codeward generate --model runs/quickstart/model --prompt - --temperature 0 < prompt.txt\n  codeward generate --task cwe089_find_user/unseen/0 --samples 4 --json\n  codeward generate --model MODEL --chat --system 'Answer with code.' --prompt 'Add two numbers in Python.' --stop $'\\n\\n'"
)]
pub(crate) struct Generate {
    /// A folder in Hugging Face layout, or hf:owner/name@revision, instead of the bundled model.
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<PathBuf>,
    /// The prompt; `-` reads it from standard input.
    #[arg(long, required_unless_present = "task", conflicts_with = "task")]
    pub(crate) prompt: Option<String>,
    /// The prompt of a benchmark task, for example cwe089_find_user/unseen/0.
    #[arg(long, value_name = "ID")]
    pub(crate) task: Option<String>,
    /// Completions to draw.
    #[arg(long, default_value_t = 1)]
    pub(crate) samples: u32,
    /// Divisor of the logits; 0 takes the most likely token.
    #[arg(long, default_value_t = 0.8, value_parser = at_least_zero)]
    pub(crate) temperature: f32,
    /// Keep the likeliest tokens that together reach this probability.
    #[arg(long, default_value_t = 1.0, value_parser = share)]
    pub(crate) top_p: f32,
    /// Keep this many of the likeliest tokens; 0 keeps all.
    #[arg(long, default_value_t = 0)]
    pub(crate) top_k: usize,
    /// Keep the tokens that are at least this share as likely as the likeliest.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub(crate) min_p: f32,
    /// Make tokens less likely that are there already; 1 leaves them.
    #[arg(long, default_value_t = 1.0, value_parser = above_zero)]
    pub(crate) repetition_penalty: f32,
    /// Draw no end token, and heed no text of --stop, before there are so many tokens.
    #[arg(long, default_value_t = 0)]
    pub(crate) min_new_tokens: usize,
    /// Longest completion in tokens.
    #[arg(long, default_value_t = 256)]
    pub(crate) max_new_tokens: usize,
    /// End a completion at this text and cut it there; may be repeated. The name of a marker, such as <|im_end|>, stands for the marker.
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) stop: Vec<String>,
    /// Give the prompt as a user's message, in the words of the checkpoint's chat template.
    #[arg(long)]
    pub(crate) chat: bool,
    /// The system's message before it.
    #[arg(long, value_name = "TEXT", requires = "chat")]
    pub(crate) system: Option<String>,
    /// Every random draw comes from it.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Print one JSON line for each completion.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Rows are {\"task_id\": \"cwe089_find_user/unseen/0\", \"completion\": \"...\"}, or carry a whole task as \"task\"; \"id\" is given back, \"tokens\" are the sampled ids.\n\nExit code 0: done, rows without a reward say why. 2: no row got one, or the command is wrong.\n\nExamples:\n  codeward score rows.jsonl\n  codeward score - --recipe recipes/quickstart/recipe.toml < rows.jsonl\n  codeward score rows.jsonl --recipe codeward --out rewards.jsonl --cache tests.redb\n  codeward score --references"
)]
pub(crate) struct Score {
    /// JSONL file with rows; `-` reads standard input.
    #[arg(required_unless_present = "references", conflicts_with = "references")]
    pub(crate) file: Option<PathBuf>,
    /// What to score by: a title of `codeward recipes list`, a file with such a recipe, or a training recipe whose `[reward]` to use.
    #[arg(long, value_name = "REWARD", default_value = "quickstart")]
    pub(crate) recipe: String,
    /// `codeward-py`, or a folder laid out like it, for task ids.
    #[arg(long, value_name = "BENCHMARK", default_value = "codeward-py")]
    pub(crate) benchmark: String,
    /// Step of the training, for recipes with a schedule.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) step: u64,
    /// Write the rows here instead of standard output. What is there already is not scored again: an interrupted run goes on.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// File where results of tests are kept for the next time.
    #[arg(long, value_name = "FILE")]
    pub(crate) cache: Option<PathBuf>,
    /// A Hugging Face `tokenizer.json`: each row, which then has to bring the sampled ids as `tokens`, gets `token_rewards`, one for each.
    #[arg(long, value_name = "FILE")]
    pub(crate) tokenizer: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) judge: JudgeAddress,
    /// Score the benchmark's own references instead of a file.
    #[arg(long)]
    pub(crate) references: bool,
}

/// Where the vulnerability judge is, for recipes that ask one.
#[derive(Debug, Args)]
#[expect(clippy::struct_field_names, reason = "they are the options' names")]
pub(crate) struct JudgeAddress {
    /// Server of the vulnerability judge, OpenAI-compatible, up to and with the version: http://127.0.0.1:8000/v1.
    #[arg(long, value_name = "URL", requires = "judge_model")]
    pub(crate) judge_url: Option<String>,
    /// The judge's name at that server.
    #[arg(long, value_name = "NAME", requires = "judge_url")]
    pub(crate) judge_model: Option<String>,
    /// Environment variable that holds the key to that server.
    #[arg(long, value_name = "VARIABLE", requires = "judge_url")]
    pub(crate) judge_key_env: Option<String>,
    /// The vulnerability judge as a checkpoint: a folder in Hugging Face layout, or hf:owner/name@revision. It is run in this process and
    /// asked without a template.
    #[arg(long, value_name = "MODEL", conflicts_with = "judge_url")]
    pub(crate) judge_folder: Option<PathBuf>,
    /// Folder where the judge's answers are kept for the next time.
    #[arg(long, value_name = "DIR", requires = "judge_url")]
    pub(crate) judge_cache: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  codeward recipes list\n  codeward recipes show seccoderx/faithful > mine.toml\n  codeward recipes check mine.toml"
)]
pub(crate) struct Recipes {
    #[command(subcommand)]
    pub(crate) action: RecipesAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RecipesAction {
    /// Every reward that comes with Codeward.
    List {
        /// Print one JSON list instead.
        #[arg(long)]
        json: bool,
    },
    /// One of them in full, as a file to start from.
    Show {
        /// Title, such as `codeward` or `securecoderl/faithful`, or a file.
        recipe: String,
        /// Print it as JSON, with hash and range.
        #[arg(long)]
        json: bool,
    },
    /// Read a recipe, say what is wrong or odd about it, and what it needs. Exit code 1: it is odd. 2: it cannot be used.
    Check {
        /// A file, or a title.
        recipe: String,
    },
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: done. 2: it could not be.\n\nExamples:\n  codeward rescore runs/quickstart --recipe codeward\n  codeward rescore runs/quickstart --recipe securecoderl/faithful --leave-one-out --weights\n  codeward rescore runs/quickstart --recipe mine.toml --rows changed.jsonl --json"
)]
pub(crate) struct Rescore {
    /// Folder of the run.
    pub(crate) run: PathBuf,
    /// What to score by: a title of `codeward recipes list`, a file with such a recipe, or a training recipe whose `[reward]` to use.
    #[arg(long, value_name = "REWARD")]
    pub(crate) recipe: String,
    /// Every so many steps only, from the first.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) every: usize,
    /// Also with each part left out.
    #[arg(long)]
    pub(crate) leave_one_out: bool,
    /// Also with each weight at 0, half and double.
    #[arg(long)]
    pub(crate) weights: bool,
    /// File for a row of each rollout: value before, value after, parts.
    #[arg(long, value_name = "FILE")]
    pub(crate) rows: Option<PathBuf>,
    /// Where results of tests are kept; the run's own folder otherwise.
    #[arg(long, value_name = "FILE")]
    pub(crate) cache: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) judge: JudgeAddress,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = CANARIES_HELP)]
pub(crate) struct Canaries {
    /// The reward: the title of a built-in recipe, or a TOML file.
    #[arg(long, value_name = "REWARD_RECIPE", default_value = "codeward")]
    pub(crate) recipe: String,
    /// `codeward-py`, or a folder laid out like it: the references that are changed, or the tasks that rows and rollouts name.
    #[arg(long, value_name = "BENCHMARK", default_value = "codeward-py")]
    pub(crate) benchmark: String,
    /// Change the completions of this JSONL file instead, as `codeward score` takes it; `-` reads standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "run")]
    pub(crate) file: Option<PathBuf>,
    /// Change the rollouts of this run instead.
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<PathBuf>,
    /// Share of the completions that are changed, drawn by hash.
    #[arg(long, default_value_t = 1.0)]
    pub(crate) share: f64,
    /// Of the draw.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Step of the training at which a schedule is read.
    #[arg(long, default_value_t = 0)]
    pub(crate) step: u64,
    #[command(flatten)]
    pub(crate) judge: JudgeAddress,
    /// Print one JSON object instead of the table.
    #[arg(long)]
    pub(crate) json: bool,
}

const CANARIES_HELP: &str = "\
Each canary changes a completion in a way whose worth is known: a comment that praises the code, a stub in place of the body, a test's
output hard-coded. Then the reward has to stay, must not rise, or has to fall, and an alarm says where it does not.

Exit code 0: no alarm. 1: alarms. 2: nothing could be checked, or the command is wrong. Pairs without a value are counted apart: they
are neither alarm nor all-clear.

Examples:
  codeward canaries
  codeward canaries --recipe securecoderl/corrected --share 0.2
  codeward canaries --recipe my-reward.toml --file rows.jsonl --json
  codeward canaries --recipe codeward --run runs/quickstart --share 0.01
  codeward canaries --recipe seccoderx/faithful --judge-url http://127.0.0.1:8000/v1 --judge-model reward-model";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScanFormat {
    /// For people: each finding with the code it is about.
    Text,
    /// One list: a row for each finding, and one for each file that was not judged or has nothing in it.
    Json,
    /// SARIF 2.1.0, for code hosts and editors.
    Sarif,
}

/// A three-step scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScanLevel {
    Low,
    Medium,
    High,
}

impl From<ScanLevel> for codeward_records::Level {
    fn from(level: ScanLevel) -> Self {
        match level {
            ScanLevel::Low => Self::Low,
            ScanLevel::Medium => Self::Medium,
            ScanLevel::High => Self::High,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = SCAN_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub(crate) struct Scan {
    /// Files, folders (every file below in a language that is read), or `-` for standard input.
    #[arg(required_unless_present = "rules")]
    pub(crate) paths: Vec<PathBuf>,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = ScanFormat::Text)]
    pub(crate) format: ScanFormat,
    /// Language of standard input (Python unless given) and of the files that you name, whatever they are called; below folders, read only this one.
    #[arg(long, value_name = "NAME")]
    pub(crate) language: Option<codeward_analysis::Language>,
    /// Report only these rules: codes, names, the beginning of either (CW-PY, py/sql), or classes (CWE-89), with commas between.
    #[arg(long, value_name = "RULES", value_delimiter = ',')]
    pub(crate) select: Vec<String>,
    /// Do not report these rules, even when selected.
    #[arg(long, value_name = "RULES", value_delimiter = ',')]
    pub(crate) ignore: Vec<String>,
    /// Report findings of at least this severity.
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub(crate) severity: Option<ScanLevel>,
    /// Report findings of at least this confidence.
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub(crate) confidence: Option<ScanLevel>,
    /// Also ask these, inside the sandbox: bandit, semgrep, opengrep, cppcheck, flawfinder, gcc, clang-tidy, eslint, codeql, or `all` that are here.
    #[arg(long, value_name = "ANALYSERS", value_delimiter = ',')]
    pub(crate) with: Vec<String>,
    /// Instead of the findings, show who found what, by weakness class (text or json).
    #[arg(long, requires = "with")]
    pub(crate) agreement: bool,
    /// Configuration instead of the nearest codeward.toml in or above each path.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Read no configuration: use it on code that you do not trust, whose own codeward.toml could hide findings.
    #[arg(long, conflicts_with = "config")]
    pub(crate) no_config: bool,
    /// Below folders, also read hidden files and what .gitignore and .ignore leave out.
    #[arg(long)]
    pub(crate) all_files: bool,
    /// Show how input gets to each finding (text; the other formats always carry it).
    #[arg(long)]
    pub(crate) trace: bool,
    /// Let files that could not be judged pass: they are still reported, and the exit code is 0 or 1.
    #[arg(long)]
    pub(crate) allow_unreadable: bool,
    /// List the rules and stop.
    #[arg(long)]
    pub(crate) rules: bool,
}

const SCAN_HELP: &str = "\
Exit code 0: every file was judged and nothing was found. 1: findings. 2: a file could not be judged (it cannot be read, is not in its
language, is too large, or the analyser failed), or the command is wrong; --allow-unreadable turns the first kind into 0 or 1.

Comments that ask for silence (nosec, noqa, NOLINT, eslint-disable) have no effect: whoever writes the code does not judge it. Leave rules
out with --ignore or in codeward.toml:

  severity = \"medium\"
  ignore = [\"CWE-703\"]
  exclude = [\"vendor/\", \"*_pb2.py\"]   # patterns as in .gitignore

  [per_path_ignore]
  \"tests/\" = [\"py/hard-coded-credential\"]

Lines count from 1, columns in bytes from 1.

Examples:
  codeward scan app.py src/
  codeward scan src/ --select CWE-78,CWE-89 --confidence medium --trace
  codeward scan src/ --format sarif > findings.sarif
  codeward scan - --language go --format json < main.go
  codeward scan src/ --with bandit,cppcheck
  codeward scan src/ --with all --agreement
  codeward scan --rules";

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  codeward explain CW-PY-089-1\n  codeward explain py/sql-string-built\n  codeward explain CWE-89\n  codeward explain py/sql --json"
)]
pub(crate) struct Explain {
    /// Code or name of a rule; the beginning of either, or a class such as CWE-89, lists the rules that it means. Or the folder of a
    /// run.
    pub(crate) what: String,
    /// A rollout of the run: STEP.GROUP.ROLLOUT, each from 1.
    pub(crate) rollout: Option<String>,
    /// Reward recipe to explain the rollout by, instead of the run's own.
    #[arg(long, value_name = "REWARD", requires = "rollout")]
    pub(crate) recipe: Option<String>,
    #[command(flatten)]
    pub(crate) judge: JudgeAddress,
    /// Print one JSON list instead.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0: the program exited with status 0. 1: it did not. 2: it could not be run.\n\nExamples:\n  codeward exec program.py\n  codeward exec program.py --stdin input.txt --cpu-ms 500 --json\n  codeward exec main.cpp --language cpp"
)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub(crate) struct Exec {
    /// The program; `-` reads it from standard input.
    pub(crate) file: PathBuf,
    /// Its language: python, c, cpp, javascript, java or go; otherwise the file's name says it.
    #[arg(long, value_name = "NAME")]
    pub(crate) language: Option<Language>,
    /// File with the program's standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) stdin: Option<PathBuf>,
    /// Longest time on the clock, in milliseconds.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) wall_ms: u64,
    /// Longest processor time, in milliseconds.
    #[arg(long, default_value_t = 2_000)]
    pub(crate) cpu_ms: u64,
    /// Most memory, in MiB.
    #[arg(long, default_value_t = 512)]
    pub(crate) memory_mib: u64,
    /// Let the program start other programs.
    #[arg(long)]
    pub(crate) processes: bool,
    /// Give the program a private loopback device, where somebody listens on port 8080 and keeps what it is sent.
    #[arg(long)]
    pub(crate) loopback: bool,
    /// Report the statements that an embedded SQLite runs (Python only).
    #[arg(long)]
    pub(crate) queries: bool,
    /// Print the whole outcome as one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Security is judged by attack tests that run the code.\n\nExamples:\n  codeward eval codeward-py\n  codeward eval codeward-py --model runs/quickstart/model --samples 4 --json"
)]
pub(crate) struct Eval {
    /// `codeward-py`, or a folder laid out like it.
    pub(crate) benchmark: String,
    /// A folder in Hugging Face layout, or hf:owner/name@revision, instead of the bundled model.
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<PathBuf>,
    /// Unseen instances of each family.
    #[arg(long, default_value_t = 4)]
    pub(crate) instances: usize,
    /// Completions of each instance.
    #[arg(long, default_value_t = 2)]
    pub(crate) samples: u32,
    /// Divisor of the logits.
    #[arg(long, default_value_t = 0.8, value_parser = at_least_zero)]
    pub(crate) temperature: f32,
    /// Longest completion in tokens.
    #[arg(long, default_value_t = 256)]
    pub(crate) max_new_tokens: usize,
    /// End a completion at this text and cut it there; may be repeated.
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) stop: Vec<String>,
    /// Every random draw comes from it.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Write the judged completions as JSONL.
    #[arg(long, value_name = "FILE")]
    pub(crate) rows: Option<PathBuf>,
    /// Print one JSON object instead of the table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  codeward report runs/quickstart")]
pub(crate) struct Report {
    /// Folder of the run.
    pub(crate) run: PathBuf,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 1 when model-written code cannot be run under full isolation here.\n\nExamples:\n  codeward doctor\n  codeward doctor --json"
)]
pub(crate) struct Doctor {
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Model {
    #[command(subcommand)]
    pub(crate) action: ModelAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelAction {
    /// What a checkpoint is: family, shapes, how its numbers are stored, tokenizer, chat template, and the memory it needs.
    /// Reads no weights.
    #[command(
        after_help = "Memory is estimated for 16 sequences of 256 tokens in single precision; adapters have rank 16.\n\nExamples:\n  codeward model inspect runs/quickstart/model\n  codeward model inspect model.gguf --json"
    )]
    Inspect {
        /// A folder in Hugging Face layout, a GGUF file, or hf:owner/name@revision, with /file.gguf after the name for one file.
        path: PathBuf,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Turn a GGUF file into a folder in Hugging Face layout: weights, configuration, tokenizer and chat template.
    #[command(
        after_help = "The folder appears whole or not at all, and nothing is overwritten. Llama, Qwen2, Qwen3 and Gemma 3 in F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K and Q6_K.\n\nExample:\n  codeward model convert model.gguf models/mine --precision bf16"
    )]
    Convert {
        /// The GGUF file, or hf:owner/name/file.gguf@revision.
        file: PathBuf,
        /// The folder to make.
        folder: PathBuf,
        /// How numbers are written. `f32` keeps what the file means exactly.
        #[arg(long, value_enum, default_value_t = StoredPrecision::F32)]
        precision: StoredPrecision,
    },
    /// Merge a LoRA adapter into the model that it was trained on: a folder that needs no adapter.
    #[command(
        after_help = "The adapter is one in the layout of PEFT: adapter_config.json and adapter_model.safetensors. The folder appears whole or not at all, and nothing is overwritten.\n\nExample:\n  codeward model merge models/base adapters/mine models/merged"
    )]
    Merge {
        /// The folder of the model, in Hugging Face layout, or hf:owner/name@revision.
        base: PathBuf,
        /// The folder of the adapter.
        adapter: PathBuf,
        /// The folder to make.
        folder: PathBuf,
        /// How numbers are written.
        #[arg(long, value_enum, default_value_t = StoredPrecision::F32)]
        precision: StoredPrecision,
    },
    /// Bring a model from the hub into the cache, and print its folder.
    #[command(after_help = DOWNLOAD_HELP)]
    Download {
        /// hf:owner/name@revision or hf:owner/name/file.gguf@revision; the revision is a branch, a tag or a commit, and `main` unless named.
        model: String,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

const DOWNLOAD_HELP: &str = "\
Only what a model needs is brought: configuration, tokenizer, chat template and safetensors, or the one GGUF file that is named. Files are
compared with the checksums that the hub gives. What broke off goes on where it stopped.

HF_HUB_CACHE, or HF_HOME, says where the cache is, which is the one of Hugging Face's own tools; HF_ENDPOINT names another hub; HF_TOKEN
holds a token for what is private; HF_HUB_OFFLINE=1 forbids downloads.

Examples:
  codeward model download hf:HuggingFaceTB/SmolLM2-135M
  codeward model download hf:owner/name/model.Q8_0.gguf@v1.0
  codeward generate --model hf:HuggingFaceTB/SmolLM2-135M --prompt 'def add(a, b):'";

/// How numbers are written to a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoredPrecision {
    /// Single precision.
    F32,
    /// Brain floating point: half the size.
    Bf16,
}

fn number(text: &str, is_allowed: fn(f32) -> bool, expected: &str) -> Result<f32, String> {
    let number: f32 = text.parse().map_err(|_| format!("expected {expected}"))?;
    if number.is_finite() && is_allowed(number) { Ok(number) } else { Err(format!("expected {expected}")) }
}

fn at_least_zero(text: &str) -> Result<f32, String> {
    number(text, |number| number >= 0.0, "a number of at least 0")
}

fn above_zero(text: &str) -> Result<f32, String> {
    number(text, |number| number > 0.0, "a number above 0")
}

fn share(text: &str) -> Result<f32, String> {
    number(text, |number| (0.0..=1.0).contains(&number), "a number from 0 to 1")
}
