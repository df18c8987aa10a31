//! `update-alternatives` for the names that programs and people call.

use super::super::root::{Result, Root};
use super::exists;

/// A link and the programs that it may lead to, the one with the highest
/// priority in their scripts first. Manual pages' links are not made.
const ALTERNATIVES: [(&str, &[&str]); 9] = [
    // gawk 10, mawk 5, original-awk 0
    (
        "usr/bin/awk",
        &["usr/bin/gawk", "usr/bin/mawk", "usr/bin/original-awk"],
    ),
    ("usr/bin/nawk", &["usr/bin/gawk", "usr/bin/mawk"]),
    ("usr/bin/c++", &["usr/bin/g++", "usr/bin/clang++"]),
    ("usr/bin/cc", &["usr/bin/gcc", "usr/bin/clang"]),
    ("usr/bin/c89", &["usr/bin/c89-gcc"]),
    ("usr/bin/c99", &["usr/bin/c99-gcc"]),
    ("usr/bin/f77", &["usr/bin/gfortran"]),
    // less 77, more 50
    ("usr/bin/pager", &["usr/bin/less", "usr/bin/more"]),
    ("usr/bin/which", &["usr/bin/which.debianutils"]),
];

/// Makes the links the way `update-alternatives` does, over
/// `/etc/alternatives`.
pub fn choose(root: &mut Root) -> Result<()> {
    for (link, programs) in ALTERNATIVES {
        let Some(program) = programs.iter().find(|program| exists(root, program)) else {
            continue;
        };
        if exists(root, link) {
            continue;
        }
        let name = link.rsplit('/').next().unwrap_or(link);
        let switch = format!("etc/alternatives/{name}");
        root.put_link(&switch, &format!("/{program}"))?;
        root.put_link(link, &format!("/{switch}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_that_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let mut root = Root::new(dir.path());
        for program in ["mawk", "gcc", "original-awk", "nawk"] {
            let path = format!("usr/bin/{program}");
            root.put_file(&path, 0o755, b"").unwrap();
        }
        choose(&mut root).unwrap();
        let leads_to = |path: &str| root.resolve(&path.into()).map(|path| path.to_string());
        assert_eq!(leads_to("usr/bin/awk").as_deref(), Some("/usr/bin/mawk"));
        assert_eq!(leads_to("usr/bin/cc").as_deref(), Some("/usr/bin/gcc"));
        // What a package ships itself is left alone.
        assert_eq!(leads_to("usr/bin/nawk").as_deref(), Some("/usr/bin/nawk"));
        assert_eq!(leads_to("usr/bin/which"), None);
    }
}
