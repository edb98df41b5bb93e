//! Lines of a screen, in pieces of one look each.

use std::fmt;

/// What a piece looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// As anything.
    Plain,
    /// A title.
    Bold,
    /// Of little interest.
    Faint,
    /// Somebody should look.
    Loud,
}

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(Vec<(Look, String)>);

impl Line {
    /// An empty line.
    pub fn new() -> Line {
        Line::default()
    }

    /// One piece alone.
    pub fn of(look: Look, text: impl Into<String>) -> Line {
        Line::new().with(look, text)
    }

    /// With one piece more. What would move the cursor is made visible: names come from elsewhere.
    #[must_use]
    pub fn with(mut self, look: Look, text: impl Into<String>) -> Line {
        let mut text = text.into();
        if text.contains(char::is_control) {
            text = text.replace(char::is_control, "\u{fffd}");
        }
        self.0.push((look, text));
        self
    }

    /// Its pieces from left to right.
    pub fn pieces(&self) -> impl Iterator<Item = (Look, &str)> {
        self.0.iter().map(|(look, text)| (*look, text.as_str()))
    }

    /// Cut to a width in characters.
    #[must_use]
    pub fn cut(self, width: usize) -> Line {
        let mut left = width;
        let pieces = self.0.into_iter().map_while(|(look, text)| {
            if left == 0 {
                return None;
            }
            let text: String = text.chars().take(left).collect();
            left -= text.chars().count();
            Some((look, text))
        });
        Line(pieces.collect())
    }
}

/// Without its looks.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(_, text)| f.write_str(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_reach_the_terminal_as_commands() {
        let line = Line::of(Look::Plain, "a\u{1b}[2Jb\r\n");
        assert_eq!(line.to_string(), "a\u{fffd}[2Jb\u{fffd}\u{fffd}");
    }

    #[test]
    fn lines_are_cut_between_characters() {
        let line = Line::of(Look::Bold, "aé").with(Look::Plain, "漢字");
        let cut = |width| line.clone().cut(width).to_string();
        assert_eq!(
            [cut(0), cut(2), cut(3), cut(9)],
            ["", "aé", "aé漢", "aé漢字"]
        );
    }
}
