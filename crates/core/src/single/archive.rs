//! The archive behind an executable: a tree of files that its own runtime
//! shows to the interpreter. `runtime/archive.h` is the same format for the
//! reader; every number is little endian.

use std::collections::BTreeMap;
use std::io;

use rayon::prelude::*;
use whit_oci::{ImagePath, Meta};

use super::executable;
use crate::transform::Content;

/// Bytes of bytecode that lie together. What is imported together is unpacked
/// once, as two frames; larger ones save hardly more.
const BYTECODE_BLOCK: u64 = 2 * SEVERAL;
/// Other files are read one at a time.
const DATA_BLOCK: u64 = 32 << 10;
/// zstd's slowest level without long windows: packing is done once.
const LEVEL: i32 = 19;
/// More bytes are compressed as an even number of frames, which two threads
/// unpack (`runtime/frames.c`).
const SEVERAL: u64 = 1 << 20;
/// As large as a frame gets: what one finds in another is lost.
const FRAME: u64 = 4 << 20;
/// Where a block begins that is mapped from the file or copied as it is.
const PAGE: u64 = 4096;

const HEADER: u64 = 8 + 10 * 4 + 6 * 8;
const NOWHERE: u32 = u32::MAX;

const KERNEL_FIRST: u8 = 1;
const CLOSED_DIR: u8 = 2;
const CLOSED: u32 = 1;

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberKind {
    /// `closed`: nothing but the archive has files in this folder.
    Dir {
        closed: bool,
    },
    File(Content),
    Link(Vec<u8>),
    /// An extension module that is linked in, by its number.
    Module(u32),
    /// The executable itself.
    Interpreter,
}

/// One file of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub kind: MemberKind,
    pub meta: Meta,
    /// A file of this name in the real file system wins: the user's own files
    /// can be replaced by mounts.
    pub kernel_first: bool,
    /// Runs were seen to read it.
    pub hot: bool,
}

/// How an executable behaves that does not know its place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manner {
    /// What closed folders lack is not asked of the kernel: the host's files of
    /// the same names are none of the app's.
    pub closed: bool,
    /// What the executable starts; empty where it is the interpreter.
    pub command: Vec<String>,
    /// The app's own folder, in which relative paths are found.
    pub workdir: String,
    /// `NAME=VALUE`, for variables that are not set.
    pub variables: Vec<String>,
}

/// Smaller, or faster to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Packing {
    #[default]
    Small,
    /// Nothing is compressed.
    Stored,
}

/// Files whose content is compressed together.
struct Block<'a> {
    members: Vec<(usize, &'a Content)>,
    size: u64,
}

/// One block as it lies in the archive.
struct Packed {
    bytes: Vec<u8>,
    size: u64,
}

