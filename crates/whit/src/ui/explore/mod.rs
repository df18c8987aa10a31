//! `whit explore`: text, a page, a terminal view.

mod page;
mod text;
mod view;

pub use page::page;
pub use text::text;
pub use view::walk;

#[cfg(test)]
mod samples;
#[cfg(test)]
use samples::sample;
