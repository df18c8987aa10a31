use proptest::prelude::*;

use super::*;

/// Applies layers written as lines: `d PATH`, `f PATH`, `l PATH TARGET`,
/// `h PATH TARGET`, `c PATH`, `-PATH` for a whiteout, `=PATH` for an opaque
/// folder. A file's size is the number of its layer, counted from 1.
fn build(mut builder: Builder, layers: &[&[&str]]) -> Result<Builder, IndexError> {
    for (number, layer) in layers.iter().enumerate() {
        for line in *layer {
            builder.apply(number as u16, &entry(number, line))?;
        }
    }
    Ok(builder)
}

fn entry(number: usize, line: &str) -> Entry {
    let mut words = line.split(' ');
    let first = words.next().unwrap();
    let (kind, path) = match first.split_at(1) {
        ("-", path) => (Kind::Whiteout, path),
        ("=", path) => (Kind::Opaque, path),
        _ => {
            let path = words.next().unwrap();
            let target = words.next().unwrap_or_default();
            let kind = match first {
                "d" => Kind::Dir,
                "f" => Kind::File {
                    size: number as u64 + 1,
                },
                "l" => Kind::Symlink {
                    target: target.into(),
                },
                "h" => Kind::Hardlink {
                    target: target.into(),
                },
                "c" => Kind::CharDevice { major: 1, minor: 3 },
                other => panic!("{other}"),
            };
            (kind, path)
        }
    };
    Entry {
        path: path.into(),
        kind,
        meta: Meta {
            mode: 0o644,
            ..Meta::default()
        },
    }
}

/// The tree as lines; hard links tell where their bytes are.
fn shown(builder: Builder) -> Vec<String> {
    builder
        .finish(&|_| None)
        .iter()
        .filter(|(_, node)| !node.path.is_root())
        .map(|(_, node)| match &node.kind {
            NodeKind::Dir => format!("d {}", node.path),
            NodeKind::File { size, content } if *content == node.path => {
                format!("f {} {size}", node.path)
            }
            NodeKind::File { size, content } => format!("f {} {size} in {content}", node.path),
            NodeKind::Symlink { target } => {
                format!("l {} {}", node.path, String::from_utf8_lossy(target))
            }
            _ => format!("c {}", node.path),
        })
        .collect()
}

fn layers(layers: &[&[&str]]) -> Vec<String> {
    shown(build(Builder::new(), layers).unwrap())
}

fn refusal(lines: &[&str]) -> String {
    build(Builder::new(), &[lines]).unwrap_err().to_string()
}

#[test]
fn upper_layers_replace_and_hide() {
    assert_eq!(
        layers(&[
            &["d a", "f a/x", "f a/y", "f a-b", "d c", "f c/x", "f e"],
            &["-a/x", "-c", "f e", "-gone/x"],
        ]),
        ["d /a", "f /a-b 1", "f /a/y 1", "f /e 2"]
    );
}

#[test]
fn a_whiteout_spares_what_its_own_layer_has() {
    assert_eq!(
        layers(&[&["d a", "f a/x", "f a/y"], &["f a/x", "-a/x", "f b", "-b"]]),
        ["d /a", "f /a/x 2", "f /a/y 1", "f /b 2"]
    );
}

#[test]
fn an_opaque_folder_starts_empty() {
    assert_eq!(
        layers(&[
            &["d a", "d a/b", "f a/b/x", "f a/y", "f ab"],
            &["d a", "f a/b/z", "=a"],
        ]),
        ["d /a", "d /a/b", "f /a/b/z 2", "f /ab 1"]
    );
}

#[test]
fn kinds_replace_each_other() {
    assert_eq!(
        layers(&[
            &["d a", "f a/x", "f b", "l c a", "c d"],
            &["f a", "d b", "f b/x", "d c", "f c/x", "f d"],
        ]),
        ["f /a 2", "d /b", "f /b/x 2", "d /c", "f /c/x 2", "f /d 2"]
    );
}

#[test]
fn links_in_folders_are_followed_inside() {
    assert_eq!(
        layers(&[
            &["d usr", "d usr/lib", "l lib usr/lib", "l abs /usr/lib"],
            &["f lib/x", "f abs/y", "-lib/gone", "d var/run/z"],
        ]),
        [
            "l /abs /usr/lib",
            "l /lib usr/lib",
            "d /usr",
            "d /usr/lib",
            "f /usr/lib/x 2",
            "f /usr/lib/y 2",
            "d /var",
            "d /var/run",
            "d /var/run/z"
        ]
    );
    // A whiteout through a link takes what it leads to.
    assert_eq!(
        layers(&[&["d usr", "f usr/x", "l l usr"], &["-l/x"]]),
        ["l /l usr", "d /usr"]
    );
    // The target of the link is made where it is missing, inside.
    assert_eq!(
        layers(&[&["l run /srv/run", "f run/x"]]),
        ["l /run /srv/run", "d /srv", "d /srv/run", "f /srv/run/x 1"]
    );
}

