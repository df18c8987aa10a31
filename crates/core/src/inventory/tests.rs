use whit_oci::{Compression, ImagePath};

use super::testing::{Crafted, inventory};
use super::*;

fn waste(inventory: &Inventory) -> Vec<String> {
    inventory
        .waste
        .iter()
        .map(|waste| {
            format!(
                "{} {} {}->{} {:?}",
                waste.path, waste.bytes, waste.layer, waste.by, waste.fate
            )
        })
        .collect()
}

#[test]
fn layers_less_waste_are_the_merged_tree() {
    let inventory = inventory(&[
        &[
            "a/x = 12345",
            "a/y = 123",
            "a/gone = 1234567",
            "same = 22",
            "link -> a/x",
        ],
        &["-a/gone", "a/y = 1234", "same = 22", "new = 1"],
    ]);
    assert_eq!(
        waste(&inventory),
        [
            "/a/gone 7 0->1 Deleted",
            "/a/y 3 0->1 Replaced",
            "/same 2 0->1 Repeated"
        ]
    );
    assert_eq!(inventory.bytes(), 17 + 7);
    assert_eq!(inventory.visible_bytes(), 12);
    let wasted: u64 = inventory.waste.iter().map(|waste| waste.bytes).sum();
    assert_eq!(inventory.bytes() - wasted, inventory.visible_bytes());
    let [lower, upper] = &inventory.layers[..] else {
        panic!("two layers");
    };
    assert_eq!((lower.entries, lower.bytes, lower.link_bytes), (5, 17, 3));
    assert_eq!((upper.entries, upper.bytes), (3, 7));
    assert_eq!(lower.stored, lower.tar);
    assert!(lower.wire.estimated && lower.wire.bytes < lower.tar);
    assert!(lower.recompressed[0].1 < lower.tar);
    assert_eq!([&*lower.created_by, &*upper.created_by], ["FROM", "RUN"]);
}

#[test]
fn a_hard_link_is_lost_with_its_last_name() {
    let inventory = inventory(&[
        &["a = 12345", "b => a", "c = 12345", "d => c"],
        &["-a"],
        &["-c", "-d", "e => b"],
    ]);
    assert_eq!(waste(&inventory), ["/d 5 0->2 Deleted"]);
    assert_eq!(inventory.visible_bytes(), 5);
    assert!(duplicates(&inventory).is_empty());
    let e = inventory.tree.get(&"e".into()).unwrap();
    assert!(inventory.content(e).unwrap().digest.is_some());
}

#[test]
fn sums_by_package_and_type_come_to_the_same() {
    let inventory = inventory(&[
        &[
            "var/lib/dpkg/status = Package: libz\\nStatus: install ok installed\\nVersion: 1\\n",
            "var/lib/dpkg/info/libz.list = /usr/lib/libz.so\\n",
            "usr/lib/libz.so = 1234",
        ],
        &["app/main.py = pass", "app/twin.py = pass", "app/empty.py"],
    ]);
    let names: Vec<_> = by_package(&inventory)
        .into_iter()
        .map(|(package, sum)| {
            let name = package.map(|id| inventory.tree.package(id).name.clone());
            (name.unwrap_or_default(), sum.files)
        })
        .collect();
    assert_eq!(names, [(String::new(), 4), ("libz".to_owned(), 2)]);
    let total = inventory.visible_bytes();
    let sum = |sums: &mut dyn Iterator<Item = Sum>| sums.map(|sum| sum.bytes).sum::<u64>();
    assert_eq!(sum(&mut by_package(&inventory).into_values()), total);
    assert_eq!(sum(&mut by_type(&inventory).into_values()), total);
    assert_eq!(by_folder(&inventory)[&ImagePath::root()].bytes, total);
    assert_eq!(by_type(&inventory)[&FileType::Python].files, 3);
    let twins = duplicates(&inventory);
    assert_eq!((twins.len(), twins[0].wasted()), (1, 4));
}

#[test]
fn gzip_that_was_measured_is_not_estimated() {
    let image = Crafted::new(&[&["a = 1"], &["b = 2"]]);
    let gzip = Compression::default();
    for (recompress, measure_plain) in [(vec![gzip], false), (vec![], true), (vec![gzip], true)] {
        let shown = recompress.len();
        let detail = Detail {
            recompress,
            measure_plain,
            ..Detail::default()
        };
        let inventory = read(&image.image(), &detail, &|| false).unwrap();
        let wire = inventory.wire();
        assert!(!wire.estimated && wire.bytes < 300, "{wire:?}");
        for layer in &inventory.layers {
            assert_eq!(layer.recompressed.len(), shown);
        }
    }
}
