//! The members of a tar: header blocks together with the extensions that
//! stand before them.

use super::header::{BLOCK, Block, Header};
use super::pax::{self, Extended};
use super::problem::Problem;
use super::sparse;

/// Longest extended header. Linux allows 64 KiB of extended attributes for a
/// file; names and paths are 4 KiB each.
const MAX_EXTENSION: u64 = 1 << 20;
/// Most extension headers before one entry: GNU tar writes two.
const MAX_EXTENSIONS: u32 = 16;

/// Where a tar's bytes come from. A stream reads what it skips; a file need
/// not.
pub trait Source {
    /// Fills `buffer`; returns how many bytes there were, fewer only at the
    /// end.
    fn fill(&mut self, buffer: &mut [u8]) -> std::io::Result<usize>;
    /// Leaves out `count` bytes; false if the source ends before.
    fn skip(&mut self, count: u64) -> std::io::Result<bool>;
}

/// A member with its extensions merged into the header.
#[derive(Debug)]
pub struct Member {
    pub header: Header,
    pub extended: Extended,
    /// The map of a sparse file.
    pub sparse: Option<sparse::Map>,
    /// Bytes of content in the tar, without padding.
    pub stored: u64,
    /// Bytes between the content and the next header.
    pub padding: u64,
}

impl Member {
    /// Reads up to the content of the next member; `None` at the end of the
    /// tar.
    pub fn read(source: &mut impl Source) -> Result<Option<Self>, Problem> {
        let mut extended = Extended::default();
        let mut extensions = 0;
        loop {
            let Some(block) = block(source)? else {
                return if extensions == 0 {
                    Ok(None)
                } else {
                    Err(Problem::Truncated("an extended header"))
                };
            };
            let Some(header) = Header::parse(&block)? else {
                return end(source).map(|()| None);
            };
            match header.kind {
                b'x' => pax::read(&content(source, header.size)?, &mut extended)?,
                b'L' => extended.path = Some(c_string(content(source, header.size)?)),
                b'K' => extended.link = Some(c_string(content(source, header.size)?)),
                // Of the global header, git's comment is the only known use,
                // and Go's reader, hence every engine, ignores it too.
                b'g' => drop(content(source, header.size)?),
                _ => return Self::assemble(source, &block, header, extended).map(Some),
            }
            extensions += 1;
            if extensions > MAX_EXTENSIONS {
                return Err(Problem::Headers(MAX_EXTENSIONS));
            }
        }
    }

    fn assemble(
        source: &mut impl Source,
        block: &Block,
        mut header: Header,
        mut extended: Extended,
    ) -> Result<Self, Problem> {
        if let Some(path) = extended.sparse.name.take().or(extended.path.take()) {
            header.path = path;
        }
        if let Some(link) = extended.link.take() {
            header.link = link;
        }
        header.size = extended.size.unwrap_or(header.size);
        if header.size > i64::MAX as u64 {
            return Err(Problem::TooLong {
                what: "the content",
                size: header.size,
                limit: i64::MAX as u64,
            });
        }
        header.uid = extended.uid.unwrap_or(header.uid);
        header.gid = extended.gid.unwrap_or(header.gid);
        header.mtime = extended.mtime.unwrap_or(header.mtime);
        // Old tars wrote folders as files whose name ends in a slash.
        if matches!(header.kind, 0 | b'0' | b'7' | b'S') {
            header.kind = match header.path.last() {
                Some(b'/') if header.kind == 0 => b'5',
                _ if header.kind == b'S' => b'S',
                _ => b'0',
            };
        }
        // Only files have content, whatever the size field says (as in Go's
        // reader).
        let mut stored = if matches!(header.kind, b'0' | b'S') {
            header.size
        } else {
            0
        };
        let padding = stored.next_multiple_of(BLOCK as u64) - stored;
        let sparse = sparse_map(source, block, &header, &extended, &mut stored)?;
        if let Some(map) = &sparse {
            header.size = map.size;
        }
        Ok(Self {
            header,
            extended,
            sparse,
            stored,
            padding,
        })
    }
}

/// The map of a sparse file in any of its four notations. One that stands in
/// the content is taken off `stored`.
fn sparse_map(
    source: &mut impl Source,
    block: &Block,
    header: &Header,
    extended: &Extended,
    stored: &mut u64,
) -> Result<Option<sparse::Map>, Problem> {
    let records = &extended.sparse;
    if header.kind == b'S' {
        let mut regions = Vec::new();
        let mut more = sparse::old_header(block, &mut regions)?;
        while more {
            more = sparse::old_extension(&whole_block(source, "a sparse map")?, &mut regions)?;
        }
        return sparse::Map::new(regions, sparse::old_size(block)?, *stored).map(Some);
    }
    if header.kind != b'0' {
        return Ok(None);
    }
    match (records.major, records.size) {
        (Some(1), Some(size)) => {
            let (regions, blocks) = sparse::new_map(|| whole_block(source, "a sparse map"))?;
            *stored = stored
                .checked_sub(blocks * BLOCK as u64)
                .ok_or(Problem::Sparse("it is longer than the content"))?;
            sparse::Map::new(regions, size, *stored).map(Some)
        }
        (Some(1), None) => Err(Problem::Sparse("the size of the file is not given")),
        (_, Some(size)) => {
            sparse::Map::new(sparse::Map::pairs(&records.map)?, size, *stored).map(Some)
        }
        (_, None) => Ok(None),
    }
}

/// The next block; `None` if the source ends here.
fn block(source: &mut impl Source) -> Result<Option<Block>, Problem> {
    let mut block = [0; BLOCK];
    match source.fill(&mut block).map_err(Problem::Read)? {
        BLOCK => Ok(Some(block)),
        0 => Ok(None),
        _ => Err(Problem::Truncated("a header")),
    }
}

fn whole_block(source: &mut impl Source, what: &'static str) -> Result<Block, Problem> {
    block(source)?.ok_or(Problem::Truncated(what))
}

/// After one block of zeros there must be another, or nothing.
fn end(source: &mut impl Source) -> Result<(), Problem> {
    match block(source)? {
        None => Ok(()),
        Some(block) if block.iter().all(|b| *b == 0) => Ok(()),
        Some(_) => Err(Problem::Checksum),
    }
}

/// The whole content of an extension header, padding taken off.
fn content(source: &mut impl Source, size: u64) -> Result<Vec<u8>, Problem> {
    if size > MAX_EXTENSION {
        return Err(Problem::TooLong {
            what: "an extended header",
            size,
            limit: MAX_EXTENSION,
        });
    }
    let mut bytes = vec![0; (size as usize).next_multiple_of(BLOCK)];
    if source.fill(&mut bytes).map_err(Problem::Read)? != bytes.len() {
        return Err(Problem::Truncated("an extended header"));
    }
    bytes.truncate(size as usize);
    Ok(bytes)
}

fn c_string(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.iter().position(|b| *b == 0) {
        bytes.truncate(end);
    }
    bytes
}
