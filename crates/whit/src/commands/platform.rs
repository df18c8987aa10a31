//! Other processors than this machine's.

use whit_core::observe::{self, Means};
use whit_core::pipeline::{Tools, Wish};

/// Settles how programs of an image for `architecture` are run: by this
/// processor, under an emulator, or not at all, and then the result is not
/// proven.
pub fn settle(wish: &mut Wish, architecture: &str, tools: &Tools<'_>) {
    match observe::means(architecture) {
        Ok(Means::Native) => {}
        Ok(Means::Host) => wish.emulator = Some("the host's binfmt_misc".to_owned()),
        Ok(Means::Emulator(emulator)) => {
            let name = emulator.program().file_name().unwrap_or_default();
            wish.emulator = Some(name.to_string_lossy().into_owned());
        }
        Err(error) => {
            tools.progress.note(&format!("{error}; {}", error.hint()));
            wish.run = false;
            wish.unrunnable = Some(error.to_string());
            wish.provenance.unproven = true;
        }
    }
}
