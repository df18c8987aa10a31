//! Running the app in the sandbox and writing down what it touched.

mod door;

pub use door::files;
