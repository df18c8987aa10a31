use std::collections::BTreeMap;

use super::*;
use crate::inventory::testing::{Crafted, inventory};

fn image() -> Inventory {
    inventory(&[
        &[
            "var/lib/dpkg/status = Package: libz\\nStatus: install ok installed\\nVersion: 1\\n",
            "var/lib/dpkg/info/libz.list = /usr/lib/libz.so\\n",
            "usr/lib/libz.so = 1234",
            "gone = 1234567890",
            "link -> gone",
        ],
        &["-gone", "app/main.py = pass"],
    ])
}

#[test]
fn the_sizes_of_an_image() {
    let inventory = image();
    let size = measure("x", &inventory, &Present::default(), &Bandwidth::DEFAULTS);
    assert_eq!(size.uncompressed - size.visible, 10);
    assert_eq!(size.link_bytes, 4);
    assert_eq!(size.stored, size.layers.iter().map(|l| l.tar).sum::<u64>());
    assert!(size.estimated);
    assert_eq!(size.to_pull, size.compressed);
    assert_eq!(size.recompressed[0].compression, "zstd:1");
    assert_eq!(size.pull.len(), 3);
    let seconds = size.compressed as f64 * 8.0 / 5e6;
    assert!((size.pull[0].seconds - seconds).abs() < 1e-9);
}

#[test]
fn what_is_there_is_not_pulled() {
    let base: &[&str] = &["usr/lib/libz.so = 1234"];
    let app: &[&str] = &["app = 1"];
    let mut present = Present::default();
    present.add(&Crafted::new(&[base]).image());
    let inventory = inventory(&[base, app, app]);
    let size = measure("x", &inventory, &present, &[]);
    let there: Vec<bool> = size.layers.iter().map(|layer| layer.there).collect();
    assert_eq!(there, [true, false, true]);
    assert_eq!(size.to_pull, size.layers[1].compressed);
}

#[test]
fn a_budget_for_everything() {
    let inventory = image();
    let size = measure("x", &inventory, &Present::default(), &[]);
    let over = |text: &str| -> Vec<String> {
        let budget: Budget = toml::from_str(text).unwrap();
        excesses(&size, &inventory, &budget)
            .iter()
            .map(|excess| format!("{} {}", excess.what, excess.limit))
            .collect()
    };
    assert!(over("").is_empty());
    assert!(over("size = '1kB'\ncompressed = '20kB'\nlayer = 200\npackage = '1kB'").is_empty());
    assert_eq!(
        over("size = 20\ncompressed = 1\nlayer = 20\npackage = 3"),
        [
            "the image, uncompressed, 20",
            "the image, compressed, 1",
            "layer 1 20",
            "package libz 3"
        ]
    );
    assert!(over("package = 3\n[packages]\nlibz = '1MB'").is_empty());
}

#[test]
fn flags_come_before_the_file() {
    let limit = |bytes| Some(Bytes(bytes));
    let flags = Budget {
        size: limit(1),
        packages: BTreeMap::from([("a".to_owned(), Bytes(1))]),
        ..Budget::default()
    };
    let file: Budget = toml::from_str("size = 2\nlayer = 2\n[packages]\na = 2\nb = 2").unwrap();
    let both = flags.or(file);
    assert_eq!((both.size, both.layer), (limit(1), limit(2)));
    assert_eq!(both.packages["a"], Bytes(1));
    assert_eq!(both.packages["b"], Bytes(2));
}
