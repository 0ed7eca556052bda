//! `codeward doctor`: what this host enforces and has.

use std::fmt::Write as _;

use codeward_analysis::external::{Analyser, Installed};
use codeward_lm::HostMemory;
use codeward_sandbox::{Isolation, Probe, probe_with};
use serde_json::json;

use crate::Ending;
use crate::arguments::Doctor;
use crate::failure::Failure;
use crate::{bundled, memory, output, workbench};

pub(crate) fn run(options: &Doctor) -> Result<Ending, Failure> {
    let probe = probe_with(&workbench::sandbox_settings(1));
    let sound = probe.isolation.is_some();
    let threads = workbench::num_workers();
    let rules = codeward_analysis::rules().count();
    let languages = codeward_analysis::Language::ALL.map(codeward_analysis::Language::name);
    let others: Vec<_> = Installed::find(std::env::var_os("PATH").as_deref()).analysers().map(Analyser::name).collect();
    let model = bundled::model().is_ok();
    if options.json {
        output::print_json(&json!({
            "isolation": probe.isolation,
            "sandbox": probe,
            "toolchains": { "python": probe.python, "languages": probe.languages },
            "analysers": { "codeward": { "rules": rules, "languages": languages }, "installed": others },
            "devices": [{ "kind": "cpu", "threads": threads }],
            "engines": codeward_lm::engines(),
            "memory": memory::host_as_json(HostMemory::read()),
            "models": { "codeward-tiny": { "bundled": model } },
        }))?;
    } else {
        output::print(&describe(&probe))?;
        let has = if model { "bundled" } else { "not bundled: make it with `codeward train tiny-base`" };
        output::print(&format!(
            "analyser      {rules} rules for {}\nother ones    {}\ndevice        CPU, {threads} threads\nengines       {}\nmodel         codeward-tiny, {has}\n",
            languages.join(", "),
            if others.is_empty() {
                "none installed; `codeward scan --with` can ask them".to_owned()
            } else {
                others.join(", ")
            },
            codeward_lm::engines().join(", "),
        ))?;
        output::print(&memory::describe_host(HostMemory::read()))?;
    }
    Ok(if sound { Ending::Done } else { Ending::CheckFailed })
}

/// One line a layer, hints below what is missing.
fn describe(probe: &Probe) -> String {
    let mut text = String::new();
    let level = probe.isolation.and_then(|level| serde_json::to_value(level).ok());
    let level = level.as_ref().and_then(|level| level.as_str()).unwrap_or("none: model-written code will not be run");
    let _ = writeln!(text, "isolation     {level}");
    for layer in &probe.layers {
        let is_needed = layer.layer.is_needed(probe.isolation.unwrap_or(Isolation::Full));
        let mark = if layer.in_force {
            "in force"
        } else if is_needed {
            "MISSING"
        } else {
            "absent"
        };
        let _ = writeln!(text, "  {:<18} {mark:<9} {}", layer.layer.name(), layer.probed);
        if let Some(hint) = &layer.hint {
            let _ = writeln!(text, "  {:<18} hint: {hint}", "");
        }
    }
    if let Some(problem) = &probe.problem {
        let _ = writeln!(text, "problem       {problem}");
    }
    let python = probe.python.as_ref().map(|python| format!("{} ({})", python.path, python.version));
    let _ = writeln!(text, "python        {}", python.as_deref().unwrap_or("none that works inside the sandbox"));
    for seen in &probe.languages {
        let state = match &seen.problem {
            None => format!("works inside ({})", seen.programs.join(", ")),
            Some(problem) => format!("{problem}; hint: {}", seen.hint),
        };
        let _ = writeln!(text, "{:<13} {state}", seen.language.name());
    }
    text
}
