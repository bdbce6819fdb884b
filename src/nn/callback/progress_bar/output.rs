//! Where a progress bar is drawn: a terminal, a writer in place of one, or a file of lines.

use console::Term;
use indicatif::{ProgressDrawTarget, TermLike};
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// What a progress bar writes to.
pub(super) enum Output<'a> {
    /// Standard output, where it is a terminal.
    Terminal(Term),
    /// A writer that understands a terminal's escape sequences.
    Emulated { out: Box<dyn Write + 'a>, screen: Screen },
    /// A file or a pipe: whole lines, without control characters.
    Lines(Box<dyn Write + 'a>),
}

impl<'a> Output<'a> {
    pub(super) fn stdout() -> Self {
        if io::stdout().is_terminal() && !console::is_dumb() {
            Self::Terminal(Term::buffered_stdout())
        } else {
            Self::Lines(Box::new(io::stdout()))
        }
    }

    pub(super) fn writer(out: impl Write + 'a, terminal: bool) -> Self {
        let out = Box::new(out);
        if terminal { Self::Emulated { out, screen: Screen::default() } } else { Self::Lines(out) }
    }

    /// Columns of the terminal at this moment; `None` for lines.
    pub(super) fn columns(&self) -> Option<usize> {
        match self {
            Self::Terminal(term) => Some(TermLike::width(term).into()),
            Self::Emulated { screen, .. } => Some(screen.columns.into()),
            Self::Lines(_) => None,
        }
    }

    /// Sets the columns of a writer in place of a terminal; a terminal knows its own.
    pub(super) fn set_columns(&mut self, columns: u16) {
        if let Self::Emulated { screen, .. } = self {
            screen.columns = columns.max(1);
        }
    }

    /// What a bar draws to.
    pub(super) fn target(&self) -> ProgressDrawTarget {
        match self {
            Self::Terminal(term) => ProgressDrawTarget::term_like(Box::new(term.clone())),
            Self::Emulated { screen, .. } => ProgressDrawTarget::term_like(Box::new(screen.clone())),
            Self::Lines(_) => ProgressDrawTarget::hidden(),
        }
    }

    /// Writes text and ends its line. Errors are ignored: a closed pipe must not stop training.
    pub(super) fn line(&mut self, text: &str) {
        let _ = match self {
            Self::Terminal(term) => term.write_line(text).and_then(|()| term.flush()),
            Self::Emulated { out, .. } | Self::Lines(out) => writeln!(out, "{text}"),
        };
        self.flush();
    }

    /// Passes on what a bar has drawn.
    pub(super) fn flush(&mut self) {
        let _ = match self {
            Self::Terminal(term) => term.flush(),
            Self::Emulated { out, screen } => out.write_all(&screen.take()).and_then(|()| out.flush()),
            Self::Lines(out) => out.flush(),
        };
    }
}

impl fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminal(_) => "terminal",
            Self::Emulated { .. } => "writer in place of a terminal",
            Self::Lines(_) => "lines",
        })
    }
}

/// The escape sequences of a bar, to be passed on: a bar's target cannot borrow the writer.
#[derive(Debug, Clone)]
pub(super) struct Screen {
    columns: u16,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Default for Screen {
    fn default() -> Self {
        Self { columns: 80, bytes: Arc::default() }
    }
}

impl Screen {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Moves the cursor by `n` in the direction of an escape sequence's last letter.
    fn move_cursor(&self, n: usize, direction: char) -> io::Result<()> {
        if n == 0 { Ok(()) } else { self.write_str(&format!("\x1b[{n}{direction}")) }
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.columns
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)?;
        self.write_str("\n")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.write_str("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}
