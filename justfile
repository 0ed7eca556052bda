# Conveniences. Nothing here is needed to build, run or test: see the README for the two plain commands.

# Format, lints, tests, docs, licences, spelling: what has to be green before a push.
ready: format-check lint test docs deny typos

format-check:
    cargo fmt --all --check

lint:
    cargo clippy --workspace --all-targets -- -D warnings

# The default tests: no network, no GPU, no download.
test:
    cargo nextest run --workspace
    cargo test --workspace --doc

docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

deny:
    cargo deny check licenses bans sources

typos:
    typos

# The main job on three seeds: the figures of the README.
seeds:
    for seed in 1 2 3; do cargo run --release -- quickstart --seed $seed --out runs/seed$seed --json > runs/seed$seed.json; done

# Trains the bundled model anew and puts it in place.
tiny-base:
    cargo run --release -- train tiny-base --out runs/tiny-base
    cp runs/tiny-base/model/* models/codeward-tiny/

# Known vulnerabilities of dependencies. Needs the network, so it is not part of `ready`.
advisories:
    cargo deny check advisories

# 200,000 programs, one in twenty an attack: no verdict lost or wrong, memory flat, nothing left behind. About 8 minutes.
soak *options:
    cargo run --release -p codeward-sandbox --example soak -- {{options}}

# The sandbox's attacks on a host that this one is not: as an ordinary user with a delegated control group. CONTRIBUTING has the others.
test-in-vm:
    cargo test -p codeward-sandbox --test attack --no-run
    scripts/test-in-vm --user --cgroup -- "$(ls -t target/debug/deps/attack-* | grep -v '\.d$' | head -n 1)"

# Programs per second of the sandbox beside other ways to run them; EvalPlus and verl only after `scripts/bench-env`.
bench-sandbox *options:
    cargo run --release -p codeward-sandbox --example bench_sandbox -- {{options}}

# How well the analyser tells weak code from sound code, on public data sets in a folder; other analysers after `scripts/analysis-env`.
analysis-quality data *options:
    cargo run --release -p codeward-analysis --example quality -- --data {{data}} {{options}}

# Time of an analysis by language; with `--peers` beside Bandit, Semgrep and others.
bench-analysis *options:
    cargo run --release -p codeward-analysis --example bench_analysis -- {{options}}

# Hostile and mutated text for the analyser: `just fuzz-analysis python 60`.
fuzz-analysis language seconds *options:
    cargo run --release -p codeward-analysis --example fuzz_analysis -- {{language}} {{seconds}} {{options}}

# Completions per second of the whole reward engine; beside SecureCodeRL's own path after `scripts/analysis-env`.
bench-reward *options:
    cargo run --release -p codeward-reward --example bench_reward -- {{options}}

# The language models beside PyTorch and llama.cpp, where they are installed. CONTRIBUTING says what it needs.
bench-lm *options:
    cargo run --release -p codeward-lm --example bench_lm -- {{options}}
