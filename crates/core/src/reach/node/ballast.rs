//! What of a package no running program reads.

use whit_oci::ImagePath;

/// Folders at the top of a package.
const FOLDERS: [&[u8]; 19] = [
    b".circleci",
    b".github",
    b".husky",
    b".vscode",
    b"__tests__",
    b"bench",
    b"benchmark",
    b"benchmarks",
    b"coverage",
    b"doc",
    b"docs",
    b"example",
    b"examples",
    b"man",
    b"test",
    b"test-d",
    b"tests",
    b"typings",
    b"website",
];

/// The machine that an image is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Platform {
    /// Node's name of the processor: `x64`, `arm64`.
    pub arch: &'static str,
    pub musl: bool,
}

/// True for a path inside a package that holds documentation, tests, types,
/// source maps, or code for other machines. Licences are none of these.
pub(super) fn is_ballast(inside: &ImagePath, package: &str, platform: Platform) -> bool {
    let mut parts = inside.components().peekable();
    let Some(first) = parts.next() else {
        return false;
    };
    let is_folder = parts.peek().is_some();
    let name = inside.name();
    if is_licence(name) {
        return false;
    }
    if is_folder && FOLDERS.contains(&first) {
        return true;
    }
    if first == b"prebuilds"
        && parts
            .next()
            .is_some_and(|machine| !is_for(machine, platform))
    {
        return true;
    }
    let ends = |ends: &[&[u8]]| ends.iter().any(|end| name.ends_with(end));
    // TypeScript's own `lib.d.ts` is what it checks with.
    let is_typing = ends(&[b".d.ts", b".d.mts", b".d.cts", b".js.flow", b".tsbuildinfo"])
        && package != "typescript";
    let is_map = ends(&[
        b".js.map",
        b".mjs.map",
        b".cjs.map",
        b".ts.map",
        b".css.map",
    ]);
    let is_text = ends(&[b".md", b".markdown"]);
    let other_libc = name.ends_with(match platform.musl {
        true => &b".glibc.node"[..],
        false => b".musl.node",
    });
    is_typing
        || is_map
        || is_text
        || other_libc
        || ends(&[b".o", b".a", b".gyp", b".gypi"])
        || inside
            .components()
            .any(|part| part == b".bin" || part == b".deps")
}

/// `linux-x64`, `linux-x64+arm64` (prebuildify).
fn is_for(machine: &[u8], platform: Platform) -> bool {
    let Ok(machine) = std::str::from_utf8(machine) else {
        return true;
    };
    let Some((system, arch)) = machine.split_once('-') else {
        return true;
    };
    let known = [
        "darwin", "win32", "linux", "android", "freebsd", "openbsd", "sunos", "aix",
    ];
    !known.contains(&system)
        || (system == "linux" && arch.split('+').any(|arch| arch.starts_with(platform.arch)))
}

fn is_licence(name: &[u8]) -> bool {
    let name = name.to_ascii_uppercase();
    [&b"LICEN"[..], b"COPYING", b"NOTICE", b"AUTHORS"]
        .iter()
        .any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_and_what_goes() {
        let ballast = |path: &str| {
            let platform = Platform {
                arch: "x64",
                musl: false,
            };
            is_ballast(&path.into(), "x", platform)
        };
        for path in [
            "README.md",
            "test/a.js",
            "dist/a.d.ts",
            "dist/a.js.map",
            "prebuilds/darwin-x64/a.node",
            "prebuilds/linux-arm64/a.node",
            "prebuilds/linux-x64/a.musl.node",
            "node_modules/.bin/x",
        ] {
            assert!(ballast(path), "{path}");
        }
        for path in [
            "LICENSE.md",
            "index.js",
            "package.json",
            "dist/doc/Document.js",
            "lib/test/a.js",
            "test",
            "prebuilds/linux-x64/a.glibc.node",
            "data.map",
        ] {
            assert!(!ballast(path), "{path}");
        }
    }
}
