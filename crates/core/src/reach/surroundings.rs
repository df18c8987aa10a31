//! What is around an app without being asked for by name: accounts, time,
//! authorities, places to write to.

use std::collections::BTreeSet;

use whit_oci::ImagePath;

use super::{How, reach_path};
use crate::index::{FileId, NodeKind, Tree};
use crate::source::FatRoot;

/// Small files that the C library and every scanner read, and why.
const FILES: [(&str, &str); 14] = [
    ("etc/passwd", "names of users"),
    ("etc/group", "names of groups"),
    ("etc/nsswitch.conf", "where names are looked up"),
    ("etc/hosts", "names of hosts"),
    ("etc/host.conf", "how host names are looked up"),
    ("etc/hostname", "the host's own name"),
    (
        "etc/resolv.conf",
        "where the engine writes its name servers",
    ),
    ("etc/gai.conf", "the order of addresses"),
    ("etc/services", "names of ports"),
    ("etc/protocols", "names of protocols"),
    ("etc/os-release", "what this system is"),
    ("usr/lib/os-release", "what this system is"),
    ("etc/localtime", "the local time zone"),
    ("etc/timezone", "the local time zone"),
];

/// Folders and links that programs expect, and why.
const PLACES: [(&str, &str); 16] = [
    ("tmp", "a place for temporary files"),
    ("var/tmp", "a place for temporary files"),
    ("run", "a place for sockets and locks"),
    ("var/run", "a place for sockets and locks"),
    ("run/lock", "a place for sockets and locks"),
    ("var/lock", "a place for sockets and locks"),
    ("proc", "a mount point"),
    ("sys", "a mount point"),
    ("dev", "a mount point"),
    ("bin", "the merged /usr"),
    ("sbin", "the merged /usr"),
    ("lib", "the merged /usr"),
    ("lib64", "the merged /usr"),
    ("etc", "a place for the engine's files"),
    ("usr", "the merged /usr"),
    ("var", "a place for changing files"),
];

/// What every image needs, as far as it has it: files, folders (only
/// themselves) and links of the root.
pub fn surroundings(root: &FatRoot) -> Vec<(FileId, How)> {
    let tree = &root.tree;
    let mut roots = Roots {
        tree,
        found: Vec::new(),
    };
    for (path, why) in FILES {
        roots.add(&path.into(), why);
    }
    for (path, why) in PLACES {
        let path = ImagePath::from(path);
        // `/bin` as a folder of its own is kept by what is in it; as a link it
        // is how programs are found.
        let is_link = tree
            .get(&path)
            .is_some_and(|id| matches!(tree.node(id).kind, NodeKind::Symlink { .. }));
        if is_link || !why.contains("merged") {
            roots.add(&path, why);
        }
    }
    let config = &root.config;
    roots.add(
        &ImagePath::clamped(config.working_dir()),
        "the working directory",
    );
    for volume in config.volumes() {
        roots.add(&ImagePath::clamped(volume), "a volume");
    }
    if let Some(home) = home_of(root, config.user()) {
        roots.add(&home, "the user's home");
    }
    for (name, value) in config.env() {
        match name.as_str() {
            "HOME" | "TMPDIR" => roots.add(&ImagePath::clamped(value), "named by the environment"),
            "TZ" => {
                let zone = value.trim_start_matches(':');
                let zones = ImagePath::from("usr/share/zoneinfo");
                // An absolute name is a file of its own.
                roots.add_file(&zones.join(zone), "the time zone in TZ");
            }
            "LD_PRELOAD" => {
                for library in value.split([' ', ':']).filter(|part| part.contains('/')) {
                    roots.add(&ImagePath::clamped(library), "named by LD_PRELOAD");
                }
            }
            // `SSL_CERT_FILE` waits for somebody who reads it: `authorities`.
            "REQUESTS_CA_BUNDLE" | "CURL_CA_BUNDLE" | "OPENSSL_CONF" => {
                roots.add_file(&ImagePath::clamped(value), "named by the environment");
            }
            _ => {}
        }
    }
    roots.add(&"etc/ld.so.preload".into(), "libraries for every program");
    for line in text(root, "etc/ld.so.preload").split([' ', '\t', '\n', ':']) {
        if line.starts_with('/') {
            roots.add(&line.into(), "named by /etc/ld.so.preload");
        }
    }
    roots.found
}

