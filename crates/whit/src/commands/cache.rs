//! `whit cache`.

use std::process::ExitCode;

use whit_core::upkeep::{self, Freed, UpkeepError};

use crate::args::{Cache, CacheCommand};
use crate::surroundings::Surroundings;
use crate::ui::{self, Failure};

pub fn run(args: &Cache) -> Result<ExitCode, Failure> {
    let around = Surroundings::of_this_process()?;
    let freed = match &args.command {
        None => {
            let caches = upkeep::caches(&around.cache)?;
            if args.json {
                anstream::println!("{}", serde_json::to_string(&caches)?);
            } else {
                ui::print_caches(&around.cache, &caches);
            }
            return Ok(ExitCode::SUCCESS);
        }
        Some(CacheCommand::Prune { max }) => upkeep::prune(&around.cache, max.0),
        Some(CacheCommand::Clear { names }) => upkeep::clear(&around.cache, names),
    };
    let Freed { entries, bytes } = freed.map_err(|error: UpkeepError| {
        let hint = error.hint();
        Failure::input(error).hint(hint)
    })?;
    ui::print_freed(entries, bytes);
    Ok(ExitCode::SUCCESS)
}
