//! The small image as one executable.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use whit_oci::{ImageConfig, ImagePath, Kind};

use super::{Error, Ready, Wish};
use crate::index::{FileId, NodeKind, Tree};
use crate::plan::{Plan, Policy};
use crate::reach::shell::Programs;
use crate::report::{FileLine, PassedOver, SingleLine};
use crate::single::{self, Form, Ingredient, Made, Manner, Order};
use crate::source::FatRoot;
use crate::transform::{Edit, SmallTree};

impl Ready<'_> {
    /// Makes the executable of what is small already.
    pub(super) fn single(&self, form: Form, small: &SmallTree, plan: &Plan) -> Result<Made, Error> {
        let (Some(wish), Some(forge)) = (&self.wish.single, self.tools.forge) else {
            return Err(Error::NoPython);
        };
        let (ground, python) = self.reaching.python.as_ref().ok_or(Error::NoPython)?;
        let interpreter = ground.setting.interpreter.ok_or(Error::NoPython)?;
        let touched: BTreeSet<FileId> = self.seen.files.iter().map(|touch| touch.file).collect();
        let builtins = match self.wish.policy {
            Policy::Tight => ground.facts.builtin.iter().cloned().collect(),
            Policy::Safe | Policy::Repack => python.builtins(),
        };
        let manner = manner(&self.original.config, &self.original.tree);
        let order = Order {
            original: self.original,
            small,
            plan,
            facts: &ground.facts,
            elf: &self.reaching.elf,
            interpreter,
            builtins: &builtins,
            touched: &touched,
            wish,
            form,
            manner: self.wish.executable.as_ref().map(|_| &manner),
            epoch: self.wish.epoch,
        };
        Ok(single::make(&order, forge, self.tools)?)
    }
}

/// How an executable starts the app by itself: as the image would.
fn manner(config: &ImageConfig, tree: &Tree) -> Manner {
    let mut command = config.command();
    if let Some(program) = command.first_mut()
        && let Some(found) = Programs::of_config(tree, config).resolve(program)
    {
        *program = found.to_string();
    }
    // The interpreter asks the kernel where it is before it opens a script.
    let workdir = ImagePath::clamped(config.working_dir());
    for word in command.iter_mut().skip(1) {
        let path = workdir.join(word.as_str());
        let file = tree.lookup(&path).map(|id| &tree.node(id).kind);
        if !word.starts_with(['/', '-']) && matches!(file, Some(NodeKind::File { .. })) {
            *word = path.to_string();
        }
    }
    // The host's own programs and home stay in sight.
    let is_hosts = |name: &str| matches!(name, "PATH" | "HOME" | "HOSTNAME");
    let variables = config.env().into_iter().filter(|(name, _)| !is_hosts(name));
    Manner {
        closed: true,
        command,
        workdir: config.working_dir().to_owned(),
        variables: variables
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
    }
}

/// The executable, as the report tells it.
pub(super) fn line(
    made: &Made,
    passed_over: Vec<(Form, String)>,
    original: &FatRoot,
    wish: &Wish,
) -> SingleLine {
    let files = made.tree.files.iter();
    let files = files.filter(|(_, file)| matches!(file.kind, Kind::File { .. }));
    let (own, beside): (Vec<_>, Vec<_>) = files.partition(|(path, _)| **path == made.path);
    SingleLine {
        form: made.form.to_string(),
        path: made.path.to_string(),
        bytes: own.iter().map(|(_, file)| file.size()).sum(),
        linked: made.linked.values().cloned().collect(),
        beside: beside.iter().map(|(path, _)| path.to_string()).collect(),
        left_out: made
            .left_out
            .iter()
            .map(|id| original.tree.path(*id).to_string())
            .collect(),
        passed_over: passed_over
            .into_iter()
            .map(|(form, why)| PassedOver {
                form: form.to_string(),
                why,
            })
            .collect(),
        stand_alone: wish
            .executable
            .as_ref()
            .map(|place| place.display().to_string()),
    }
}

/// What had to be compiled in an older version than there is: it may lack what
/// was mended since.
pub(super) fn outdated(made: &Made) -> Vec<String> {
    let advice = match made.form {
        Form::Linked(_) => "; --single=carried takes the newest packages",
        Form::Carried => "",
    };
    let said = |one: &Ingredient| {
        let Ingredient {
            source, version, ..
        } = one;
        let newest = one.newest.as_ref()?;
        Some(format!(
            "{source} {version} was compiled, for the mirror lacks the sources of {newest}: \
             what that one mends is not mended here{advice}"
        ))
    };
    made.ingredients.iter().filter_map(said).collect()
}

/// Gives the executable that needs no image its name: in one step, so that
/// nobody sees half of it.
pub(super) fn keep(made: &Made, place: &Path) -> Result<(), Error> {
    let Some(from) = &made.stand_alone else {
        return Ok(());
    };
    let named = |error: std::io::Error| Error::Executable {
        place: place.display().to_string(),
        cause: error,
    };
    let folder = match place.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut draft = tempfile::NamedTempFile::new_in(folder).map_err(named)?;
    std::io::copy(&mut std::fs::File::open(from)?, &mut draft).map_err(named)?;
    draft
        .as_file()
        .set_permissions(std::fs::Permissions::from_mode(0o755))
        .map_err(named)?;
    draft.persist(place).map_err(|error| named(error.error))?;
    Ok(())
}

/// Says of each file whether it is in the executable, or gone for its sake.
pub(super) fn tell_files(lines: &mut [FileLine], made: &Made) {
    let executable = made.path.to_string();
    for line in lines.iter_mut().filter(|line| line.kept) {
        let path = ImagePath::clamped(line.moved.as_deref().unwrap_or(&line.path));
        if path == made.path {
            continue;
        }
        if made.linked.contains_key(&path) {
            line.edit = Some(Edit::Linked.to_string());
            line.now = None;
            line.inside = Some(executable.clone());
        } else if made.packed.contains(&path) {
            line.inside = Some(executable.clone());
        } else if !made.tree.files.contains_key(&path) {
            line.kept = false;
            line.why = format!("what {executable} is made of takes its place");
            line.from = None;
            line.now = None;
        }
    }
}
