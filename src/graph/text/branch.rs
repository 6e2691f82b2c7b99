//! The branches of a tree in front of a name.

/// How many levels are drawn as branches. Deeper lines have the number of their level instead: a
/// tree of ten thousand levels would otherwise be mostly branches.
const DRAWN_LEVELS: usize = 32;

/// Where a line is in the tree. The default is a root.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::graph) struct Branch {
    level: usize,
    /// A bit for each drawn level, from level 1 on: whether nothing more follows on it.
    ended: u32,
}

impl Branch {
    pub(in crate::graph) fn child(self, is_last: bool) -> Self {
        let is_drawn = self.level < DRAWN_LEVELS;
        let ended = if is_last && is_drawn { self.ended | 1 << self.level } else { self.ended };
        Self { level: self.level + 1, ended }
    }

    /// In front of the name.
    pub(in crate::graph) fn of_name(self) -> String {
        if self.level == 0 {
            return String::new();
        }
        let above = Self { level: self.level.min(DRAWN_LEVELS) - 1, ..self }.below_name();
        match self.level {
            level if level > DRAWN_LEVELS => above + &format!("⋯ level {level}: "),
            level if self.has_ended(level) => above + "└─ ",
            _ => above + "├─ ",
        }
    }

    /// In front of lines that belong to the name above them.
    pub(in crate::graph) fn below_name(self) -> String {
        let drawn = 1..=self.level.min(DRAWN_LEVELS);
        drawn.map(|level| if self.has_ended(level) { "   " } else { "│  " }).collect()
    }

    fn has_ended(self, level: usize) -> bool {
        self.ended >> (level - 1) & 1 == 1
    }
}
