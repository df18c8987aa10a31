//! How programs of other processors are run here.

use std::path::Path;

use whit_sandbox::Emulator;

/// Where distributions and people put qemu.
const FOLDERS: [&str; 3] = ["/usr/bin", "/usr/local/bin", "/usr/libexec/qemu-binfmt"];

/// What runs the programs of an architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Means {
    /// This processor.
    Native,
    /// An emulator that the host's administrator has told the kernel of.
    Host,
    /// An emulator that the sandbox tells the kernel of.
    Emulator(Emulator),
}

/// Why programs of an architecture cannot be run here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("programs for {architecture} do not run here: {because}")]
pub struct NoMeans {
    pub architecture: String,
    pub because: String,
}

impl NoMeans {
    /// What to install.
    pub fn hint(&self) -> String {
        "install qemu-user-static (Linux 6.7 or later), or let an administrator register it with binfmt_misc"
            .to_owned()
    }
}

/// Finds out how programs of an architecture, in Go's name, are run.
///
/// # Errors
/// Where nothing runs them.
pub fn means(architecture: &str) -> Result<Means, NoMeans> {
    let means = likely(architecture).ok_or_else(|| NoMeans {
        architecture: architecture.to_owned(),
        because: format!("there is no qemu-{}-static", machine(architecture)),
    })?;
    if let Means::Emulator(emulator) = &means {
        whit_sandbox::emulates(emulator).map_err(|error| NoMeans {
            architecture: architecture.to_owned(),
            because: error.to_string(),
        })?;
    }
    Ok(means)
}

/// The same, where an emulator has not been tried yet.
pub(super) fn likely(architecture: &str) -> Option<Means> {
    if native(std::env::consts::ARCH, architecture) {
        return Some(Means::Native);
    }
    let machine = machine(architecture);
    if on_host(machine) {
        return Some(Means::Host);
    }
    let folders = FOLDERS.map(Path::new);
    Emulator::find(machine, &folders).map(Means::Emulator)
}

/// True for paths that qemu-user looks for before those that a program names:
/// the folder that Debian and upstream compile in as `--interp-prefix`.
pub(super) fn is_emulators(path: &Path) -> bool {
    path.starts_with("/etc/qemu-binfmt") || path.starts_with("/usr/gnemul")
}

/// True for this machine's own architecture, and for the one of 32 bits that
/// x86 has inside.
fn native(machine: &str, architecture: &str) -> bool {
    match machine {
        "x86_64" => matches!(architecture, "amd64" | "386"),
        "aarch64" => architecture == "arm64",
        other => other == architecture,
    }
}

/// True if the host's binfmt_misc has an emulator that needs no file of the
/// image (flag `F`).
fn on_host(machine: &str) -> bool {
    let rule = Path::new("/proc/sys/fs/binfmt_misc").join(format!("qemu-{machine}"));
    let text = std::fs::read_to_string(rule).unwrap_or_default();
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    text.starts_with("enabled") && flags.is_some_and(|flags| flags.contains('F'))
}

/// The kernel's name of a processor that Go calls something else.
fn machine(architecture: &str) -> &str {
    match architecture {
        "amd64" => "x86_64",
        "arm64" => "aarch64",
        "386" => "i386",
        "loong64" => "loongarch64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_by_itself() {
        assert!(native("x86_64", "amd64") && native("x86_64", "386"));
        assert!(native("aarch64", "arm64") && native("riscv64", "riscv64"));
        assert!(!native("x86_64", "arm64") && !native("aarch64", "arm"));
    }

    #[test]
    fn where_there_is_nothing() {
        let error = means("pdp11").unwrap_err();
        assert_eq!(
            error.to_string(),
            "programs for pdp11 do not run here: there is no qemu-pdp11-static"
        );
        assert!(error.hint().contains("qemu-user-static"));
    }
}
