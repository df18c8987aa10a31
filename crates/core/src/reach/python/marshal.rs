//! The format in which CPython stores bytecode (`Python/marshal.c`), versions
//! 3.7 to 3.14: read, and brought into one canonical form.
//!
//! What `marshal.dumps` writes depends on the process: an object is marked as
//! one that may be referred to (`FLAG_REF`) if anything else in the process
//! happens to hold it at that moment, and every mark shifts the numbers of
//! later references. The canonical form has a mark where a reference follows
//! and nowhere else, so equal source gives equal bytes.

use std::collections::BTreeSet;

/// Fields of a code object, which may wait besides items of containers.
const MOST_WAITING: usize = 1 << 16;
const FLAG_REF: u8 = 0x80;

/// Why bytes are not a code object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarshalError {
    #[error("the bytecode ends early, at byte {0}")]
    Truncated(usize),
    #[error("byte {at} of the bytecode has the unknown type {kind:#04x}")]
    Kind { at: usize, kind: u8 },
    #[error("byte {0} of the bytecode refers to an object that is not there")]
    Reference(usize),
    #[error("{0} bytes follow the bytecode")]
    Trailing(usize),
}

/// What a code object says about itself.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Code {
    /// The bytes in canonical form.
    pub canonical: Vec<u8>,
    /// `co_filename` of the module.
    pub filename: Option<String>,
    /// The `co_names` of all code objects, in order.
    pub names: Vec<String>,
    /// Strings among the constants.
    pub strings: BTreeSet<String>,
}

/// What is read next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Object(Role),
    /// A 32-bit number of a code object.
    Number,
    /// Objects until `TYPE_NULL`: a dictionary.
    UntilNull,
}

/// What an object is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Other,
    Names,
    Filename,
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    /// Offsets of type bytes with `FLAG_REF`, in order of their numbers, with
    /// the text if the object is one.
    marked: Vec<(usize, Option<String>)>,
    /// Offsets of references and what they refer to.
    references: Vec<(usize, usize)>,
    /// Type bytes to be written differently.
    changed: Vec<(usize, u8)>,
    code: Code,
}

/// Reads a marshalled code object of CPython `version` (major, minor).
///
/// # Errors
/// When the bytes are anything else than one whole object.
pub fn read(bytes: &[u8], version: (u8, u8)) -> Result<Code, MarshalError> {
    let mut reader = Reader {
        bytes,
        at: 0,
        marked: Vec::new(),
        references: Vec::new(),
        changed: Vec::new(),
        code: Code::default(),
    };
    reader.run(version)?;
    if reader.at < bytes.len() {
        return Err(MarshalError::Trailing(bytes.len() - reader.at));
    }
    Ok(reader.finish())
}

