use std::cell::Cell;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use whit_oci::Problem;

use super::*;

/// A tar of regular files, folders and links: `PATH=CONTENT`, `PATH/`,
/// `PATH -> TARGET`, `PATH => TARGET` for a hard link, `PATH!` for a device.
fn tar(lines: &[&str]) -> Vec<u8> {
    let mut out = tar::Builder::new(Vec::new());
    for line in lines {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o4750);
        header.set_mtime(1_600_000_000);
        header.set_uid(12);
        header.set_gid(34);
        header.set_size(0);
        if let Some((path, target)) = line.split_once(" -> ") {
            header.set_entry_type(tar::EntryType::Symlink);
            out.append_link(&mut header, path, target).unwrap();
        } else if let Some((path, target)) = line.split_once(" => ") {
            header.set_entry_type(tar::EntryType::Link);
            out.append_link(&mut header, path, target).unwrap();
        } else if let Some(path) = line.strip_suffix('!') {
            header.set_entry_type(tar::EntryType::Char);
            out.append_data(&mut header, path, &[][..]).unwrap();
        } else if let Some(path) = line.strip_suffix('/') {
            header.set_entry_type(tar::EntryType::Directory);
            out.append_data(&mut header, path, &[][..]).unwrap();
        } else {
            let (path, content) = line.split_once('=').unwrap();
            header.set_size(content.len() as u64);
            out.append_data(&mut header, path, content.as_bytes())
                .unwrap();
        }
    }
    out.into_inner().unwrap()
}

fn unpack(dir: &Path, layers: &[Vec<u8>], limit: Option<u64>) -> Result<Builder, UnpackError> {
    let mut unpacker = Unpacker::new(dir, Builder::new(), limit, &|| false)?;
    for (number, tar) in layers.iter().enumerate() {
        let name = format!("layer {}", number + 1);
        let mut reader = LayerReader::new(&tar[..], &name);
        unpacker.layer(number as u16, &name, tar.len() as u64, &mut reader)?;
    }
    unpacker.finish()
}

#[test]
fn layers_end_up_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let layers = [
        tar(&[
            "usr/",
            "usr/a=one",
            "usr/b => usr/a",
            "usr/gone=x",
            "lib -> usr",
            "dev/",
            "dev/null!",
            "d/",
            "d/x=1",
        ]),
        tar(&[
            "lib/c=two",
            "usr/.wh.gone=",
            "d=file",
            "usr/a=new",
            "dev/null=now a file",
        ]),
    ];
    let builder = unpack(dir.path(), &layers, None).unwrap();
    let read = |path: &str| fs::read_to_string(dir.path().join(path)).unwrap();
    assert_eq!(read("usr/a"), "new");
    assert_eq!(read("usr/b"), "one");
    assert_eq!(read("usr/c"), "two");
    assert_eq!(read("d"), "file");
    assert_eq!(read("dev/null"), "now a file");
    assert!(!dir.path().join("usr/gone").exists());
    let metadata = fs::metadata(dir.path().join("usr/c")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o750);
    assert_eq!(metadata.mtime(), 1_600_000_000);
    assert_eq!(
        fs::metadata(dir.path().join("usr")).unwrap().mtime(),
        1_600_000_000
    );
    let node = builder.get(&"usr/c".into()).unwrap();
    assert_eq!((node.meta.mode, node.meta.uid, node.layer), (0o4750, 12, 1));

    // Every file of the index has its bytes where the index says.
    let tree = builder.finish(&|_| None);
    for (_, node) in tree.iter() {
        if let crate::index::NodeKind::File { content, size } = &node.kind {
            let on_disk = fs::symlink_metadata(content.under(dir.path())).unwrap();
            assert_eq!(on_disk.len(), *size, "{}", node.path);
        }
    }
}

#[test]
fn hard_links_are_hard_links() {
    let dir = tempfile::tempdir().unwrap();
    unpack(dir.path(), &[tar(&["a=x", "d/", "d/b => a"])], None).unwrap();
    let inode = |path: &str| fs::metadata(dir.path().join(path)).unwrap().ino();
    assert_eq!(inode("a"), inode("d/b"));
}

