//! A door for fuzzers to the readers that are private otherwise.

use ruff_python_ast::AnyNodeRef;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};

use super::{Imports, Platform, binary, imports, nesting};

/// Trees that are expected to be deeper are not built to be measured.
const DEEPEST: usize = 500;

pub fn source(bytes: &[u8], platform: Platform) -> Imports {
    Imports::of(bytes, platform)
}

/// What is read line by line: files that are too large or too deep.
pub fn by_line(bytes: &[u8], platform: Platform) -> Imports {
    imports::by_line(&imports::decode(bytes), platform)
}

/// The strings of a compiled module, and which of a few names they hold.
pub fn compiled(bytes: &[u8]) {
    let strings = binary::strings(bytes);
    binary::within(&strings.glued, &["sys", "asyncio"]);
}

/// The bound that keeps the reader from nesting too deep, and how deep the
/// tree is in truth.
pub fn depths(bytes: &[u8]) -> (usize, usize) {
    let text = imports::decode(bytes);
    let bound = nesting::depth(&text);
    if bound > DEEPEST {
        return (bound, 0);
    }
    let parsed = parse_unchecked(&text, ParseOptions::from(Mode::Module));
    let mut depth = Depth::default();
    if let Some(module) = parsed.syntax().as_module() {
        depth.visit_body(&module.body);
    }
    (bound, depth.deepest)
}

#[derive(Default)]
struct Depth {
    here: usize,
    deepest: usize,
}

impl<'a> SourceOrderVisitor<'a> for Depth {
    fn enter_node(&mut self, _: AnyNodeRef<'a>) -> TraversalSignal {
        self.here += 1;
        self.deepest = self.deepest.max(self.here);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, _: AnyNodeRef<'a>) {
        self.here -= 1;
    }
}