/// The archive of `members`, by path.
///
/// # Errors
/// If a content cannot be read, or the archive gets larger than the format can
/// say (4 GiB in one file).
pub fn write(
    members: &BTreeMap<ImagePath, Member>,
    manner: &Manner,
    packing: Packing,
) -> io::Result<Vec<u8>> {
    let order: Vec<(&ImagePath, &Member)> = members.iter().collect();
    let blocks = blocks(&order)?;
    let packed: Vec<Packed> = blocks
        .par_iter()
        .map(|block| pack(block, packing))
        .collect::<io::Result<_>>()?;

    let mut places = vec![(NOWHERE, 0_u32, 0_u64); order.len()];
    for (number, block) in blocks.iter().enumerate() {
        let mut offset = 0;
        for (member, content) in &block.members {
            let size = length(content)?;
            places[*member] = (small(number as u64)?, small(offset)?, size);
            offset += size;
        }
    }

    let mut texts = Texts::default();
    let command = small(texts.bytes.len() as u64)?;
    for word in &manner.command {
        texts.put(word.as_bytes())?;
    }
    let workdir = texts.put(manner.workdir.as_bytes())?;
    let variables = small(texts.bytes.len() as u64)?;
    for variable in &manner.variables {
        texts.put(variable.as_bytes())?;
    }
    let children = children(&order);
    let mut child_list: Vec<u8> = Vec::new();
    let mut entries: Vec<u8> = Vec::new();
    for (number, (path, member)) in order.iter().enumerate() {
        let path_bytes = absolute(path);
        let name = texts.put(&path_bytes)?;
        let mut flags = match member.kernel_first {
            true => KERNEL_FIRST,
            false => 0,
        };
        let (kind, block, offset, size) = match &member.kind {
            MemberKind::Dir { closed } => {
                if *closed {
                    flags |= CLOSED_DIR;
                }
                let first = small(child_list.len() as u64 / 4)?;
                let own = children.get(*path).map_or(&[][..], Vec::as_slice);
                for child in own {
                    child_list.extend(small(*child as u64)?.to_le_bytes());
                }
                (0_u8, first, small(own.len() as u64)?, 0)
            }
            MemberKind::File(_) => {
                let (block, offset, size) = places[number];
                (1, block, offset, size)
            }
            MemberKind::Link(target) => (2, texts.put(target)?, 0, target.len() as u64),
            MemberKind::Module(module) => (3, *module, 0, 0),
            MemberKind::Interpreter => (4, NOWHERE, 0, 0),
        };
        entries.extend(name.to_le_bytes());
        let length = u16::try_from(path_bytes.len()).map_err(io::Error::other)?;
        entries.extend(length.to_le_bytes());
        entries.extend([kind, flags]);
        let meta = &member.meta;
        for field in [meta.mode & 0o7777, meta.uid, meta.gid, block, offset, 0] {
            entries.extend(field.to_le_bytes());
        }
        entries.extend(size.to_le_bytes());
        entries.extend(meta.mtime.to_le_bytes());
    }
    let buckets = buckets(&order);

    let at_buckets = HEADER + entries.len() as u64;
    let at_blocks = (at_buckets + buckets.len() as u64 * 4).next_multiple_of(8);
    let at_children = at_blocks + packed.len() as u64 * 16;
    let at_texts = at_children + child_list.len() as u64;
    let at_content = (at_texts + texts.bytes.len() as u64).next_multiple_of(PAGE);
    let mut table: Vec<u8> = Vec::new();
    let mut content: Vec<u8> = Vec::new();
    for block in &packed {
        if packing == Packing::Stored && block.size >= PAGE {
            content.resize(content.len().next_multiple_of(PAGE as usize), 0);
        }
        table.extend((content.len() as u64).to_le_bytes());
        table.extend(small(block.bytes.len() as u64)?.to_le_bytes());
        table.extend(small(block.size)?.to_le_bytes());
        content.extend(&block.bytes);
    }

    let mut archive: Vec<u8> = executable::MAGIC.to_vec();
    let numbers = [
        if manner.closed { CLOSED } else { 0 },
        small(order.len() as u64)?,
        small(buckets.len() as u64)?,
        small(packed.len() as u64)?,
        command,
        small(manner.command.len() as u64)?,
        workdir,
        small(child_list.len() as u64 / 4)?,
        variables,
        small(manner.variables.len() as u64)?,
    ];
    for number in numbers {
        archive.extend(number.to_le_bytes());
    }
    let size = at_content + content.len() as u64;
    for offset in [
        at_buckets,
        at_blocks,
        at_children,
        at_texts,
        at_content,
        size,
    ] {
        archive.extend(offset.to_le_bytes());
    }
    archive.extend(&entries);
    for bucket in buckets {
        archive.extend(bucket.to_le_bytes());
    }
    archive.resize(at_blocks as usize, 0);
    archive.extend(&table);
    archive.extend(&child_list);
    archive.extend(&texts.bytes);
    archive.resize(at_content as usize, 0);
    archive.extend(&content);
    Ok(archive)
}

/// Strings that end with NUL, each once.
#[derive(Default)]
struct Texts {
    bytes: Vec<u8>,
}

impl Texts {
    fn put(&mut self, text: &[u8]) -> io::Result<u32> {
        let at = small(self.bytes.len() as u64)?;
        self.bytes.extend(text);
        self.bytes.push(0);
        Ok(at)
    }
}

/// Bytecode that runs read comes first, then the rest by path, which puts
/// packages together; then everything else.
fn blocks<'a>(order: &[(&'a ImagePath, &'a Member)]) -> io::Result<Vec<Block<'a>>> {
    let mut files: Vec<(bool, bool, usize, &Content)> = Vec::new();
    for (number, (path, member)) in order.iter().enumerate() {
        if let MemberKind::File(content) = &member.kind {
            let is_data = !matches!(path.extension(), Some(b"pyc" | b"py"));
            files.push((is_data, !member.hot, number, content));
        }
    }
    files.sort_by_key(|(is_data, is_cold, number, _)| (*is_data, *is_cold, *number));
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut last = None;
    for (is_data, is_cold, number, content) in files {
        let size = length(content)?;
        let most = match is_data {
            true => DATA_BLOCK,
            false => BYTECODE_BLOCK,
        };
        let class = (is_data, is_cold);
        match blocks.last_mut() {
            Some(block) if last == Some(class) && block.size + size <= most => {
                block.size += size;
                block.members.push((number, content));
            }
            _ => blocks.push(Block {
                members: vec![(number, content)],
                size,
            }),
        }
        last = Some(class);
    }
    Ok(blocks)
}

