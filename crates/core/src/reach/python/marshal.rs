//! The format in which CPython stores bytecode (`Python/marshal.c`), versions
//! 3.7 to 3.14: read, and brought into one canonical form.
//!
//! What `marshal.dumps` writes depends on the process: an object is marked as
//! one that may be referred to (`FLAG_REF`) if anything else in the process
//! happens to hold it at that moment, every mark shifts the numbers of later
//! references, and whether two equal strings are one object depends on which
//! strings the process had interned before; so does the order within constant
//! sets. In the canonical form equal strings are one object, interned if one of
//! them was, so are equal `bytes` (instructions and tables of functions that are
//! alike) and equal sets, whose items are sorted; and marks stand where a
//! reference follows and nowhere else: equal source gives equal bytes.
//!
//! All of these are immutable, and Python promises nothing about the identity
//! of equal ones. Equal tuples need no care: the compiler merges them.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use super::lines;

/// Fields of a code object, which may wait besides items of containers.
const MOST_WAITING: usize = 1 << 16;
const FLAG_REF: u8 = 0x80;
/// Bytes objects up to this length are written again. A reference has five
/// bytes and a number of its own, which compresses worse than a short repeat:
/// measured on an example's library, 24 gives the smallest layer.
const SHORT_BYTES: usize = 24;

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
    Lines,
    Names,
    Filename,
}

/// A piece of the stream, for writing it again.
#[derive(Debug, Clone, Copy)]
enum Piece {
    /// Bytes that stay as they are.
    Plain { start: usize },
    /// The type byte of an object with a mark; its other bytes are plain.
    Marked { start: usize, mark: usize },
    /// A string or bytes object: position in `texts`.
    Text { text: usize },
    /// A reference to a mark on something else.
    Reference { mark: usize },
    /// A constant set of simple things: position in `sets`.
    Set { set: usize },
    /// An item of such a set, written with it.
    Gone,
}

/// What a mark is on.
#[derive(Debug, Clone, Copy)]
enum Target {
    Text(usize),
    Set(usize),
    Other,
}

/// An item of a constant set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Item<'b> {
    /// A string or bytes object, by content first so that the order does not
    /// depend on positions.
    Text(Cow<'b, [u8]>, Form, usize),
    /// Anything else that is simple, as written, without a mark.
    Plain(Vec<u8>),
}

/// A distinct constant set.
#[derive(Debug)]
struct Set<'b> {
    items: Vec<Item<'b>>,
    count: u32,
}

/// What the bytes of a [`Text`] stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Form {
    Bytes,
    Ascii,
    /// UTF-8, with surrogates.
    Unicode,
}

/// A distinct string or bytes object.
#[derive(Debug, Clone)]
struct Text<'b> {
    bytes: Cow<'b, [u8]>,
    form: Form,
    interned: bool,
    /// How many times it occurs, references included.
    count: u32,
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    marks: Vec<Target>,
    texts: Vec<Text<'b>>,
    by_bytes: HashMap<(Cow<'b, [u8]>, Form), usize>,
    /// Pieces that begin a constant set, and how many items it has.
    frozen: Vec<(usize, usize)>,
    sets: Vec<Set<'b>>,
    columns: Columns,
    /// In order, without gaps.
    pieces: Vec<Piece>,
    /// Where each piece ends.
    ends: Vec<usize>,
    code: Code,
}

/// Whether the canonical form tells the columns of instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    Keep,
    /// Lines alone, see [`super::lines`]; before 3.11 there is nothing else.
    Drop,
}

/// Reads a marshalled code object of CPython `version` (major, minor).
///
/// # Errors
/// When the bytes are anything else than one whole object.
pub fn read(bytes: &[u8], version: (u8, u8), columns: Columns) -> Result<Code, MarshalError> {
    let mut reader = Reader {
        bytes,
        at: 0,
        marks: Vec::new(),
        texts: Vec::new(),
        by_bytes: HashMap::new(),
        frozen: Vec::new(),
        sets: Vec::new(),
        columns,
        pieces: Vec::new(),
        ends: Vec::new(),
        code: Code::default(),
    };
    reader.run(version)?;
    if reader.at < bytes.len() {
        return Err(MarshalError::Trailing(bytes.len() - reader.at));
    }
    Ok(reader.finish())
}

