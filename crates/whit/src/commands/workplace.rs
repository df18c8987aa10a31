//! Where a command works: the machine around it, its throw-away folder, and
//! the images that it opens.

use std::path::Path;

use whit_core::pipeline::Tools;
use whit_core::source::{self, FatRoot};
use whit_core::workspace::{CacheDirs, Workspace};
use whit_oci::{Image, Limits, Options, Platform, Reference, Transports};

use super::wish::failure;
use crate::surroundings::Surroundings;
use crate::ui::{Failure, Screen, bytes};

/// One command's own place. Its folder is gone with it.
pub struct Workplace {
    pub around: Surroundings,
    cache: CacheDirs,
    workspace: Workspace,
}

impl Workplace {
    pub fn open() -> Result<Self, Failure> {
        let around = Surroundings::of_this_process()?;
        Ok(Self {
            workspace: Workspace::create(&around.cache)?,
            cache: CacheDirs::new(&around.cache),
            around,
        })
    }

    /// The throw-away folder.
    pub fn folder(&self) -> &Path {
        self.workspace.path()
    }

    /// A place for one of several works of a command, to be dropped when it is
    /// done; `cold` if nothing of earlier works may be at hand.
    pub fn another(&self, cold: bool) -> Result<Self, Failure> {
        let workspace = Workspace::create(&self.around.cache)?;
        let cache = match cold {
            true => CacheDirs::new(&workspace.folder("cache")?),
            false => self.cache.clone(),
        };
        Ok(Self {
            around: self.around.clone(),
            cache,
            workspace,
        })
    }

    pub fn tools<'a>(&'a self, screen: &'a Screen, transports: &'a Transports) -> Tools<'a> {
        Tools {
            cache: &self.cache,
            workspace: &self.workspace,
            progress: screen,
            transports,
            cancel: &self.around.cancel,
            forge: None,
        }
    }
}

/// The image that a text names.
pub fn reference(text: &str) -> Result<Reference, Failure> {
    Reference::parse(text).map_err(|error| {
        let hint = error.hint();
        Failure::input(error).hint(hint)
    })
}

/// Opens an image; its layers are not read yet.
pub fn open_image(
    reference: &Reference,
    platform: Option<&Platform>,
    tools: &Tools<'_>,
) -> Result<Image, Failure> {
    let options = Options {
        platform: platform.cloned(),
        scratch: tools.workspace.path().to_owned(),
        limits: Limits::default(),
        transports: tools.transports.clone(),
    };
    // An engine hands its image out while it is opened.
    let waiting = match reference {
        Reference::DockerDaemon(name) => Some(format!("fetching {name} from Docker")),
        Reference::Podman(name) => Some(format!("fetching {name} from Podman")),
        Reference::Name(name) => Some(format!("looking for {name}")),
        _ => None,
    };
    if let Some(waiting) = waiting {
        tools.progress.phase(&waiting, None);
    }
    Image::open(reference, &options).map_err(|error| failure(error.into()))
}

/// Unpacks and indexes an image.
pub fn unpack_image(
    reference: &Reference,
    platform: Option<&Platform>,
    max_unpacked: Option<u64>,
    tools: &Tools<'_>,
) -> Result<FatRoot, Failure> {
    let image = open_image(reference, platform, tools)?;
    if let Some(size) = image.bytes_to_come() {
        let phase = format!("fetching and unpacking {}", bytes(size));
        tools.progress.phase(&phase, Some(size));
    }
    let dir = tools.workspace.folder("original")?;
    let cancelled = || tools.check_cancelled().is_err();
    source::image::open(&image, &dir, max_unpacked, &cancelled)
        .map_err(|error| failure(error.into()))
}
