//! Reading the small files that tell what is installed.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use whit_oci::ImagePath;

/// Largest database that is read: Debian's whole archive would fit.
const MAX_SIZE: u64 = 128 << 20;

/// Reads files of an extracted root for [`super::Builder::finish`]. `dirs` are
/// the folders it consists of, the bottom one first.
pub fn contents(dirs: &[PathBuf]) -> impl Fn(&ImagePath) -> Option<Vec<u8>> + use<> {
    let dirs = dirs.to_vec();
    move |path| {
        let host = dirs
            .iter()
            .rev()
            .map(|dir| path.under(dir))
            .find(|host| host.symlink_metadata().is_ok_and(|found| found.is_file()))?;
        let file = File::open(host).ok()?;
        let size = file.metadata().ok().filter(|found| found.is_file())?.len();
        if size > MAX_SIZE {
            return None;
        }
        let mut bytes = Vec::with_capacity(size as usize);
        file.take(MAX_SIZE).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }
}
