//! The fat root of an image that exists.

use std::path::Path;

use whit_oci::Image;

use super::FatRoot;
use super::unpack::{UnpackError, Unpacker};
use crate::index::{Builder, contents};

/// Unpacks all layers of `image` into `dir`, an empty folder that exists, and
/// indexes them. For `limit` and `cancelled` see [`Unpacker::new`].
pub fn open(
    image: &Image,
    dir: &Path,
    limit: Option<u64>,
    cancelled: &dyn Fn() -> bool,
) -> Result<FatRoot, UnpackError> {
    let builder = unpack(image, dir, limit, cancelled)?.finish()?;
    let dirs = vec![dir.to_path_buf()];
    Ok(FatRoot {
        tree: builder.finish(&contents(&dirs)),
        dirs,
        config: image.config().clone(),
        layering: None,
        stored: None,
    })
}

/// The layers of `image`, unpacked into `dir` and ready for more.
pub fn unpack<'a>(
    image: &Image,
    dir: &Path,
    limit: Option<u64>,
    cancelled: &'a dyn Fn() -> bool,
) -> Result<Unpacker<'a>, UnpackError> {
    let mut unpacker = Unpacker::new(dir, Builder::new(), limit, cancelled)?;
    for (i, layer) in image.layers().iter().enumerate() {
        let Some(reader) = image.read_layer(i) else {
            break;
        };
        unpacker.layer(
            layer_number(i),
            &image.layer_name(i),
            layer.size,
            &mut reader?,
        )?;
    }
    Ok(unpacker)
}

/// The number of layers is bounded far below 65,536 when an image is opened.
pub fn layer_number(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(u16::MAX)
}
