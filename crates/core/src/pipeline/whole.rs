//! The original as it is, written as an image: what people ship who take
//! nothing away.

use super::{Error, Stopwatch, Tools, Wish, ground::Ground, stage};
use crate::emit;
use crate::index::{FileId, PackageKind};
use crate::reach::python::marshal::Columns;
use crate::source::FatRoot;
use crate::transform::{self, Content, ModuleForm};

/// Writes all of `original` to the destination of the wish, with bytecode for
/// the modules of the packages that `compiled` chooses: as `py3compile` of
/// Debian's maintainer scripts and `pip install` leave them.
pub fn ship_whole(
    original: &FatRoot,
    wish: &Wish,
    compiled: &dyn Fn(PackageKind) -> bool,
    tools: &Tools<'_>,
    watch: &mut Stopwatch,
) -> Result<(), Error> {
    let Some(destination) = &wish.destination else {
        return Ok(());
    };
    let read = |id: FileId| {
        original
            .content(id)
            .and_then(|host| std::fs::read(host).ok())
    };
    let bytecode = watch.time("compile", || {
        let Some(ground) = Ground::prepare(original, wish, &read, tools)? else {
            return Ok(transform::Bytecode::new());
        };
        let modules = ground.compile(original, compiled, Columns::Keep, tools)?;
        let forms = modules.into_iter().filter_map(|(source, pyc)| {
            let id = original.tree.get(&source)?;
            let place = ground.bytecode_place(&source)?;
            Some((id, ModuleForm::Cached(place, Content::Host(pyc))))
        });
        Ok::<_, Error>(forms.collect())
    })?;
    tools.check_cancelled()?;
    tools.progress.phase("writing layers", None);
    let staged = watch.time("emit", || {
        let whole = transform::whole(original, &bytecode, wish.mtime)?;
        let cancelled = || tools.check_cancelled().is_err();
        let cache = tools.cache.layers()?;
        let layers =
            emit::write_layers(&original.tree, &whole, wish.compression, &cache, &cancelled)?;
        stage(original, wish, tools, destination, &layers)
    })?;
    Ok(staged.commit(tools.transports)?)
}
