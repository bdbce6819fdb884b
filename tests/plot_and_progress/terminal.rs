//! A terminal emulator of a given width, as far as a progress bar needs one.

#[derive(Debug)]
pub(crate) struct Terminal {
    columns: usize,
    rows: Vec<Vec<char>>,
    /// Row and column of the cursor. In the column behind the last one the next character wraps.
    cursor: (usize, usize),
    wraps_of_redrawn: usize,
    /// Whether the row of the cursor was cleared, so that it holds a line that is redrawn.
    redrawn: bool,
}

impl Terminal {
    /// A terminal that was sent this text.
    pub(crate) fn of(columns: usize, text: &str) -> Self {
        let mut terminal =
            Self { columns, rows: vec![Vec::new()], cursor: (0, 0), wraps_of_redrawn: 0, redrawn: false };
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            if let Some(sequence) = rest.strip_prefix("\x1b[") {
                let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                terminal.escape(&sequence[..end], &sequence[end..=end]);
                rest = &sequence[end + 1..];
            } else {
                terminal.put(next);
                rest = &rest[next.len_utf8()..];
            }
        }
        terminal
    }

    fn escape(&mut self, number: &str, kind: &str) {
        let n: usize = number.parse().unwrap_or(1);
        match kind {
            "A" => self.cursor.0 = self.cursor.0.saturating_sub(n),
            "B" => self.cursor.0 += n,
            "K" => {
                self.rows[self.cursor.0].clear();
                self.redrawn = true;
            }
            "m" => {}
            _ => panic!("escape sequence {number}{kind}"),
        }
    }

    fn put(&mut self, next: char) {
        match next {
            '\r' => self.cursor.1 = 0,
            '\n' => {
                self.cursor = (self.cursor.0 + 1, 0);
                self.redrawn = false;
            }
            _ => {
                assert!(!next.is_control(), "{next:?}");
                if self.cursor.1 == self.columns {
                    self.wraps_of_redrawn += usize::from(self.redrawn);
                    self.cursor = (self.cursor.0 + 1, 0);
                }
                self.grow();
                let row = &mut self.rows[self.cursor.0];
                row.resize(row.len().max(self.cursor.1 + 1), ' ');
                row[self.cursor.1] = next;
                self.cursor.1 += 1;
            }
        }
        self.grow();
    }

    fn grow(&mut self) {
        while self.rows.len() <= self.cursor.0 {
            self.rows.push(Vec::new());
        }
    }

    /// The rows without spaces at their ends, up to the last that has text.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            self.rows.iter().map(|row| row.iter().collect::<String>().trim_end().to_string()).collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }

    /// How often a line that is redrawn was too wide.
    pub(crate) fn wraps_of_redrawn(&self) -> usize {
        self.wraps_of_redrawn
    }
}
