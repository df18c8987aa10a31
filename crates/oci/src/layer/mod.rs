//! Reading a layer: a tar stream becomes entries and their content.

mod header;
mod member;
mod pax;
mod problem;
mod sparse;

use std::io::{self, BufReader, Read};

use header::Header;
pub(crate) use member::{Member, Source};
pub use problem::{LayerError, Problem};

use crate::{Entry, ImagePath, Kind, Meta};

/// Linux's longest path and name (`PATH_MAX`, `NAME_MAX`, limits.h).
const MAX_PATH: usize = 4095;
const MAX_NAME: usize = 255;
/// Tars are padded to whole records, usually of 10 KiB. What comes after the
/// end is ignored, as engines do, but not without an end.
const MAX_TRAILING: u64 = 64 << 20;

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Names that AUFS kept for itself; engines skip them.
const AUFS: &[u8] = b".wh..wh.";

/// Reads the entries of a layer, or of any other tar such as a Debian
/// package's data, one after the other.
///
/// ```text
/// while let Some(entry) = reader.next()? {
///     // read_chunk() or content(), or nothing: what is left is skipped
/// }
/// ```
///
/// After the last entry the source has been read to its end, so that a source
/// that checks digests had the chance to refuse.
pub struct LayerReader<R> {
    source: BufReader<Counting<R>>,
    layer: String,
    /// Where in the tar the current entry begins.
    start: u64,
    entry: Option<String>,
    /// Where in the file the next byte is.
    position: u64,
    size: u64,
    /// Regions of data that are not read yet, the next one last.
    regions: Vec<(u64, u64)>,
    /// Content and padding in the tar that are not read yet.
    stored: u64,
    padding: u64,
    finished: bool,
}

/// A piece of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunk {
    /// So many bytes were put into the buffer; at least one.
    Data(usize),
    /// So many zeros come here, which the tar does not store.
    Hole(u64),
    End,
}

impl<R: Read> LayerReader<R> {
    /// `layer` is what errors call it: `layer 2 of 5`.
    pub fn new(source: R, layer: impl Into<String>) -> Self {
        let source = Counting { source, count: 0 };
        Self {
            source: BufReader::with_capacity(64 << 10, source),
            layer: layer.into(),
            start: 0,
            entry: None,
            position: 0,
            size: 0,
            regions: Vec::new(),
            stored: 0,
            padding: 0,
            finished: false,
        }
    }

    /// The next entry; `None` after the last. An error ends the layer.
    #[expect(clippy::should_implement_trait, reason = "it lends its content")]
    pub fn next(&mut self) -> Result<Option<Entry>, LayerError> {
        while !self.finished {
            self.skip_content()?;
            self.start = self.source.get_ref().count - self.source.buffer().len() as u64;
            self.entry = None;
            let Some(member) = Member::read(&mut Stream(&mut self.source))
                .map_err(|problem| self.fail(problem))?
            else {
                self.finished = true;
                self.drain()?;
                return Ok(None);
            };
            self.entry = Some(member.header.path.escape_ascii().to_string());
            self.stored = member.stored;
            self.padding = member.padding;
            self.position = 0;
            self.size = member.header.size;
            self.regions = match &member.sparse {
                Some(map) => map.regions.iter().rev().copied().collect(),
                None => vec![(0, member.stored)],
            };
            if let Some(entry) = entry(member).map_err(|problem| self.fail(problem))? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Where in the tar the current entry begins, with its headers; after the
    /// last one, where that one ends.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// What the entries are read from.
    pub fn source(&self) -> &R {
        &self.source.get_ref().source
    }

    /// The next piece of the current file.
    pub fn read_chunk(&mut self, buffer: &mut [u8]) -> Result<Chunk, LayerError> {
        while let Some((offset, length)) = self.regions.last_mut() {
            if *length == 0 {
                self.regions.pop();
                continue;
            }
            if self.position < *offset {
                let hole = *offset - self.position;
                self.position = *offset;
                return Ok(Chunk::Hole(hole));
            }
            let want = (buffer.len() as u64).min(*length) as usize;
            if want == 0 {
                return Ok(Chunk::Data(0));
            }
            let got = match self.source.read(&mut buffer[..want]) {
                Ok(0) => return Err(self.fail(Problem::Truncated("a file"))),
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.fail(Problem::Read(error))),
            };
            *offset += got as u64;
            *length -= got as u64;
            self.position += got as u64;
            self.stored -= got as u64;
            return Ok(Chunk::Data(got));
        }
        if self.position < self.size {
            let hole = self.size - self.position;
            self.position = self.size;
            return Ok(Chunk::Hole(hole));
        }
        Ok(Chunk::End)
    }

    /// What is left of the current file as a reader, holes as zeros.
    pub fn content(&mut self) -> impl Read + use<'_, R> {
        Content {
            reader: self,
            hole: 0,
        }
    }

    fn skip_content(&mut self) -> Result<(), LayerError> {
        let count = self.stored + self.padding;
        self.stored = 0;
        self.padding = 0;
        self.regions.clear();
        match Stream(&mut self.source).skip(count) {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.fail(Problem::Truncated("a file"))),
            Err(error) => Err(self.fail(Problem::Read(error))),
        }
    }

    /// Reads to the end of the source.
    fn drain(&mut self) -> Result<(), LayerError> {
        let limit = MAX_TRAILING + 1;
        match io::copy(&mut (&mut self.source).take(limit), &mut io::sink()) {
            Ok(count) if count == limit => Err(self.fail(Problem::Trailing(MAX_TRAILING))),
            Ok(_) => Ok(()),
            Err(error) => Err(self.fail(Problem::Read(error))),
        }
    }

    fn fail(&mut self, problem: Problem) -> LayerError {
        self.finished = true;
        LayerError {
            layer: self.layer.clone(),
            entry: self.entry.clone(),
            problem,
        }
    }
}

