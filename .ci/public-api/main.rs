//! Prints the public API that a file of rustdoc's JSON describes, one item a line.
//!
//! Left out is what follows from another line, the functions in the impl of a trait and the marker
//! that comes with a derived `PartialEq`, and impls that nobody wrote: blanket impls and auto
//! traits. A type that is not `Send` or not `Sync` has a line that says so.

use std::collections::HashSet;

use public_api::{Builder, PublicApi, PublicItem};

fn main() {
    let path = std::env::args().nth(1).expect("the path of rustdoc's JSON");
    let written: HashSet<_> = read(&path, false).items().map(PublicItem::id).collect();
    let api = read(&path, true);
    let trait_impls: HashSet<_> =
        api.items().filter(|item| is_trait_impl(&item.to_string())).map(PublicItem::id).collect();
    for item in api.items() {
        let line = item.to_string();
        let is_in_trait_impl = item.parent_id().is_some_and(|parent| trait_impls.contains(&parent));
        let follows = is_in_trait_impl && line.contains("fn ") || line.contains("StructuralPartialEq");
        let lacks = line.contains("!core::marker::Send for") || line.contains("!core::marker::Sync for");
        let is_told = lacks || written.contains(&item.id());
        if is_told && !follows {
            println!("{line}");
        }
    }
}

fn read(path: &str, with_auto_traits: bool) -> PublicApi {
    Builder::from_rustdoc_json(path)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(!with_auto_traits)
        .build()
        .expect("rustdoc's JSON in the format of Rust 1.95")
}

fn is_trait_impl(line: &str) -> bool {
    line.starts_with("impl") && line.contains(" for ")
}
