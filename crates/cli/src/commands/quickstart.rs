//! `codeward quickstart`: the main job on what is compiled into the binary.

use crate::Ending;
use crate::arguments::Quickstart;
use crate::failure::Failure;
use crate::{hardening, workbench};

pub(crate) fn run(options: &Quickstart) -> Result<Ending, Failure> {
    let mut recipe = workbench::rl_recipe(&options.recipe)?;
    recipe.seed = options.seed.unwrap_or(recipe.seed);
    if let Some(num_steps) = options.steps {
        recipe.set_num_steps(num_steps);
    }
    if let Some(model) = &options.model {
        recipe.model = model.display().to_string();
    }
    let hardened = hardening::harden(&recipe, &options.out, options.resume, None)?;
    if options.json {
        hardening::tell_json(&hardened)?;
    } else {
        hardening::tell(&hardened)?;
    }
    Ok(Ending::Done)
}