/// Counts what is read.
struct Counting<R> {
    source: R,
    count: u64,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.count += count as u64;
        Ok(count)
    }
}

/// A stream as a [`Source`].
struct Stream<'a, R>(&'a mut R);

impl<R: Read> Source for Stream<'_, R> {
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.0.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn skip(&mut self, count: u64) -> io::Result<bool> {
        Ok(io::copy(&mut self.0.take(count), &mut io::sink())? == count)
    }
}

struct Content<'a, R> {
    reader: &'a mut LayerReader<R>,
    hole: u64,
}

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.hole > 0 {
                let count = (buffer.len() as u64).min(self.hole) as usize;
                buffer[..count].fill(0);
                self.hole -= count as u64;
                return Ok(count);
            }
            match self.reader.read_chunk(buffer).map_err(io::Error::other)? {
                Chunk::Data(count) => return Ok(count),
                Chunk::Hole(count) => self.hole = count,
                Chunk::End => return Ok(0),
            }
        }
    }
}

/// A member as an entry; `None` for what engines skip.
fn entry(member: Member) -> Result<Option<Entry>, Problem> {
    let header = member.header;
    let path = path("the path", &header.path)?;
    if path
        .components()
        .any(|part| part.starts_with(AUFS) && part != OPAQUE)
    {
        return Ok(None);
    }
    let meta = Meta {
        mode: header.mode,
        uid: owner("owner", header.uid)?,
        gid: owner("group", header.gid)?,
        mtime: header.mtime,
        xattrs: member.extended.xattrs,
    };
    if let Some((path, kind)) = marker(&path)? {
        return Ok(Some(Entry { path, kind, meta }));
    }
    let kind = kind(&header)?;
    if path.is_root() && kind != Kind::Dir {
        return Err(Problem::Root("path"));
    }
    Ok(Some(Entry { path, kind, meta }))
}

/// Whiteouts and opaque markers, whose names say what they are.
fn marker(path: &ImagePath) -> Result<Option<(ImagePath, Kind)>, Problem> {
    let parent = path.parent().unwrap_or_default();
    if parent.components().any(|part| part.starts_with(WHITEOUT)) {
        return Err(Problem::Whiteout);
    }
    if path.name() == OPAQUE {
        return Ok(Some((parent, Kind::Opaque)));
    }
    match path.name().strip_prefix(WHITEOUT) {
        None => Ok(None),
        Some(b"" | b"." | b"..") => Err(Problem::Whiteout),
        Some(name) => Ok(Some((parent.join(name), Kind::Whiteout))),
    }
}

fn kind(header: &Header) -> Result<Kind, Problem> {
    Ok(match header.kind {
        b'0' | b'S' => Kind::File { size: header.size },
        b'1' => {
            let target = path("the hard link's target", &header.link)?;
            if target.is_root() {
                return Err(Problem::Root("hard link's target"));
            }
            Kind::Hardlink { target }
        }
        b'2' => Kind::Symlink {
            target: target(&header.link)?,
        },
        b'3' => Kind::CharDevice {
            major: header.major,
            minor: header.minor,
        },
        b'4' => Kind::BlockDevice {
            major: header.major,
            minor: header.minor,
        },
        b'5' => Kind::Dir,
        b'6' => Kind::Fifo,
        other => return Err(Problem::Type(char::from(other))),
    })
}

/// A path as a tar may have it: relative or absolute, both meant from the
/// image's root, and without any `..`.
fn path(what: &'static str, raw: &[u8]) -> Result<ImagePath, Problem> {
    if raw.split(|b| *b == b'/').any(|part| part == b"..") {
        return Err(Problem::Climbs);
    }
    let path = ImagePath::parse(raw)?;
    let longest = path.components().map(<[u8]>::len).max().unwrap_or(0);
    too_long(what, path.as_bytes().len(), MAX_PATH)?;
    too_long("a name in the path", longest, MAX_NAME)?;
    Ok(path)
}

fn target(raw: &[u8]) -> Result<Vec<u8>, Problem> {
    if raw.is_empty() || raw.contains(&0) {
        return Err(Problem::Target);
    }
    too_long("the symbolic link's target", raw.len(), MAX_PATH)?;
    Ok(raw.to_vec())
}

fn too_long(what: &'static str, size: usize, limit: usize) -> Result<(), Problem> {
    if size <= limit {
        return Ok(());
    }
    Err(Problem::TooLong {
        what,
        size: size as u64,
        limit: limit as u64,
    })
}

fn owner(field: &'static str, id: u64) -> Result<u32, Problem> {
    u32::try_from(id).map_err(|_| Problem::Number {
        field,
        found: id.to_string(),
    })
}

/// Reads a whole tar from memory and counts its entries and their bytes:
/// something for a fuzzer to call.
pub fn read_all(tar: &[u8]) -> Result<(u64, u64), LayerError> {
    let mut reader = LayerReader::new(tar, "layer");
    let mut buffer = [0; 4096];
    let (mut entries, mut bytes) = (0, 0u64);
    while reader.next()?.is_some() {
        entries += 1;
        loop {
            match reader.read_chunk(&mut buffer)? {
                Chunk::Data(count) => bytes = bytes.saturating_add(count as u64),
                Chunk::Hole(count) => bytes = bytes.saturating_add(count),
                Chunk::End => break,
            }
        }
    }
    Ok((entries, bytes))
}

#[cfg(test)]
mod tests;