fn pack(block: &Block<'_>, packing: Packing) -> io::Result<Packed> {
    let mut plain = Vec::with_capacity(block.size as usize);
    for (_, content) in &block.members {
        match content {
            Content::Host(host) => plain.extend(std::fs::read(host)?),
            Content::Bytes(bytes) => plain.extend(bytes.as_ref()),
        }
    }
    let size = plain.len() as u64;
    if packing == Packing::Stored {
        return Ok(Packed { bytes: plain, size });
    }
    let compressed = frames(&plain)?;
    // A plain block is known by its equal sizes.
    let bytes = match compressed.len() < plain.len() {
        true => compressed,
        false => plain,
    };
    Ok(Packed { bytes, size })
}

/// Frames of zstd, one behind the other.
pub fn frames(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut frames = Vec::new();
    for frame in plain.chunks(frame_size(plain.len() as u64) as usize) {
        frames.extend(zstd::bulk::compress(frame, LEVEL)?);
    }
    Ok(frames)
}

/// Bytes in each frame of content of this size; whole pages if there are several.
fn frame_size(size: u64) -> u64 {
    match size > SEVERAL {
        true => size
            .div_ceil(2 * size.div_ceil(2 * FRAME))
            .next_multiple_of(PAGE),
        false => size.max(1),
    }
}

fn length(content: &Content) -> io::Result<u64> {
    Ok(match content {
        Content::Host(host) => host.metadata()?.len(),
        Content::Bytes(bytes) => bytes.len() as u64,
    })
}

/// The members in each folder, by number.
fn children<'a>(order: &[(&'a ImagePath, &'a Member)]) -> BTreeMap<ImagePath, Vec<usize>> {
    let mut children: BTreeMap<ImagePath, Vec<usize>> = BTreeMap::new();
    for (number, (path, _)) in order.iter().enumerate() {
        if let Some(parent) = path.parent().filter(|_| !path.is_root()) {
            children.entry(parent).or_default().push(number);
        }
    }
    children
}

/// The path as programs write it.
fn absolute(path: &ImagePath) -> Vec<u8> {
    [b"/", path.as_bytes()].concat()
}

/// A hash table with open addressing, at most half full: number of the entry
/// and one, or 0.
fn buckets(order: &[(&ImagePath, &Member)]) -> Vec<u32> {
    let size = (order.len().max(1) * 2).next_power_of_two();
    let mut buckets = vec![0_u32; size];
    for (number, (path, _)) in order.iter().enumerate() {
        let mut at = hash(&absolute(path)) as usize & (size - 1);
        while buckets[at] != 0 {
            at = (at + 1) & (size - 1);
        }
        buckets[at] = number as u32 + 1;
    }
    buckets
}

/// FNV-1a, 32 bits (draft-eastlake-fnv).
fn hash(path: &[u8]) -> u32 {
    path.iter().fold(2_166_136_261, |value, byte| {
        (value ^ u32::from(*byte)).wrapping_mul(16_777_619)
    })
}