/// The locale that the environment names and `C.UTF-8`, for whoever sets a
/// locale.
pub fn locales(root: &FatRoot) -> Vec<(FileId, How)> {
    let mut roots = Roots {
        tree: &root.tree,
        found: Vec::new(),
    };
    for path in locale(root) {
        roots.add_below(&path, "the locale");
    }
    roots.found
}

struct Roots<'a> {
    tree: &'a Tree,
    found: Vec<(FileId, How)>,
}

impl Roots<'_> {
    fn add(&mut self, path: &ImagePath, why: &str) {
        if !path.is_root() {
            let how = How::Surroundings(why.to_owned());
            let reached = reach_path(self.tree, path, how.clone());
            // The links on the way are wanted as much as what they lead to.
            self.found
                .extend(reached.into_iter().map(|(id, _)| (id, how.clone())));
        }
    }

    fn add_file(&mut self, path: &ImagePath, why: &str) {
        let is_file = |id: FileId| self.tree.node(id).is_file();
        if self.tree.lookup(path).is_some_and(is_file) {
            self.add(path, why);
        }
    }

    fn add_below(&mut self, path: &ImagePath, why: &str) {
        self.add(path, why);
        if let Some(folder) = self.tree.lookup(path) {
            let how = How::Surroundings(why.to_owned());
            let below = self.tree.below(folder);
            self.found
                .extend(below.into_iter().map(|id| (id, how.clone())));
        }
    }
}

/// The home of a user given as in an image's configuration: `NAME`, `UID`,
/// either with `:GROUP`. Root, where none is given.
fn home_of(root: &FatRoot, user: &str) -> Option<ImagePath> {
    let user = user
        .split(':')
        .next()
        .filter(|user| !user.is_empty())
        .unwrap_or("0");
    text(root, "etc/passwd").lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, _, _, home, ..] = fields.as_slice() else {
            return None;
        };
        (*name == user || *uid == user).then(|| ImagePath::clamped(home))
    })
}

/// The locale that the environment names, and `C.UTF-8`, which Python and
/// others fall back on.
fn locale(root: &FatRoot) -> Vec<ImagePath> {
    let mut paths = vec![ImagePath::from("usr/lib/locale/C.utf8")];
    for (name, value) in root.config.env() {
        if !(name == "LANG" || name == "LANGUAGE" || name.starts_with("LC_")) {
            continue;
        }
        // LL_CC.CHARSET@MODIFIER; compiled locales spell the charset `utf8`.
        let (base, charset) = value.split_once('.').unwrap_or((&value, ""));
        if matches!(base, "" | "C" | "POSIX") {
            continue;
        }
        paths.push("usr/lib/locale/locale-archive".into());
        let plain: String = charset
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .flat_map(char::to_lowercase)
            .collect();
        let folder = ImagePath::from("usr/lib/locale");
        paths.push(folder.join(&value));
        paths.push(folder.join(format!("{base}.{plain}")));
        // Messages are found by language and country, or by language alone.
        let messages = ImagePath::from("usr/share/locale");
        paths.push(messages.join(base));
        paths.push(messages.join(base.split('_').next().unwrap_or(base)));
    }
    paths.retain(|path| path.starts_with(&"usr".into()) && path.components().count() > 3);
    paths
}

/// What lies among the time zones and is none: copies that count leap seconds
/// or repeat the rest, and the source of all for compilers of zones.
pub const NO_ZONES: [&str; 3] = ["right", "posix", "tzdata.zi"];

/// Every time zone, for a program that may ask for any.
pub fn zones(tree: &Tree) -> Vec<FileId> {
    let folder = ImagePath::from("usr/share/zoneinfo");
    let Some(id) = tree.lookup(&folder) else {
        return Vec::new();
    };
    let mut zones = vec![id];
    zones.extend(tree.below(id).into_iter().filter(|file| {
        let path = tree.path(*file);
        !NO_ZONES
            .iter()
            .any(|other| path.starts_with(&folder.join(other)))
    }));
    zones
}