impl<'b> Reader<'b> {
    fn run(&mut self, version: (u8, u8)) -> Result<(), MarshalError> {
        // The top of the stack is read next.
        let mut todo = vec![Step::Object(Role::Other)];
        while let Some(step) = todo.pop() {
            match step {
                Step::Number => {
                    self.pieces.push(Piece::Plain { start: self.at });
                    self.take(4)?;
                    self.ends.push(self.at);
                }
                Step::UntilNull => {
                    if self.bytes.get(self.at) == Some(&b'0') {
                        self.pieces.push(Piece::Plain { start: self.at });
                        self.at += 1;
                        self.ends.push(self.at);
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
            self.marks.push(Target::Other);
            self.marks.len() - 1
        });
        let piece = self.pieces.len();
        self.pieces.push(match mark {
            Some(mark) => Piece::Marked { start, mark },
            None => Piece::Plain { start },
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
            b's' | b't' | b'u' | b'a' | b'A' => text = Some(self.long()?),
            b'z' | b'Z' => text = Some(self.short()?),
            b'(' | b'[' | b'<' | b'>' => {
                let count = self.number()? as usize;
                if kind == b'>' {
                    self.frozen.push((piece, count));
                }
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
                let Some(marked) = self.marks.get(to) else {
                    return Err(MarshalError::Reference(start));
                };
                self.pieces[piece] = match *marked {
                    Target::Text(text) => self.occurs(text, role),
                    _ => Piece::Reference { mark: to },
                };
            }
            kind => return Err(MarshalError::Kind { at: start, kind }),
        }
        if let Some(bytes) = text {
            let form = match kind {
                b's' => Form::Bytes,
                b't' | b'u' => Form::Unicode,
                _ => Form::Ascii,
            };
            // Strings of one character are interned or not by chance.
            let single = bytes.len() < 2 || form == Form::Unicode && bytes.len() == 2;
            let interned = form != Form::Bytes && (single || matches!(kind, b't' | b'A' | b'Z'));
            let text = self.distinct(Cow::Borrowed(bytes), form);
            self.texts[text].interned |= interned;
            if let Some(mark) = mark {
                self.marks[mark] = Target::Text(text);
            }
            self.pieces[piece] = self.occurs(text, role);
        }
        self.ends.push(self.at);
        Ok(())
    }

    /// The position of a string or bytes object in `texts`.
    fn distinct(&mut self, bytes: Cow<'b, [u8]>, form: Form) -> usize {
        let texts = &mut self.texts;
        *self
            .by_bytes
            .entry((bytes, form))
            .or_insert_with_key(|(bytes, form)| {
                texts.push(Text {
                    bytes: bytes.clone(),
                    form: *form,
                    interned: false,
                    count: 0,
                });
                texts.len() - 1
            })
    }

    /// Counts a string or bytes object where it stands. A table of lines may
    /// become another one there; the same bytes elsewhere do not.
    fn occurs(&mut self, text: usize, role: Role) -> Piece {
        let mut text = text;
        if role == Role::Lines
            && self.columns == Columns::Drop
            && self.texts[text].form == Form::Bytes
            && let Some(short) = lines::without_columns(&self.texts[text].bytes)
        {
            text = self.distinct(Cow::Owned(short), Form::Bytes);
        }
        self.texts[text].count += 1;
        if self.texts[text].form != Form::Bytes {
            self.note(role, text);
        }
        Piece::Text { text }
    }

    fn note(&mut self, role: Role, text: usize) {
        let text = String::from_utf8_lossy(&self.texts[text].bytes).into_owned();
        match role {
            Role::Names => self.code.names.push(text),
            // The module's own comes last: its code object ends last.
            Role::Filename => self.code.filename = Some(text),
            Role::Other | Role::Lines => {
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

    fn take(&mut self, count: usize) -> Result<&'b [u8], MarshalError> {
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

    fn long(&mut self) -> Result<&'b [u8], MarshalError> {
        let length = self.number()? as usize;
        self.take(length)
    }

    fn short(&mut self) -> Result<&'b [u8], MarshalError> {
        let length = usize::from(self.take(1)?[0]);
        self.take(length)
    }

    /// Takes constant sets of simple items out of the stream of pieces.
    fn gather_sets(&mut self, used: &[bool]) {
        let mut known: HashMap<Vec<Item<'b>>, usize> = HashMap::new();
        for (start, count) in std::mem::take(&mut self.frozen) {
            let range = start + 1..start + 1 + count;
            let Some(mut items) = self.pieces.get(range.clone()).and_then(|pieces| {
                let each = pieces.iter().zip(&self.ends[range.clone()]);
                each.map(|(piece, end)| self.item(*piece, *end, used))
                    .collect::<Option<Vec<_>>>()
            }) else {
                continue;
            };
            items.sort();
            let set = *known.entry(items.clone()).or_insert_with(|| {
                self.sets.push(Set {
                    items: items.clone(),
                    count: 0,
                });
                self.sets.len() - 1
            });
            self.sets[set].count += 1;
            if self.sets[set].count > 1 {
                // Its strings are written with the first one only.
                for item in &items {
                    if let Item::Text(_, _, text) = item {
                        self.texts[*text].count -= 1;
                    }
                }
            }
            if let Piece::Marked { mark, .. } = self.pieces[start] {
                self.marks[mark] = Target::Set(set);
            }
            self.pieces[start] = Piece::Set { set };
            self.pieces[range].fill(Piece::Gone);
        }
        for piece in &self.pieces {
            if let Piece::Reference { mark } = piece
                && let Target::Set(set) = self.marks[*mark]
            {
                self.sets[set].count += 1;
            }
        }
    }

    /// A piece as an item of a set, if it is simple and nothing else refers to
    /// it by number.
    fn item(&self, piece: Piece, end: usize, used: &[bool]) -> Option<Item<'b>> {
        let start = match piece {
            Piece::Text { text } => {
                let Text { bytes, form, .. } = &self.texts[text];
                return Some(Item::Text(bytes.clone(), *form, text));
            }
            Piece::Plain { start } => start,
            Piece::Marked { start, mark } if !used[mark] => start,
            _ => return None,
        };
        let kind = self.bytes[start] & !FLAG_REF;
        if !matches!(kind, b'N' | b'T' | b'F' | b'.' | b'i' | b'l' | b'g' | b'y') {
            return None;
        }
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&self.bytes[start + 1..end]);
        Some(Item::Plain(bytes))
    }

    /// Writes the canonical form.
    fn finish(mut self) -> Code {
        let mut used = vec![false; self.marks.len()];
        for piece in &self.pieces {
            if let Piece::Reference { mark } = piece {
                used[*mark] = true;
            }
        }
        self.gather_sets(&used);
        let mut writer = Writer {
            out: Vec::with_capacity(self.bytes.len()),
            next: 0,
            texts: vec![None; self.texts.len()],
            sets: vec![None; self.sets.len()],
        };
        let mut numbers = vec![0_u32; self.marks.len()];
        for (i, piece) in self.pieces.iter().enumerate() {
            match *piece {
                Piece::Plain { start } => {
                    writer
                        .out
                        .extend_from_slice(&self.bytes[start..self.ends[i]]);
                }
                Piece::Marked { start, mark } => {
                    let mut kind = self.bytes[start] & !FLAG_REF;
                    if used[mark] {
                        kind |= FLAG_REF;
                        numbers[mark] = writer.number();
                    }
                    writer.out.push(kind);
                    writer
                        .out
                        .extend_from_slice(&self.bytes[start + 1..self.ends[i]]);
                }
                Piece::Text { text } => writer.text(text, &self.texts[text]),
                Piece::Reference { mark } => match self.marks[mark] {
                    Target::Set(set) => writer.set(set, &self.sets[set], &self.texts),
                    Target::Text(_) | Target::Other => writer.reference(numbers[mark]),
                },
                Piece::Set { set } => writer.set(set, &self.sets[set], &self.texts),
                Piece::Gone => {}
            }
        }
        self.code.canonical = writer.out;
        self.code
    }
}

/// Writes pieces, numbering what is referred to.
struct Writer {
    out: Vec<u8>,
    next: u32,
    /// The numbers of strings that were written and are referred to again.
    texts: Vec<Option<u32>>,
    sets: Vec<Option<u32>>,
}

impl Writer {
    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }

    fn reference(&mut self, number: u32) {
        self.out.push(b'r');
        self.out.extend(number.to_le_bytes());
    }

    fn set(&mut self, at: usize, set: &Set, texts: &[Text]) {
        if let Some(number) = self.sets[at] {
            return self.reference(number);
        }
        let mut kind = b'>';
        if set.count > 1 {
            kind |= FLAG_REF;
            self.sets[at] = Some(self.number());
        }
        self.out.push(kind);
        self.out.extend((set.items.len() as u32).to_le_bytes());
        for item in &set.items {
            match item {
                Item::Text(_, _, text) => self.text(*text, &texts[*text]),
                Item::Plain(bytes) => self.out.extend_from_slice(bytes),
            }
        }
    }

    fn text(&mut self, at: usize, text: &Text) {
        if let Some(number) = self.texts[at] {
            return self.reference(number);
        }
        let short = text.form == Form::Ascii && text.bytes.len() < 256;
        let mut kind = match (text.form, short, text.interned) {
            (Form::Bytes, ..) => b's',
            (Form::Ascii, true, true) => b'Z',
            (Form::Ascii, true, false) => b'z',
            (Form::Ascii, false, true) => b'A',
            (Form::Ascii, false, false) => b'a',
            (Form::Unicode, _, true) => b't',
            (Form::Unicode, _, false) => b'u',
        };
        let again = text.form == Form::Bytes && text.bytes.len() <= SHORT_BYTES;
        if text.count > 1 && !again {
            kind |= FLAG_REF;
            self.texts[at] = Some(self.number());
        }
        self.out.push(kind);
        if short {
            self.out.push(text.bytes.len() as u8);
        } else {
            self.out.extend((text.bytes.len() as u32).to_le_bytes());
        }
        self.out.extend_from_slice(&text.bytes);
    }
}

/// The fields of a code object, in order.
fn layout(version: (u8, u8)) -> &'static [Step] {
    use Role::{Filename, Lines, Names, Other};
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
            Object(Lines),
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
        let code = read(bytes, (3, 11), Columns::Keep).unwrap();
        assert_eq!(code.canonical, b")\x03z\x02ab\xfa\x02cdr\0\0\0\0");
        assert_eq!(
            read(&code.canonical, (3, 11), Columns::Keep)
                .unwrap()
                .canonical,
            code.canonical
        );
    }

    #[test]
    fn single_characters_are_interned() {
        assert_eq!(
            read(b"z\x01x", (3, 11), Columns::Keep).unwrap().canonical,
            b"Z\x01x"
        );
        assert_eq!(
            read(b"a\0\0\0\0", (3, 11), Columns::Keep)
                .unwrap()
                .canonical,
            b"Z\0"
        );
    }

    #[test]
    fn equal_strings_are_one() {
        // ("a b", "a b"), one of them interned.
        let shared = b")\x02\xda\x03a br\0\0\0\0";
        for other in [b")\x02z\x03a bZ\x03a b", b")\x02\xfa\x03a b\xda\x03a b"] {
            assert_eq!(
                read(other, (3, 13), Columns::Keep).unwrap().canonical,
                shared
            );
        }
    }

    #[test]
    fn equal_bytes_are_one() {
        // Long bytes twice, the same as a string, short bytes twice.
        let long = "instructions of a function";
        let each = |mark: u8| {
            let head = [b's' | mark, 26, 0, 0, 0];
            [&head[..], long.as_bytes()].concat()
        };
        let string = [b"z\x1a", long.as_bytes()].concat();
        let short = b"s\x01\0\0\0x";
        let bytes = [
            b")\x05",
            &each(FLAG_REF)[..],
            &each(0),
            &string,
            b"\xf3\x01\0\0\0x",
            b"r\x01\0\0\0",
        ]
        .concat();
        let code = read(&bytes, (3, 13), Columns::Keep).unwrap();
        let shared = [
            b")\x05",
            &each(FLAG_REF)[..],
            b"r\0\0\0\0",
            &string,
            short,
            short,
        ]
        .concat();
        assert_eq!(code.canonical, shared);
        assert_eq!(code.strings, BTreeSet::from([long.to_owned()]));
    }

    /// The compiler merges constants with tables that happen to be equal.
    #[test]
    fn only_tables_of_lines_lose_columns() {
        let code = |constant: &[u8]| {
            let mut bytes = b"c".to_vec();
            bytes.extend([0; 20]);
            bytes.extend(b"s\0\0\0\0)\x01");
            bytes.extend(constant);
            bytes.extend(b")\0)\0s\0\0\0\0Z\x01fZ\x01nZ\x01q\x01\0\0\0");
            bytes
        };
        // One instruction on one line, with columns, and without.
        let table = b"\xf3\x02\0\0\0\x80\x11";
        let mut bytes = code(table);
        bytes.extend(b"r\0\0\0\0s\0\0\0\0");
        let short = read(&bytes, (3, 11), Columns::Drop).unwrap().canonical;
        let mut expected = code(b"s\x02\0\0\0\x80\x11");
        expected.extend(b"s\x02\0\0\0\xe8\0s\0\0\0\0");
        assert_eq!(short, expected);
    }

    #[test]
    fn equal_sets_are_one_and_sorted() {
        // ({"if", 1, "else"}, {"else", "if", 1})
        let bytes = b")\x02>\x03\0\0\0\xfa\x02if\xe9\x01\0\0\0\xda\x04else\xbe\x03\0\0\0r\x02\0\0\0r\0\0\0\0i\x01\0\0\0";
        let code = read(bytes, (3, 9), Columns::Keep).unwrap();
        assert_eq!(
            code.canonical,
            b")\x02\xbe\x03\0\0\0Z\x04elsez\x02ifi\x01\0\0\0r\0\0\0\0"
        );
        assert_eq!(
            read(&code.canonical, (3, 9), Columns::Keep)
                .unwrap()
                .canonical,
            code.canonical
        );
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
        let code = read(&bytes, (3, 11), Columns::Keep).unwrap();
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
            assert!(read(bytes, version, Columns::Keep).is_err(), "{bytes:?}");
        }
        // Deep, but flat on the stack.
        assert!(read(&b")\x01".repeat(100_000), (3, 11), Columns::Keep).is_err());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            for version in [(3, 7), (3, 9), (3, 13)] {
                let _ = read(&bytes, version, Columns::Drop);
            }
        }
    }
}
