//! How registries and engines are reached: flags, environment and files.

use whit_core::settings::Settings;
use whit_core::size::Bytes;
use whit_oci::{RegistryMirror, Transports};

use crate::args::Registries;
use crate::surroundings::Surroundings;
use crate::ui::{Failure, Screen};

/// What fetched layers may take on the disk, if nobody says otherwise.
const CACHE_LIMIT: u64 = 20_000_000_000;

/// The ways to images that are no files.
pub fn transports(
    around: &Surroundings,
    flags: &Registries,
    settings: &Settings,
    screen: &Screen,
) -> Result<Transports, Failure> {
    let mirrors = settings
        .registry_mirrors
        .iter()
        .flatten()
        .map(|text| {
            text.parse::<RegistryMirror>().map_err(|error| {
                let hint = error.hint();
                Failure::input(error).hint(hint)
            })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let limit = match around.environment.get("WHIT_CACHE_LIMIT") {
        Some(text) => text.parse::<Bytes>()?.0,
        None => CACHE_LIMIT,
    };
    let mut registries = around.registries();
    registries.cache_limit = Some(limit);
    registries.mirrors = mirrors;
    registries.insecure = flags.insecure;
    registries.meter = screen.meter();
    Ok(Transports::new(
        registries,
        around.docker(),
        around.podman(),
    ))
}
