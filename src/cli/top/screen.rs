//! The terminal as a sheet that is drawn anew, given back as it was found.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::style::{Attribute, Color, Print, ResetColor, SetAttribute, SetForegroundColor};
use crossterm::terminal::{
    self, BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen,
};
use crossterm::{cursor, execute, queue};

use super::frame::Size;
use super::line::{Line, Look};

/// What whoever sits there wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pressed {
    /// To go.
    Quit,
    /// The same, in another size.
    Resized,
}

/// The terminal while it is ours.
pub struct Screen {
    color: bool,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// When it can't be drawn on.
    pub fn take() -> Result<Screen> {
        // Made first: should taking fail half way, what was taken is given back.
        let screen = Screen {
            color: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        };
        terminal::enable_raw_mode().context("the terminal can't be drawn on")?;
        execute!(io::stdout(), EnterAlternateScreen, cursor::Hide)
            .context("the terminal can't be drawn on")?;
        Ok(screen)
    }

    /// Its size now.
    ///
    /// # Errors
    /// When the terminal does not tell.
    pub fn size(&self) -> Result<Size> {
        let (width, height) = terminal::size()?;
        Ok(Size {
            width: width.into(),
            height: height.into(),
        })
    }

    /// Draws lines that fit, from the top.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn draw(&mut self, lines: &[Line]) -> Result<()> {
        let mut out = io::stdout().lock();
        queue!(out, BeginSynchronizedUpdate)?;
        // Cleared before it is drawn: after a line as wide as the screen, clearing would take its last character.
        queue!(out, cursor::MoveTo(0, 0), Clear(ClearType::FromCursorDown))?;
        for (row, line) in (0..).zip(lines) {
            queue!(out, cursor::MoveTo(0, row))?;
            for (look, text) in line.pieces() {
                self.put_on(&mut out, look)?;
                queue!(out, Print(text), SetAttribute(Attribute::Reset), ResetColor)?;
            }
        }
        queue!(out, EndSynchronizedUpdate)?;
        Ok(out.flush()?)
    }

    fn put_on(&self, out: &mut impl io::Write, look: Look) -> io::Result<()> {
        match look {
            Look::Plain => Ok(()),
            Look::Bold => queue!(out, SetAttribute(Attribute::Bold)),
            Look::Faint => queue!(out, SetAttribute(Attribute::Dim)),
            Look::Loud if self.color => queue!(out, SetForegroundColor(Color::Yellow)),
            Look::Loud => queue!(out, SetAttribute(Attribute::Reverse)),
        }
    }

    /// Waits until a key is pressed that means something, the size is another, or `patience` ends.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn wait(&mut self, patience: Duration) -> Result<Option<Pressed>> {
        let began = Instant::now();
        loop {
            if !event::poll(patience.saturating_sub(began.elapsed()))? {
                return Ok(None);
            }
            let pressed = meaning(&event::read()?);
            if pressed.is_some() {
                return Ok(pressed);
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // If the terminal is gone there is nothing to give back.
        let _ = execute!(io::stdout(), cursor::Show, LeaveAlternateScreen);
        let _ = terminal::disable_raw_mode();
    }
}

fn meaning(event: &Event) -> Option<Pressed> {
    match event {
        Event::Resize(..) => Some(Pressed::Resized),
        Event::Key(KeyEvent {
            code,
            modifiers,
            kind: KeyEventKind::Press,
            ..
        }) => match code {
            KeyCode::Char('q' | 'Q') | KeyCode::Esc => Some(Pressed::Quit),
            // In raw mode Ctrl-C is a key like any other.
            KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => Some(Pressed::Quit),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_end_it_are_those_that_the_help_names() {
        let key = |code, modifiers| meaning(&Event::Key(KeyEvent::new(code, modifiers)));
        let none = KeyModifiers::NONE;
        assert_eq!(key(KeyCode::Char('q'), none), Some(Pressed::Quit));
        assert_eq!(key(KeyCode::Esc, none), Some(Pressed::Quit));
        assert_eq!(
            key(KeyCode::Char('c'), KeyModifiers::CONTROL),
            Some(Pressed::Quit)
        );
        assert_eq!(key(KeyCode::Char('c'), none), None);
        assert_eq!(meaning(&Event::Resize(1, 1)), Some(Pressed::Resized));
    }
}
