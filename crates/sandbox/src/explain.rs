//! Words for what failed in the processes of a sandbox.

use std::io;
use std::path::Path;

use crate::abilities;
use crate::error::{Error, Result, io_error};
use crate::identity::shown;
use crate::program::{Program, machine_name};
use crate::step::{Fault, Step};
use crate::{Command, Spec, blueprint};

/// Turns a failed step into an error for the user.
pub(crate) fn fault_error(spec: &Spec, command: &Command, fault: &Fault) -> Error {
    let source = io::Error::from(fault.errno);
    let context = |text: &str| io_error(text, fault.errno);
    let item = fault.index as usize;
    if is_refusal(fault) {
        return abilities::refused(refused_what(fault.step), source);
    }
    match fault.step {
        Step::Lower => match spec.lowers.get(item) {
            Some(folder) => io_error(format!("mounting layer {}", folder.display()), fault.errno),
            None => context("mounting a layer"),
        },
        Step::Mounted => match spec.mounts.get(item) {
            Some(mount) => {
                let (host, inside) = (mount.host.display(), mount.inside.display());
                io_error(format!("mounting {host} at {inside}"), fault.errno)
            }
            None => context("mounting a folder of the host"),
        },
        Step::WorkingFolder => {
            let folder = command.cwd.display();
            io_error(format!("entering the working folder {folder}"), fault.errno)
        }
        Step::Exec => start_error(command, fault),
        Step::User => context("taking the sandbox's user"),
        Step::Loopback => context("bringing the sandbox's loopback up"),
        Step::Hostname => context("naming the sandbox's host"),
        Step::Fork => context("making the sandbox's process"),
        Step::Isolate => context("detaching the sandbox from the host's mounts"),
        Step::Stage => context("making the sandbox's scratch folder"),
        Step::UpperMemory => context("making the sandbox's memory for writes"),
        Step::UpperFolder => context("opening the folder for the sandbox's writes"),
        Step::Overlay => context("mounting the layers on one another"),
        Step::Proc => context("mounting the sandbox's /proc"),
        Step::Dev => context("making the sandbox's /dev"),
        Step::Sys => context("mounting the sandbox's /sys"),
        Step::Emulator => {
            let program = spec.emulator.as_ref().map(|emulator| emulator.program());
            let program = program.unwrap_or(Path::new("an emulator")).display();
            io_error(format!("telling the kernel of {program}"), fault.errno)
        }
        Step::Mask => context("hiding the kernel's files from the sandbox"),
        Step::Pivot => context("entering the sandbox's root"),
        Step::Limits => context("limiting the sandbox's processes"),
        Step::Filter => context("filtering the sandbox's system calls"),
        Step::Switch => {
            let (uid, gid) = (command.uid, command.gid);
            io_error(format!("becoming user {uid}, group {gid}"), fault.errno)
        }
        Step::Streams => context("connecting the sandbox's input and output"),
    }
}

/// True for errors with which hosts forbid sandboxes.
fn is_refusal(fault: &Fault) -> bool {
    let no = matches!(fault.errno.0, libc::EPERM | libc::EACCES | libc::ENOSYS);
    match fault.step {
        Step::Isolate | Step::Fork | Step::Stage | Step::UpperMemory | Step::Proc => no,
        Step::Overlay => no || fault.errno.0 == libc::ENODEV,
        Step::Filter => no || matches!(fault.errno.0, libc::EBUSY | libc::EINVAL),
        _ => false,
    }
}

fn refused_what(step: Step) -> &'static str {
    match step {
        Step::Fork => "pid and mount namespaces",
        Step::Overlay => "overlay mounts in a user namespace",
        Step::Proc => "a new /proc in a user namespace",
        Step::Filter => "watching a program's system calls (seccomp notification)",
        _ => "mounts in a user namespace",
    }
}

/// Why the program could not be run.
fn start_error(command: &Command, fault: &Fault) -> Error {
    let typed = command
        .argv
        .first()
        .map_or("", |word| word.to_str().unwrap_or("?"));
    let candidates = blueprint::candidates(command).unwrap_or_default();
    let found = candidates.get(fault.index as usize).map(|path| shown(path));
    let there = fault.mode != 0;
    let program = match found {
        Some(path) if there => path,
        _ => typed.to_owned(),
    };
    let kind = io::Error::from(fault.errno).kind();
    let text = match fault.errno.0 {
        libc::ENOENT if !there && typed.contains('/') => {
            "there is no such file in the image".to_owned()
        }
        libc::ENOENT if !there => format!(
            "no folder of PATH has it ({})",
            candidates
                .iter()
                .map(|path| shown(path))
                .collect::<Vec<_>>()
                .join(", ")
        ),
        libc::ENOENT => match header(fault) {
            Program::Script { interpreter } => missing_interpreter(&interpreter),
            Program::Elf {
                interpreter: Some(loader),
                ..
            } => format!(
                "its dynamic loader {} is not in the image",
                String::from_utf8_lossy(&loader)
            ),
            _ => "its interpreter is not in the image".to_owned(),
        },
        libc::EACCES if fault.mode & libc::S_IFMT == libc::S_IFDIR => "it is a folder".to_owned(),
        libc::EACCES if there && fault.mode & 0o111 == 0 => {
            "it is not executable (no execute permission)".to_owned()
        }
        libc::ENOEXEC => match header(fault) {
            Program::Elf { class, machine, .. } => format!(
                "exec format error: it is built for {}, this machine is {}",
                machine_name(machine, class),
                std::env::consts::ARCH
            ),
            _ => "exec format error: it is neither an ELF program nor a script with #!".to_owned(),
        },
        _ => {
            return Error::Start {
                program,
                source: fault.errno.into(),
            };
        }
    };
    Error::Start {
        program,
        source: io::Error::new(kind, text),
    }
}

fn missing_interpreter(interpreter: &[u8]) -> String {
    let name = String::from_utf8_lossy(interpreter);
    if name.ends_with('\r') {
        return format!(
            "its first line ends in a carriage return (Windows line ends), so it asks for {name:?}"
        );
    }
    format!("its interpreter {name} is not in the image")
}

fn header(fault: &Fault) -> Program {
    Program::read(|at, into| {
        let rest = usize::try_from(at)
            .ok()
            .and_then(|at| fault.header.get(at..))
            .unwrap_or_default();
        let length = rest.len().min(into.len());
        into[..length].copy_from_slice(&rest[..length]);
        length
    })
}

/// The error for children that died without a word.
pub(crate) fn silent<T>() -> Result<T> {
    let text = "it ended before the program began (killed, or out of memory)";
    Err(io_error("setting the sandbox up", io::Error::other(text)))
}
