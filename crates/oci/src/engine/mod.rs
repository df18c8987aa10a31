//! Images of an engine on this machine: Docker's daemon and Podman.
//!
//! Both hand out and take images as `docker save` writes them.

mod address;
mod error;
mod program;
mod socket;

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use address::EngineAddress;
pub use error::EngineError;

use crate::meter::Meter;
use program::Program;
use socket::Api;

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Docker,
    Podman,
}

impl Kind {
    /// What people type.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Docker => "Docker",
            Self::Podman => "Podman",
        })
    }
}

/// An engine, not spoken to yet.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    pub kind: Kind,
    pub address: EngineAddress,
    pub cancel: Arc<AtomicBool>,
}

/// A way to the engine.
enum Way<'a> {
    Socket(Api),
    /// Without a service, the program does the same.
    Program(Program<'a>),
}

impl Engine {
    /// True if it is here and has the image.
    pub fn has(&self, name: &str) -> Result<bool, EngineError> {
        match self.way()? {
            Way::Socket(api) => api.has(name),
            Way::Program(program) => program.has(name),
        }
    }

    /// The image as an archive, in a file without a name below `scratch`, of
    /// `limit` bytes at most.
    pub fn save(
        &self,
        name: &str,
        scratch: &Path,
        limit: u64,
        meter: &Meter,
    ) -> Result<File, EngineError> {
        let kept = |source| EngineError::Spool {
            engine: self.kind,
            source,
        };
        let file = tempfile::tempfile_in(scratch).map_err(kept)?;
        let mut spool = Spool {
            file,
            engine: self.kind,
            name,
            left: limit,
            cancel: &self.cancel,
            meter,
        };
        match self.way()? {
            Way::Socket(api) => api.save(name, &mut spool)?,
            Way::Program(program) => program.save(name, &mut spool)?,
        }
        let mut file = spool.file;
        file.seek(SeekFrom::Start(0)).map_err(kept)?;
        Ok(file)
    }

    /// Hands over an archive, which names its image.
    pub fn load(&self, archive: &Path, name: &str, meter: &Meter) -> Result<(), EngineError> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(EngineError::Interrupted);
        }
        match self.way()? {
            Way::Socket(api) => api.load(archive, name, meter),
            Way::Program(program) => program.load(archive, name, meter),
        }
    }

    fn way(&self) -> Result<Way<'_>, EngineError> {
        let (sockets, or_program) = match &self.address {
            EngineAddress::Sockets(sockets) => (sockets.as_slice(), true),
            EngineAddress::Named(socket) => (std::slice::from_ref(socket), false),
            EngineAddress::Port(port) => {
                return Api::at_port(self.kind, port, &self.cancel).map(Way::Socket);
            }
            EngineAddress::Broken { context, cause } => {
                return Err(EngineError::Context {
                    name: context.clone(),
                    cause: cause.clone(),
                });
            }
            EngineAddress::Unknown => (&[][..], false),
            EngineAddress::Elsewhere(address) => {
                return Err(EngineError::Elsewhere {
                    engine: self.kind,
                    address: address.clone(),
                });
            }
        };
        // Another user's socket says little about this user's engine.
        let mut denied = None;
        for socket in sockets {
            match Api::at_socket(self.kind, socket, &self.cancel) {
                Ok(api) => return Ok(Way::Socket(api)),
                Err(EngineError::Refused { source, .. })
                    if matches!(
                        source.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                    ) => {}
                Err(error) => denied = denied.or(Some(error)),
            }
        }
        let program = or_program
            .then(|| Program::find(self.kind, &self.cancel))
            .flatten();
        match (program, denied) {
            (Some(program), _) => Ok(Way::Program(program)),
            (None, Some(error)) => Err(error),
            (None, None) => Err(EngineError::Absent {
                engine: self.kind,
                sockets: sockets.to_vec(),
            }),
        }
    }
}

/// An archive that is being kept.
struct Spool<'a> {
    file: File,
    engine: Kind,
    name: &'a str,
    left: u64,
    cancel: &'a AtomicBool,
    meter: &'a Meter,
}

impl Spool<'_> {
    fn take(&mut self, source: &mut dyn Read) -> Result<(), EngineError> {
        let said = |said: String| EngineError::Said {
            engine: self.engine,
            what: self.name.to_owned(),
            said,
        };
        let mut buffer = vec![0; 256 << 10];
        loop {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(EngineError::Interrupted);
            }
            let count = match source.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(said(format!("the archive breaks off: {error}"))),
            };
            self.left = self
                .left
                .checked_sub(count as u64)
                .ok_or_else(|| said("the archive is larger than is allowed".to_owned()))?;
            self.file
                .write_all(&buffer[..count])
                .map_err(|source| EngineError::Spool {
                    engine: self.engine,
                    source,
                })?;
            self.meter.add(count as u64);
        }
    }
}
