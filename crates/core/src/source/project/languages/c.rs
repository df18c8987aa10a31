//! C and C++: whatever a `CMakeLists.txt`, a `meson.build`, a `configure` script
//! or a `Makefile` builds.

use super::{Clues, Known};
use crate::source::project::ProjectError;
use crate::source::project::craft::{Craft, HostSettings, Step};

const SETTINGS: HostSettings = HostSettings {
    prefixes: &[],
    except: &[],
    files: &[],
    caches: &[],
    certificates: &["SSL_CERT_FILE", "GIT_SSL_CAINFO"],
};

const SOURCES: &[&str] = &[
    "**/*.[chSs]",
    "**/*.cc",
    "**/*.cpp",
    "**/*.cxx",
    "**/*.hh",
    "**/*.hpp",
    "**/*.inc",
    "**/*.[ao]",
    "**/*.in",
    "**/*.am",
    "**/*.ac",
    "**/*.m4",
    "**/*.cmake",
    "**/Makefile",
    "**/makefile",
    "**/GNUmakefile",
    "**/*.mk",
    "**/CMakeLists.txt",
    "CMakePresets.json",
    "**/meson.build",
    "meson.options",
    "configure",
    ".clang-format",
];

/// Finished executables lie in a folder of their own; what a build leaves is
/// found by its age. Tests and what builds make for themselves are named so.
const COLLECT: &str = "\
find . -type f -perm -u+x -newer /whit/tmp/begun ! -name '*.so' ! -name '*.so.*' ! -path '*/CMakeFiles/*' \
! -path '*/tests/*' ! -path '*/test/*' ! -path '*/.libs/*' ! -name 'test_*' ! -name '*_test' -print | while read -r file; do
    if [ \"$(head -c 4 \"$file\" | tail -c 3)\" = ELF ]; then cp \"$file\" \"$OUT/programs/\"; fi
done
";

pub fn find(clues: &Clues<'_>) -> Result<Option<Known>, ProjectError> {
    let folder = clues.folder;
    let makefile = ["GNUmakefile", "makefile", "Makefile"]
        .into_iter()
        .find(|name| folder.has_file(name));
    let has = |name: &'static str| folder.has_file(name).then_some(name);
    let (file, tools, build): (_, &[&str], _) = if let Some(file) = has("CMakeLists.txt") {
        (
            file,
            &["cmake"],
            "cmake -S . -B /whit/src/.whit-build -DCMAKE_BUILD_TYPE=MinSizeRel -DBUILD_TESTING=OFF\n\
             cmake --build /whit/src/.whit-build -j \"$(nproc)\"\n",
        )
    } else if let Some(file) = has("meson.build") {
        (
            file,
            &["meson", "ninja-build"],
            "meson setup /whit/src/.whit-build --buildtype=minsize\nninja -C /whit/src/.whit-build\n",
        )
    } else if let Some(file) = has("configure") {
        (file, &[], "./configure\nmake -j \"$(nproc)\"\n")
    } else if let Some(file) = makefile {
        (file, &[], "make -j \"$(nproc)\"\n")
    } else {
        return Ok(None);
    };
    let Some(is_cpp) = sources(clues) else {
        return Ok(None);
    };
    let mut craft = Craft::new(if is_cpp { "C++" } else { "C" });
    craft.suite = clues.suite()?;
    craft.tools = ["gcc", "libc6-dev", "make", "pkgconf"]
        .iter()
        .chain(tools)
        .chain(is_cpp.then_some(&"g++"))
        .map(|name| (*name).to_owned())
        .collect();
    craft.settings = SETTINGS;
    craft.sources = SOURCES;
    craft.leftovers = &["CMakeFiles", ".libs"];
    craft.steps = vec![Step {
        phase: "compiling",
        script: format!("touch /whit/tmp/begun\n{build}{COLLECT}"),
    }];
    Ok(Some(Known::new(
        craft,
        format!("{file} and sources are there"),
    )))
}

/// True where there is C++ among the sources; `None` where there are none of
/// either language.
fn sources(clues: &Clues<'_>) -> Option<bool> {
    let folder = clues.folder;
    let mut names = folder.names("");
    for below in folder.names("").iter().filter(|name| folder.has_dir(name)) {
        names.extend(folder.names(below));
    }
    let ends = |ends: &[&str]| {
        names
            .iter()
            .any(|name| ends.iter().any(|end| name.ends_with(end)))
    };
    let is_cpp = ends(&[".cc", ".cpp", ".cxx"]);
    (is_cpp || ends(&[".c"])).then_some(is_cpp)
}
