//! The branches of a tree, level by level.

/// How many levels are drawn as branches. What is deeper says how deep it stands instead: a tree of
/// ten thousand levels would otherwise be a triangle of branches.
pub(in crate::graph) const DRAWN_LEVELS: usize = 32;

/// What stands before a name at a level, of which roots have 0. `goes_on` says of a level whether more comes below on it.
pub(in crate::graph) fn branch(level: usize, goes_on: impl Fn(usize) -> bool) -> String {
    match level {
        0 => String::new(),
        _ if level > DRAWN_LEVELS => stems(DRAWN_LEVELS - 1, goes_on) + &format!("⋯ level {level}: "),
        _ if goes_on(level) => stems(level - 1, goes_on) + "├─ ",
        _ => stems(level - 1, goes_on) + "└─ ",
    }
}

/// What stands before that which belongs to a name at a level, in the lines below it.
pub(in crate::graph) fn stems(level: usize, goes_on: impl Fn(usize) -> bool) -> String {
    (1..=level.min(DRAWN_LEVELS)).map(|above| if goes_on(above) { "│  " } else { "   " }).collect()
}