#[test]
fn nothing_is_written_outside() {
    let outside = tempfile::tempdir().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let target = outside.path().to_str().unwrap();
    let link = format!("out -> {target}");
    let layers = [tar(&[&link, "out/pwned=x"])];
    unpack(dir.path(), &layers, None).unwrap();
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    let inside = dir.path().join(target.trim_start_matches('/'));
    assert!(inside.join("pwned").exists());
    // Even when somebody changes the folder under our hands.
    let dir = tempfile::tempdir().unwrap();
    let mut unpacker = Unpacker::new(dir.path(), Builder::new(), None, &|| false).unwrap();
    let first = tar(&["d/"]);
    let second = tar(&["d/x=1"]);
    let mut reader = LayerReader::new(&first[..], "one");
    unpacker.layer(0, "one", 1, &mut reader).unwrap();
    fs::remove_dir(dir.path().join("d")).unwrap();
    symlink(outside.path(), dir.path().join("d")).unwrap();
    let mut reader = LayerReader::new(&second[..], "two");
    let error = unpacker.layer(1, "two", 1, &mut reader).unwrap_err();
    assert!(matches!(error, UnpackError::Write { .. }), "{error}");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

/// A tar with one sparse file: `size` bytes of which the last is written.
fn sparse(size: u64) -> Vec<u8> {
    let mut out = tar::Builder::new(Vec::new());
    let map = format!("{},1", size - 1);
    out.append_pax_extensions([
        ("GNU.sparse.map", map.as_bytes()),
        ("GNU.sparse.size", size.to_string().as_bytes()),
    ])
    .unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_size(1);
    header.set_mode(0o644);
    out.append_data(&mut header, "big", &b"x"[..]).unwrap();
    out.into_inner().unwrap()
}

#[test]
fn a_file_of_nothing_is_a_trap() {
    let dir = tempfile::tempdir().unwrap();
    let error = unpack(dir.path(), &[sparse(10_000_000_000)], None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "layer 1: /big is 10.0 GB large in a layer of 3.1 kB: this is a trap or a mistake"
    );
    assert_eq!(
        error.hint().unwrap(),
        "if the file is right, allow it with `--max-unpacked 21G`"
    );
    assert!(!dir.path().join("big").exists());
    // Where it is allowed, it takes no room.
    unpack(dir.path(), &[sparse(10_000_000_000)], Some(20 << 30)).unwrap();
    let metadata = fs::metadata(dir.path().join("big")).unwrap();
    assert_eq!(metadata.len(), 10_000_000_000);
    assert!(metadata.blocks() * 512 < 1 << 20);
}

#[test]
fn zeros_become_holes() {
    let dir = tempfile::tempdir().unwrap();
    let content = format!("begin{}", "\0".repeat(3 << 20));
    unpack(dir.path(), &[tar(&[&format!("x={content}")])], None).unwrap();
    let path = dir.path().join("x");
    assert_eq!(fs::read(&path).unwrap(), content.as_bytes());
    assert!(fs::metadata(&path).unwrap().blocks() * 512 < 1 << 20);
}

#[test]
fn limits_and_interruptions_end_it() {
    let dir = tempfile::tempdir().unwrap();
    let layers = [tar(&["a=12345", "b=12345"])];
    let error = unpack(dir.path(), &layers, Some(9)).unwrap_err();
    assert!(matches!(error, UnpackError::TooBig { .. }), "{error}");

    let dir = tempfile::tempdir().unwrap();
    let asked = Cell::new(0);
    let cancelled = || {
        asked.set(asked.get() + 1);
        asked.get() > 1
    };
    let mut unpacker = Unpacker::new(dir.path(), Builder::new(), None, &cancelled).unwrap();
    let mut reader = LayerReader::new(&layers[0][..], "one");
    let error = unpacker.layer(0, "one", 1, &mut reader).unwrap_err();
    assert!(matches!(error, UnpackError::Cancelled), "{error}");
}

#[test]
fn a_full_disk_is_called_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut unpacker = Unpacker::new(dir.path(), Builder::new(), None, &|| false).unwrap();
    unpacker.room = 3;
    let bytes = tar(&["a=12345"]);
    let mut reader = LayerReader::new(&bytes[..], "one");
    let error = unpacker.layer(0, "one", 1, &mut reader).unwrap_err();
    assert!(matches!(error, UnpackError::Full { .. }), "{error}");
    assert!(error.hint().unwrap().contains("XDG_CACHE_HOME"));
}

#[test]
fn faults_name_layer_and_entry() {
    let dir = tempfile::tempdir().unwrap();
    let error = unpack(dir.path(), &[tar(&["a => gone"])], None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "layer 1: /a is a hard link to /gone, which does not exist"
    );
    let mut cut = tar(&["a=12345"]);
    cut.truncate(514);
    let error = unpack(dir.path(), &[cut], None).unwrap_err();
    assert!(
        matches!(&error, UnpackError::Layer(e) if matches!(e.problem, Problem::Truncated(_))),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("damaged"));
}
