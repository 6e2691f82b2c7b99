//! The branches of a tree, level by level.

/// How many levels are drawn as branches. What is deeper says how deep it stands instead: a tree of
/// ten thousand levels would otherwise be a triangle of branches.
pub(in crate::graph) const DRAWN_LEVELS: usize = 32;

/// What stands before a name at a level, of which roots have 0. `continues` says of a level whether more comes below on it.
pub(in crate::graph) fn branch(level: usize, continues: impl Fn(usize) -> bool) -> String {
    match level {
        0 => String::new(),
        _ if level > DRAWN_LEVELS => guides(DRAWN_LEVELS - 1, continues) + &format!("⋯ level {level}: "),
        _ if continues(level) => guides(level - 1, continues) + "├─ ",
        _ => guides(level - 1, continues) + "└─ ",
    }
}

/// What stands before that which belongs to a name at a level, in the lines below it.
pub(in crate::graph) fn guides(level: usize, continues: impl Fn(usize) -> bool) -> String {
    (1..=level.min(DRAWN_LEVELS)).map(|above| if continues(above) { "│  " } else { "   " }).collect()
}