fn small(number: u64) -> io::Result<u32> {
    u32::try_from(number).map_err(|_| io::Error::other("an archive member is larger than 4 GiB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(kind: MemberKind) -> Member {
        Member {
            kind,
            meta: Meta {
                mode: 0o644,
                mtime: 7,
                ..Meta::default()
            },
            kernel_first: false,
            hot: false,
        }
    }

    fn file(text: &str) -> Member {
        member(MemberKind::File(Content::Bytes(text.as_bytes().into())))
    }

    fn members() -> BTreeMap<ImagePath, Member> {
        let mut members: BTreeMap<ImagePath, Member> = [
            ("", member(MemberKind::Dir { closed: false })),
            ("lib", member(MemberKind::Dir { closed: true })),
            ("lib/a.pyc", file("a")),
            ("lib/b.so", member(MemberKind::Module(3))),
            ("lib/c", member(MemberKind::Link(b"/lib/a.pyc".to_vec()))),
            ("lib/long.txt", file(&"long ".repeat(20_000))),
        ]
        .map(|(path, member)| (ImagePath::from(path), member))
        .into();
        if let Some(hot) = members.get_mut(&ImagePath::from("lib/long.txt")) {
            hot.hot = true;
        }
        members
    }

    /// The reader's view, as `runtime/archive.h` has it.
    struct Reader<'a>(&'a [u8]);

    impl Reader<'_> {
        fn u32(&self, at: u64) -> u32 {
            u32::from_le_bytes(self.0[at as usize..][..4].try_into().unwrap())
        }

        fn u64(&self, at: u64) -> u64 {
            u64::from_le_bytes(self.0[at as usize..][..8].try_into().unwrap())
        }

        fn text(&self, at: u32) -> &[u8] {
            let text = &self.0[(self.u64(72) + u64::from(at)) as usize..];
            &text[..memchr::memchr(0, text).unwrap()]
        }

        /// Where the entry of a path is, by the hash table.
        fn find(&self, path: &str) -> Option<u64> {
            let (buckets, mask) = (self.u64(48), self.u32(16) - 1);
            let mut at = hash(path.as_bytes()) & mask;
            loop {
                let number = self.u32(buckets + u64::from(at) * 4);
                let entry = HEADER + u64::from(number.checked_sub(1)?) * 48;
                if self.text(self.u32(entry)) == path.as_bytes() {
                    return Some(entry);
                }
                at = (at + 1) & mask;
            }
        }

        fn content(&self, path: &str) -> Vec<u8> {
            let entry = self.find(path).unwrap();
            let block = self.u64(56) + u64::from(self.u32(entry + 20)) * 16;
            let at = (self.u64(80) + self.u64(block)) as usize;
            let stored = &self.0[at..][..self.u32(block + 8) as usize];
            let size = self.u32(block + 12) as usize;
            let plain = match stored.len() == size {
                true => stored.to_vec(),
                false => zstd::bulk::decompress(stored, size).unwrap(),
            };
            let offset = self.u32(entry + 24) as usize;
            plain[offset..][..self.u64(entry + 32) as usize].to_vec()
        }
    }

    #[test]
    fn every_path_is_found_with_its_content() {
        for packing in [Packing::Small, Packing::Stored] {
            let archive = write(&members(), &Manner::default(), packing).unwrap();
            let reader = Reader(&archive);
            assert_eq!(&archive[..8], b"WHITARC1");
            assert_eq!(reader.u64(88), archive.len() as u64);
            assert_eq!(reader.content("/lib/a.pyc"), b"a");
            assert_eq!(reader.content("/lib/long.txt").len(), 100_000);
            assert!(reader.find("/lib/d").is_none());
            let module = reader.find("/lib/b.so").unwrap();
            assert_eq!(
                (archive[module as usize + 6], reader.u32(module + 20)),
                (3, 3)
            );
            let link = reader.find("/lib/c").unwrap();
            assert_eq!(reader.text(reader.u32(link + 20)), b"/lib/a.pyc");
            let folder = reader.find("/lib").unwrap();
            assert_eq!(archive[folder as usize + 7], CLOSED_DIR);
            assert_eq!(reader.u32(folder + 24), 4);
        }
    }

    #[test]
    fn large_content_is_an_even_number_of_frames_of_whole_pages() {
        for size in [1, PAGE, SEVERAL] {
            assert_eq!(size.div_ceil(frame_size(size)), 1);
        }
        for (size, count) in [
            (SEVERAL + 1, 2),
            (2 * FRAME, 2),
            (2 * FRAME + 1, 4),
            (10 * FRAME, 10),
        ] {
            assert_eq!(size.div_ceil(frame_size(size)), count);
            assert_eq!(frame_size(size) % PAGE, 0);
        }
        let large = file(&"content ".repeat(700_000));
        let members = [(ImagePath::from("large"), large)].into();
        let archive = write(&members, &Manner::default(), Packing::Small).unwrap();
        let second = memchr::memmem::rfind(&archive, &0xFD2F_B528_u32.to_le_bytes()).unwrap();
        let first = memchr::memmem::find(&archive, &0xFD2F_B528_u32.to_le_bytes()).unwrap();
        assert!(first < second, "one frame only");
        assert_eq!(Reader(&archive).content("/large").len(), 5_600_000);
    }

    #[test]
    fn the_same_members_give_the_same_bytes() {
        let manner = Manner {
            closed: true,
            command: vec!["/bin/app".to_owned(), "serve".to_owned()],
            workdir: "/app".to_owned(),
            variables: vec!["MODE=test".to_owned()],
        };
        let once = write(&members(), &manner, Packing::Small).unwrap();
        assert_eq!(once, write(&members(), &manner, Packing::Small).unwrap());
        let reader = Reader(&once);
        assert_eq!((reader.u32(8), reader.u32(28)), (CLOSED, 2));
        assert_eq!(reader.text(reader.u32(24)), b"/bin/app");
        assert_eq!(reader.text(reader.u32(32)), b"/app");
        assert_eq!(reader.text(reader.u32(40)), b"MODE=test");
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        let gone = Content::Host("/no/such/file".into());
        let members = [(ImagePath::from("a"), member(MemberKind::File(gone)))].into();
        assert!(write(&members, &Manner::default(), Packing::Small).is_err());
    }
}
