//! JavaScript and `package.json`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use whit_core::reach::node::fuzzing;

fuzz_target!(|data: &[u8]| fuzzing::read(data));
