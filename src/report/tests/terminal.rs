//! The live view on a terminal in memory.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use indicatif::{ProgressDrawTarget, TermLike};
use proptest::prelude::*;

use super::super::live::{Live, Moment};
use super::super::samples::*;
use super::super::tally::Tally;
use super::super::{Report, Streams, Style, Terminal};
use crate::event::{EventKind, HostResult, Mode};
use crate::journal::is_hidden;

/// A terminal in memory, 60 columns wide, that wraps as real ones do: when the next character comes.
#[derive(Debug, Clone, Default)]
struct Screen(Arc<Mutex<Grid>>);

#[derive(Debug, Default)]
struct Grid {
    rows: Vec<Vec<char>>,
    row: usize,
    column: usize,
}

const COLUMNS: usize = 60;

impl Grid {
    fn put(&mut self, c: char) {
        match c {
            '\n' => (self.row, self.column) = (self.row + 1, 0),
            '\r' => self.column = 0,
            c => {
                if self.column == COLUMNS {
                    (self.row, self.column) = (self.row + 1, 0);
                }
                let needed = self.rows.len().max(self.row + 1);
                self.rows.resize(needed, Vec::new());
                let row = &mut self.rows[self.row];
                row.resize(row.len().max(self.column + 1), ' ');
                row[self.column] = c;
                self.column += 1;
            }
        }
    }
}

impl Screen {
    fn put(&self, text: &str) {
        let mut grid = self.0.lock().unwrap();
        text.chars().for_each(|c| grid.put(c));
    }

    fn text(&self) -> String {
        let grid = self.0.lock().unwrap();
        let rows = grid.rows.iter().map(|row| row.iter().collect::<String>());
        let rows: Vec<String> = rows.map(|row| row.trim_end().to_owned()).collect();
        rows.join("\n")
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(std::str::from_utf8(bytes).unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        COLUMNS.try_into().unwrap()
    }

    fn height(&self) -> u16 {
        8
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.0.lock().unwrap().row -= n;
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.lock().unwrap().row += n;
        Ok(())
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.lock().unwrap().column += n;
        Ok(())
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.lock().unwrap().column -= n;
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.put(&format!("{text}\n"));
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.put(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        let mut grid = self.0.lock().unwrap();
        let row = grid.row;
        if let Some(row) = grid.rows.get_mut(row) {
            row.clear();
        }
        grid.column = 0;
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

fn on_screen(kinds: Vec<EventKind>) -> (Report, Screen) {
    let screen = Screen::default();
    let streams = Streams {
        data: Box::new(screen.clone()),
        status: Box::new(screen.clone()),
    };
    let style = Style {
        width: Some(60),
        ..Style::plain()
    };
    let target = ProgressDrawTarget::term_like(Box::new(screen.clone()));
    let mut report = Report::Terminal(Box::new(Terminal::new(style, streams, target, 8)));
    for event in events(kinds) {
        report.tell(&event).unwrap();
    }
    (report, screen)
}

#[test]
fn the_live_view_has_a_line_per_host_at_work() {
    let mut kinds = survey(Mode::Apply);
    kinds.push(begun("web-1", 2, "Only Cloudflare reaches the web ports"));
    kinds.push(begun("web-4", 1, "ufw is installed"));
    kinds.push(progress(
        "web-4",
        1,
        "waiting for the dpkg lock held by apt (812)",
    ));
    kinds.push(finished("web-2", HostResult::Changed { changes: 6 }));
    let (_report, screen) = on_screen(kinds);
    let text = screen.text();
    let (_, below) = text.rsplit_once("undone.\n").unwrap();
    insta::assert_snapshot!(below, @"

    web-2 │ ✓ done: 6 changes
    ⠋ web-1  step 2/3 · Only Cloudflare reaches the web …  3 s
    ⠋ web-4  step 1/3 · waiting for the dpkg lock held by apt…
      1 of 5 done · 1 stopped · 1 planned · 19 s
    ");
}

#[test]
fn an_armed_guard_counts_down() {
    let mut kinds = survey(Mode::Apply);
    kinds.push(EventKind::GuardArmed {
        host: "web-1".to_owned(),
        seconds: 120,
        again: false,
        weaker: false,
        here: false,
    });
    kinds.push(begun("web-1", 2, "Only Cloudflare reaches the web ports"));
    let (_report, screen) = on_screen(kinds);
    let text = screen.text();
    let row = text.lines().rfind(|line| line.contains("web-1  step"));
    let wanted = "⠋ web-1  step 2/3 · Only Cloudflare rea…  guard 1 min 59 s";
    assert_eq!(row, Some(wanted), "{text}");
}

#[test]
fn more_hosts_than_rows_are_counted() {
    let names: Vec<String> = (1..=12).map(|n| format!("node-{n}")).collect();
    let hosts: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut kinds = vec![started(Mode::Apply, &hosts)];
    kinds.extend(hosts.iter().take(10).map(|host| connecting(host)));
    let (_report, screen) = on_screen(kinds);
    insta::assert_snapshot!(screen.text(), @"
    ufw-cf-refresh on 12 hosts · Only Cloudflare reaches the web
      ports
    ⠋ node-1   connecting  9 s
    ⠋ node-2   connecting  8 s
    ⠋ node-3   connecting  7 s
    ⠋ node-4   connecting  6 s
    ⠋ node-5   connecting  5 s
      +5 more · 0 of 12 done · 2 waiting · 10 s
    ");
}

#[test]
fn however_it_ends_the_screen_is_left_clean() {
    let live = |text: &str| text.contains("connecting") || text.contains("of 5 done");
    let (mut report, screen) = on_screen(survey(Mode::Apply)[..4].to_vec());
    assert!(live(&screen.text()));
    report.close().unwrap();
    assert!(!live(&screen.text()), "{}", screen.text());
    let (report, screen) = on_screen(survey(Mode::Apply)[..4].to_vec());
    drop(report);
    assert!(!live(&screen.text()));
    let (_report, screen) = on_screen(apply());
    assert!(!live(&screen.text()));
    assert!(
        screen
            .text()
            .contains("2 of 5 hosts were not done; 1 change")
    );
}

#[test]
fn nothing_moves_while_a_question_is_open() {
    let (mut report, screen) = on_screen(survey(Mode::Apply)[..6].to_vec());
    report.pause().unwrap();
    let before = screen.text();
    report.tick(jiff::Timestamp::now());
    assert_eq!(screen.text(), before);
    assert!(!before.contains("connecting"));
    report.resume();
    assert!(screen.text().contains("connecting"));
}

proptest! {
    #[test]
    fn live_rows_never_wrap(width in 12_usize..160, name in "[a-z0-9.-]{1,60}", text in any::<String>()) {
        let style = Style { width: Some(width), ..Style::plain() };
        let mut live = Live::default();
        let mut tally = Tally::default();
        let hosts = [name.as_str(), "web-2"];
        let kinds = [started(Mode::Apply, &hosts), connecting("web-2"), begun(&name, 1, &text), progress(&name, 1, &text)];
        for event in events(kinds) {
            live.take(&event);
            tally.take(&event);
        }
        let now = jiff::Timestamp::from_second(1_787_482_800).unwrap();
        let moment = Moment { now, frame: 3, height: 10 };
        for row in live.rows(&moment, &tally, &style) {
            prop_assert!(console::measure_text_width(&row) < width, "{row}");
            prop_assert!(!row.chars().any(is_hidden));
        }
    }
}