#[test]
fn nothing_is_written_through_a_link_that_leads_out() {
    assert_eq!(
        refusal(&["d a", "l a/out ../../etc", "f a/out/passwd"]),
        "/a/out/passwd would be written through the link /a/out, which leads out of the image"
    );
    assert_eq!(
        refusal(&["l a b", "l b a", "f a/x"]),
        "/a/x lies behind more than 40 symbolic links"
    );
    assert_eq!(
        refusal(&["f a", "f a/x"]),
        "/a/x lies below /a, which is no folder"
    );
}

#[test]
fn hard_links_share_bytes() {
    assert_eq!(
        layers(&[&["f b", "h c b", "h a c"], &["h d a", "f a"]]),
        ["f /a 2", "f /b 1", "f /c 1 in /b", "f /d 1 in /b"]
    );
    // The first name goes, the bytes stay.
    assert_eq!(
        layers(&[&["f a", "h b a", "h c a"], &["-a"]]),
        ["f /b 1", "f /c 1 in /b"]
    );
    assert_eq!(
        layers(&[&["l a x", "h b a", "c d", "h e d", "h a a"]]),
        ["l /a x", "l /b x", "c /d", "c /e"]
    );
}

#[test]
fn hard_links_to_nothing_are_refused() {
    assert_eq!(
        refusal(&["h a b"]),
        "/a is a hard link to /b, which does not exist"
    );
    assert_eq!(
        refusal(&["d b", "h a b"]),
        "/a is a hard link to the folder /b"
    );
    assert_eq!(
        refusal(&["d a", "f a/x", "h a a/x"]),
        "/a is a hard link to /a/x, which it replaces"
    );
}

#[test]
fn packages_find_merged_folders() {
    let base: &[&str] = &["d usr", "d usr/lib", "l lib usr/lib"];
    let package: &[&str] = &["d lib", "f lib/x", "l usr lib"];
    let dpkg = build(Builder::like_dpkg(), &[base, package]).unwrap();
    assert_eq!(
        shown(dpkg),
        ["l /lib usr/lib", "d /usr", "d /usr/lib", "f /usr/lib/x 2"]
    );
}

#[test]
fn changes_tell_what_to_do_on_disk() {
    let mut builder = build(Builder::new(), &[&["d a", "d a/b", "f a/b/x", "l l a"]]).unwrap();
    let change = builder.apply(1, &entry(1, "f l/c/y")).unwrap();
    assert_eq!(change.path, "a/c/y".into());
    assert_eq!(change.made, ["a/c".into()]);
    let change = builder.apply(1, &entry(1, "f a")).unwrap();
    let removed: Vec<_> = change
        .removed
        .iter()
        .map(|r| (r.path.to_string(), r.dir))
        .collect();
    let want = [
        ("/a/c/y", false),
        ("/a/c", true),
        ("/a/b/x", false),
        ("/a/b", true),
        ("/a", true),
    ];
    assert_eq!(removed, want.map(|(path, dir)| (path.to_owned(), dir)));
}

proptest! {
    /// Whatever layers say, every file's folder is a folder, and the bytes of
    /// every file are where its node says.
    #[test]
    fn the_tree_holds_together(
        lines in proptest::collection::vec(
            (0u16..3, "[dflhc] [ab](/[ab]){0,2}( /?(\\.\\./)?[ab](/[ab])?)?|[-=][ab](/[ab])?"),
            1..40,
        )
    ) {
        let mut lines = lines;
        lines.sort_by_key(|(layer, _)| *layer);
        let mut builder = Builder::new();
        for (layer, line) in lines {
            let mut line = entry(usize::from(layer), &line);
            if let Kind::Symlink { target } = &mut line.kind && target.is_empty() {
                target.push(b'a');
            }
            let _ = builder.apply(layer, &line);
        }
        let tree = builder.finish(&|_| None);
        for (_, node) in tree.iter() {
            if let Some(parent) = node.path.parent() {
                let parent = tree.get(&parent).unwrap();
                prop_assert!(tree.node(parent).is_dir());
            }
            if let NodeKind::File { content, size } = &node.kind {
                let first = tree.node(tree.get(content).unwrap());
                prop_assert!(first.is_file() && first.size() == *size);
            }
        }
    }
}
