//! The branches of a tree in front of a name.

/// How many levels are drawn as branches. Deeper lines have the number of their level instead: a
/// tree of ten thousand levels would otherwise be mostly branches.
pub(in crate::graph) const DRAWN_LEVELS: usize = 32;

/// The branches in front of a name. Roots have level 0; `continues` tells of a level whether more
/// lines follow on it.
pub(in crate::graph) fn branch(level: usize, continues: impl Fn(usize) -> bool) -> String {
    match level {
        0 => String::new(),
        _ if level > DRAWN_LEVELS => guides(DRAWN_LEVELS - 1, continues) + &format!("⋯ level {level}: "),
        _ if continues(level) => guides(level - 1, continues) + "├─ ",
        _ => guides(level - 1, continues) + "└─ ",
    }
}

/// The branches in front of lines that belong to the name above them, which is at `level`.
pub(in crate::graph) fn guides(level: usize, continues: impl Fn(usize) -> bool) -> String {
    (1..=level.min(DRAWN_LEVELS)).map(|above| if continues(above) { "│  " } else { "   " }).collect()
}