impl Reader<'_> {
    fn run(&mut self, version: (u8, u8)) -> Result<(), MarshalError> {
        // The top of the stack is read next.
        let mut todo = vec![Step::Object(Role::Other)];
        while let Some(step) = todo.pop() {
            match step {
                Step::Number => {
                    self.take(4)?;
                }
                Step::UntilNull => {
                    if self.bytes.get(self.at) == Some(&b'0') {
                        self.at += 1;
                    } else {
                        todo.push(Step::UntilNull);
                        todo.push(Step::Object(Role::Other));
                        todo.push(Step::Object(Role::Other));
                    }
                }
                Step::Object(role) => self.object(role, version, &mut todo)?,
            }
        }
        Ok(())
    }

    /// Reads one object's head and simple content; pushes what it holds.
    fn object(
        &mut self,
        role: Role,
        version: (u8, u8),
        todo: &mut Vec<Step>,
    ) -> Result<(), MarshalError> {
        let start = self.at;
        let byte = self.take(1)?[0];
        let kind = byte & !FLAG_REF;
        let mark = (byte & FLAG_REF != 0).then(|| {
            self.marked.push((start, None));
            self.marked.len() - 1
        });
        let mut text = None;
        match kind {
            b'0' | b'N' | b'F' | b'T' | b'S' | b'.' => {}
            b'i' => {
                self.take(4)?;
            }
            b'I' | b'g' => {
                self.take(8)?;
            }
            b'y' => {
                self.take(16)?;
            }
            b'f' => {
                self.short()?;
            }
            b'x' => {
                self.short()?;
                self.short()?;
            }
            b'l' => {
                let digits = self.number()? as i32;
                self.take(digits.unsigned_abs() as usize * 2)?;
            }
            b's' => {
                self.long()?;
            }
            b't' | b'u' | b'a' | b'A' => text = Some(self.long()?),
            b'z' | b'Z' => text = Some(self.short()?),
            b'(' | b'[' | b'<' | b'>' => {
                let count = self.number()? as usize;
                self.items(count, role, todo)?;
            }
            b')' => {
                let count = usize::from(self.take(1)?[0]);
                self.items(count, role, todo)?;
            }
            b'{' => todo.push(Step::UntilNull),
            b':' => self.items(3, Role::Other, todo)?,
            b'c' => todo.extend(layout(version).iter().rev()),
            b'r' => {
                let to = self.number()? as usize;
                let Some((_, text)) = self.marked.get(to) else {
                    return Err(MarshalError::Reference(start));
                };
                self.references.push((start, to));
                if let Some(text) = text.clone() {
                    self.note(role, text);
                }
            }
            kind => return Err(MarshalError::Kind { at: start, kind }),
        }
        if let Some(text) = text {
            let text = String::from_utf8_lossy(text).into_owned();
            // Strings of one character are the same object everywhere, and
            // interned or not by chance.
            if text.chars().take(2).count() < 2 && text.chars().all(|c| c < '\u{100}') {
                let interned = match kind {
                    b'a' => b'A',
                    b'z' => b'Z',
                    b'u' => b't',
                    other => other,
                };
                self.changed.push((start, interned));
            }
            if let Some(mark) = mark {
                self.marked[mark].1 = Some(text.clone());
            }
            self.note(role, text);
        }
        Ok(())
    }

    fn note(&mut self, role: Role, text: String) {
        match role {
            Role::Names => self.code.names.push(text),
            // The module's own comes last: its code object ends last.
            Role::Filename => self.code.filename = Some(text),
            Role::Other => {
                self.code.strings.insert(text);
            }
        }
    }

    /// Content of a container: no more items than bytes are left.
    fn items(
        &mut self,
        count: usize,
        role: Role,
        todo: &mut Vec<Step>,
    ) -> Result<(), MarshalError> {
        if count > self.bytes.len() - self.at {
            return Err(MarshalError::Truncated(self.bytes.len()));
        }
        // Every item that waits takes a byte at least.
        if todo.len() + count > self.bytes.len() + MOST_WAITING {
            return Err(MarshalError::Truncated(self.bytes.len()));
        }
        todo.extend(std::iter::repeat_n(Step::Object(role), count));
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<&[u8], MarshalError> {
        let end = self
            .at
            .checked_add(count)
            .filter(|end| *end <= self.bytes.len())
            .ok_or(MarshalError::Truncated(self.bytes.len()))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, MarshalError> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn long(&mut self) -> Result<&[u8], MarshalError> {
        let length = self.number()? as usize;
        self.take(length)
    }

    fn short(&mut self) -> Result<&[u8], MarshalError> {
        let length = usize::from(self.take(1)?[0]);
        self.take(length)
    }

    /// Writes the canonical form: marks only where a reference follows.
    fn finish(mut self) -> Code {
        let mut bytes = self.bytes.to_vec();
        for (at, kind) in &self.changed {
            bytes[*at] = bytes[*at] & FLAG_REF | kind;
        }
        let used: BTreeSet<usize> = self.references.iter().map(|(_, to)| *to).collect();
        let mut numbers = vec![0_u32; self.marked.len()];
        let mut next = 0;
        for (i, (at, _)) in self.marked.iter().enumerate() {
            if used.contains(&i) {
                numbers[i] = next;
                next += 1;
            } else {
                bytes[*at] &= !FLAG_REF;
            }
        }
        for (at, to) in &self.references {
            bytes[at + 1..at + 5].copy_from_slice(&numbers[*to].to_le_bytes());
        }
        self.code.canonical = bytes;
        self.code
    }
}

/// The fields of a code object, in order.
fn layout(version: (u8, u8)) -> &'static [Step] {
    use Role::{Filename, Names, Other};
    use Step::{Number, Object};
    if version >= (3, 11) {
        // argcount, posonlyargcount, kwonlyargcount, stacksize, flags; code,
        // consts, names, localsplusnames, localspluskinds, filename, name,
        // qualname; firstlineno; linetable, exceptiontable.
        &[
            Number,
            Number,
            Number,
            Number,
            Number,
            Object(Other),
            Object(Other),
            Object(Names),
            Object(Other),
            Object(Other),
            Object(Filename),
            Object(Other),
            Object(Other),
            Number,
            Object(Other),
            Object(Other),
        ]
    } else if version >= (3, 8) {
        // argcount, posonlyargcount, kwonlyargcount, nlocals, stacksize,
        // flags; code, consts, names, varnames, freevars, cellvars, filename,
        // name; firstlineno; lnotab.
        &[
            Number,
            Number,
            Number,
            Number,
            Number,
            Number,
            Object(Other),
            Object(Other),
            Object(Names),
            Object(Other),
            Object(Other),
            Object(Other),
            Object(Filename),
            Object(Other),
            Number,
            Object(Other),
        ]
    } else {
        // Without posonlyargcount.
        &[
            Number,
            Number,
            Number,
            Number,
            Number,
            Object(Other),
            Object(Other),
            Object(Names),
            Object(Other),
            Object(Other),
            Object(Other),
            Object(Filename),
            Object(Other),
            Number,
            Object(Other),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unused_marks_go_and_numbers_close_up() {
        // ("ab", "cd", ref 1), all marked: only "cd" is referred to.
        let bytes = b"\xa9\x03\xfa\x02ab\xfa\x02cdr\x02\x00\x00\x00";
        let code = read(bytes, (3, 11)).unwrap();
        assert_eq!(code.canonical, b")\x03z\x02ab\xfa\x02cdr\x00\x00\x00\x00");
        assert_eq!(
            read(&code.canonical, (3, 11)).unwrap().canonical,
            code.canonical
        );
    }

    #[test]
    fn single_characters_are_interned() {
        assert_eq!(read(b"z\x01x", (3, 11)).unwrap().canonical, b"Z\x01x");
        assert_eq!(read(b"a\0\0\0\0", (3, 11)).unwrap().canonical, b"A\0\0\0\0");
    }

    #[test]
    fn a_whole_code_object() {
        // `import os`, written by CPython 3.11 for a file called "f.py".
        let mut bytes = b"\xe3".to_vec();
        bytes.extend([0_u8; 20]);
        bytes.extend(b"s\x02\0\0\0\x97\0");
        bytes.extend(b")\x02i\0\0\0\0N");
        bytes.extend(b")\x01\xda\x02os");
        bytes.extend(b")\0s\0\0\0\0");
        bytes.extend(b"\xda\x04f.py\xda\x08<module>r\x03\0\0\0");
        bytes.extend([1, 0, 0, 0]);
        bytes.extend(b"s\x01\0\0\0\xf0s\0\0\0\0");
        let code = read(&bytes, (3, 11)).unwrap();
        assert_eq!(code.filename.as_deref(), Some("f.py"));
        assert_eq!(code.names, ["os"]);
        assert_eq!(code.canonical[0], b'c');
    }

    #[test]
    fn rubbish_is_refused() {
        for (bytes, version) in [
            (&b""[..], (3, 11)),
            (b"(\xff\xff\xff\xff", (3, 11)),
            (b"r\x05\0\0\0", (3, 11)),
            (b"\x01", (3, 11)),
            (b"NN", (3, 11)),
            (b"{", (3, 8)),
            (b"l\xff\xff\xff\x7f", (3, 7)),
        ] {
            assert!(read(bytes, version).is_err(), "{bytes:?}");
        }
        // Deep, but flat on the stack.
        assert!(read(&b")\x01".repeat(100_000), (3, 11)).is_err());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            for version in [(3, 7), (3, 9), (3, 13)] {
                let _ = read(&bytes, version);
            }
        }
    }
}