/// Folders that OpenSSL builds have compiled in (`OPENSSLDIR`).
const OPENSSL_FOLDERS: [&str; 4] = ["usr/lib/ssl", "etc/ssl", "etc/pki/tls", "usr/local/ssl"];

/// Certificate authorities, for whoever speaks TLS: the bundle; and the single
/// files with their hashed names only where OpenSSL would not find the bundle.
pub fn authorities(root: &FatRoot) -> Vec<(FileId, How)> {
    const BUNDLES: [&str; 6] = [
        "etc/ssl/certs/ca-certificates.crt",
        "etc/ssl/cert.pem",
        "etc/ssl/ca-bundle.pem",
        "etc/pki/tls/certs/ca-bundle.crt",
        "etc/pki/tls/cert.pem",
        "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    ];
    let tree = &root.tree;
    let how = How::Surroundings("certificate authorities, for TLS".to_owned());
    let mut found = Vec::new();
    for path in BUNDLES {
        found.extend(reach_path(tree, &path.into(), how.clone()));
    }
    let has_bundle = !found.is_empty();
    let mut default_is_file = false;
    for (name, value) in root.config.env() {
        if name == "SSL_CERT_FILE" {
            let named = reach_path(tree, &ImagePath::clamped(value), how.clone());
            default_is_file |= !named.is_empty();
            found.extend(named);
        }
    }
    let mut hashed = BTreeSet::new();
    for folder in OPENSSL_FOLDERS.map(ImagePath::from) {
        let file = reach_path(tree, &folder.join("cert.pem"), how.clone());
        default_is_file |= !file.is_empty();
        found.extend(file);
        let certs = reach_path(tree, &folder.join("certs"), how.clone());
        hashed.extend(certs.last().map(|(id, _)| *id));
        found.extend(certs);
    }
    if !has_bundle || !default_is_file {
        for folder in hashed {
            found.extend(tree.below(folder).into_iter().map(|id| (id, how.clone())));
        }
    }
    found
}

/// What a running program does not read: documentation, translations,
/// headers, static libraries, other programs' integration, the scripts that
/// install packages.
pub fn is_ballast(path: &ImagePath) -> bool {
    const FOLDERS: [&str; 50] = [
        "usr/share/aclocal",
        "usr/share/appdata",
        "usr/share/applications",
        "usr/share/apport",
        "usr/share/bash-completion",
        "usr/share/bug",
        "usr/share/doc",
        "usr/share/doc-base",
        "usr/share/emacs",
        "usr/share/examples",
        "usr/share/fish",
        "usr/share/gdb",
        "usr/share/gir-1.0",
        "usr/share/gtk-doc",
        "usr/share/help",
        "usr/share/icons",
        "usr/share/info",
        "usr/share/initramfs-tools",
        "usr/share/lintian",
        "usr/share/locale",
        "usr/share/man",
        "usr/share/menu",
        "usr/share/metainfo",
        "usr/share/pixmaps",
        "usr/share/pkgconfig",
        "usr/share/polkit-1",
        "usr/share/vala",
        "usr/share/vim",
        "usr/share/zsh",
        "usr/include",
        "usr/local/share/man",
        "usr/lib/debug",
        "usr/lib/initramfs-tools",
        "usr/lib/systemd",
        "usr/lib/sysusers.d",
        "usr/lib/tmpfiles.d",
        "usr/lib/udev",
        "lib/systemd",
        "lib/udev",
        "etc/apparmor.d",
        "etc/apt",
        "etc/bash_completion.d",
        "etc/init",
        "etc/init.d",
        "etc/logcheck",
        "etc/logrotate.d",
        "etc/systemd",
        "etc/ufw",
        "lib/apk",
        "var/lib/dpkg",
    ];
    let bytes = path.as_bytes();
    if FOLDERS
        .iter()
        .any(|folder| path.starts_with(&(*folder).into()))
        || bytes.starts_with(b"etc/cron.")
        || bytes.starts_with(b"etc/rc")
    {
        return true;
    }
    let in_library_folder = bytes.starts_with(b"usr/lib") || bytes.starts_with(b"lib");
    let parent = path.parent().unwrap_or_default();
    in_library_folder
        && (matches!(path.extension(), Some(b"a" | b"la" | b"o" | b"pc" | b"h"))
            || matches!(parent.name(), b"pkgconfig" | b"cmake"))
}

fn text(root: &FatRoot, path: &str) -> String {
    /// Bytes; a longer list of users is not searched.
    const MAX: u64 = 4 << 20;
    let file = root.tree.lookup(&path.into());
    file.filter(|id| root.tree.node(*id).size() <= MAX)
        .and_then(|id| root.content(id))
        .and_then(|host| std::fs::read(host).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::root;

    #[test]
    fn what_is_there_is_kept_and_links_lead_on() {
        let mut test = root(
            &[
                "etc/passwd = root:x:0:0::/root:/bin/sh\napp:x:7:7::/srv/app:/bin/sh\n",
                "etc/localtime -> ../usr/share/zoneinfo/Etc/UTC",
                "usr/share/zoneinfo/Etc/UTC",
                "usr/share/zoneinfo/Europe/Oslo",
                "srv/app/data",
                "tmp/",
                "bin -> usr/bin",
                "usr/bin/x",
                "sbin/y",
                "usr/lib/locale/C.utf8/LC_CTYPE",
                "usr/lib/locale/de_DE.utf8/LC_CTYPE",
            ],
            &["TZ=Europe/Oslo", "LANG=de_DE.UTF-8"],
        );
        test.root.config.set_exec("User", "7".into());
        let mut names = test.names(&surroundings(&test.root));
        names.sort();
        names.dedup();
        assert_eq!(
            names,
            [
                "/bin",
                "/etc",
                "/etc/localtime",
                "/etc/passwd",
                "/srv/app",
                "/tmp",
                "/usr/bin",
                "/usr/share/zoneinfo/Etc/UTC",
                "/usr/share/zoneinfo/Europe/Oslo",
            ]
        );
        assert_eq!(
            test.names(&locales(&test.root)),
            [
                "/usr/lib/locale/C.utf8",
                "/usr/lib/locale/C.utf8/LC_CTYPE",
                "/usr/lib/locale/de_DE.utf8",
                "/usr/lib/locale/de_DE.utf8/LC_CTYPE",
            ]
        );
    }

    #[test]
    fn hashed_certificates_stay_only_where_the_bundle_is_not_found() {
        let lines = [
            "etc/ssl/certs/ca-certificates.crt",
            "etc/ssl/certs/0a1b2c3d.0 -> a.pem",
            "etc/ssl/certs/a.pem",
            "usr/lib/ssl/certs -> ../../../etc/ssl/certs",
        ];
        let bare = root(&lines, &[]);
        let names = bare.names(&authorities(&bare.root));
        assert!(names.contains(&"/etc/ssl/certs/a.pem".to_owned()));
        let told = root(
            &lines,
            &["SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"],
        );
        let names = told.names(&authorities(&told.root));
        assert!(names.contains(&"/etc/ssl/certs/ca-certificates.crt".to_owned()));
        assert!(!names.contains(&"/etc/ssl/certs/a.pem".to_owned()));
    }

    #[test]
    fn every_zone_once() {
        let tree = crate::testing::tree(&[
            "usr/share/zoneinfo/UTC",
            "usr/share/zoneinfo/right/UTC",
            "usr/share/zoneinfo/posix/UTC",
        ]);
        let names: Vec<String> = zones(&tree)
            .iter()
            .map(|id| tree.path(*id).to_string())
            .collect();
        assert_eq!(names, ["/usr/share/zoneinfo", "/usr/share/zoneinfo/UTC"]);
    }

    #[test]
    fn ballast() {
        for path in [
            "usr/share/doc/x/copyright",
            "usr/lib/libx.a",
            "etc/cron.d/x",
            "var/lib/dpkg/info/x.postinst",
        ] {
            assert!(is_ballast(&path.into()), "{path}");
        }
        for path in [
            "etc/nginx/nginx.conf",
            "usr/lib/x/a.so",
            "usr/share/nginx/index.html",
        ] {
            assert!(!is_ballast(&path.into()), "{path}");
        }
    }
}
