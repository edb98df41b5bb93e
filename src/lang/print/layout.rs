//! Breaks what is printed into lines.
//!
//! The printer gives a list of commands; groups stay on one line if they fit and contain nothing that ends a line,
//! else all their breaks become line ends. After Oppen, “Prettyprinting” (1980), without the streaming: every group is
//! measured by looking ahead no further than one line.

use std::borrow::Cow;

/// The widest line that groups are kept on, in characters.
const COLUMNS_MAX: usize = 100;

/// One command.
#[derive(Debug)]
pub(super) enum Command<'a> {
    /// Goes on the line as it is; holds no line end.
    Text(Cow<'a, str>),
    /// Only when the group around it is broken.
    TextIfBroken(&'static str),
    /// What stands between two texts.
    Gap(Gap),
    /// Comments between two texts; each ends its line.
    Comments(Vec<CommentLine<'a>>, Blank),
    /// Indents the lines that start from here on, by columns.
    Indent(isize),
    /// A group begins.
    Open,
    /// A group ends.
    Close,
}

/// What stands between two texts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gap {
    /// A space, never a line end.
    Space,
    /// A line end in a broken group, else this.
    Break(&'static str, Blank),
    /// Always a line end.
    Line(Blank),
}

/// Whether an empty line is kept before what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blank {
    /// An empty line stands there.
    Yes,
    /// None does.
    No,
}

/// A comment between two texts.
#[derive(Debug)]
pub(super) struct CommentLine<'a> {
    /// Without the `#`.
    pub(super) text: &'a str,
    /// Where it goes.
    pub(super) place: CommentPlace,
}

/// Where a comment goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum CommentPlace {
    /// Behind the text before it.
    Trailing,
    /// On a line of its own.
    OwnLine(Blank),
}

/// The lines.
pub(super) fn render(commands: &[Command<'_>]) -> String {
    let mut page = Page {
        out: String::new(),
        column: 0,
        indent: 0,
        broken: vec![true],
    };
    for (at, command) in commands.iter().enumerate() {
        page.put(command, &commands[at + 1..]);
    }
    if !page.out.is_empty() && !page.out.ends_with('\n') {
        page.out.push('\n');
    }
    page.out
}

struct Page {
    out: String,
    /// Characters on the last line; 0 before the indentation is written.
    column: usize,
    indent: usize,
    /// Of every group around, outermost first; never empty.
    broken: Vec<bool>,
}

impl Page {
    fn put(&mut self, command: &Command<'_>, rest: &[Command<'_>]) {
        match command {
            Command::Text(text) => self.text(text),
            Command::TextIfBroken(text) => {
                if self.in_broken() {
                    self.text(text);
                }
            }
            Command::Gap(Gap::Space) => self.text(" "),
            Command::Gap(Gap::Break(flat, blank)) => {
                if self.in_broken() {
                    self.end_line(*blank);
                } else {
                    self.text(flat);
                }
            }
            Command::Gap(Gap::Line(blank)) => self.end_line(*blank),
            Command::Comments(lines, blank) => {
                for line in lines {
                    match line.place {
                        CommentPlace::Trailing => self.text(" #"),
                        CommentPlace::OwnLine(blank) => {
                            self.end_line(blank);
                            self.text("#");
                        }
                    }
                    self.text(line.text);
                }
                self.end_line(*blank);
            }
            Command::Indent(by) => self.indent = self.indent.saturating_add_signed(*by),
            Command::Open => {
                let broken = self.in_broken() && !self.fits(rest);
                self.broken.push(broken);
            }
            Command::Close => {
                if self.broken.len() > 1 {
                    self.broken.pop();
                }
            }
        }
    }

    fn in_broken(&self) -> bool {
        self.broken.last().copied().unwrap_or(true)
    }

    fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.column == 0 {
            self.out.extend(std::iter::repeat_n(' ', self.indent));
            self.column = self.indent;
        }
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn end_line(&mut self, blank: Blank) {
        if self.out.is_empty() {
            return;
        }
        if !self.out.ends_with('\n') {
            self.out.push('\n');
        }
        if blank == Blank::Yes && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
        self.column = 0;
    }

    /// Whether the group that begins `rest`, with what cannot be parted from its end, fits on this line.
    fn fits(&self, rest: &[Command<'_>]) -> bool {
        let used = if self.column == 0 {
            self.indent
        } else {
            self.column
        };
        let mut left = COLUMNS_MAX.saturating_sub(used);
        let mut depth = 1_usize;
        for command in rest {
            let width = match command {
                Command::Text(text) => text.chars().count(),
                Command::Gap(Gap::Space) => 1,
                Command::Gap(Gap::Break(flat, _)) if depth > 0 => flat.len(),
                Command::Gap(Gap::Break(..)) => return true,
                Command::Gap(Gap::Line(_)) => return depth == 0,
                Command::Comments(..) => return depth == 0,
                Command::Open if depth > 0 => {
                    depth += 1;
                    0
                }
                Command::Close => {
                    depth = depth.saturating_sub(1);
                    0
                }
                Command::Open | Command::Indent(_) | Command::TextIfBroken(_) => 0,
            };
            let Some(after) = left.checked_sub(width) else {
                return false;
            };
            left = after;
        }
        true
    }
}
