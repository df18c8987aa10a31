//! The terminal view to walk in.

mod draw;
mod rows;
mod state;

use std::io;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use whit_core::explore::Exploration;

use state::{State, Step};

/// How long a signal may go unnoticed.
const PATIENCE: Duration = Duration::from_millis(200);

/// Shows the view until the user leaves it, or a signal ends whit.
pub fn walk(exploration: &Exploration, cancelled: &dyn Fn() -> bool) -> io::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let done = run(&mut terminal, State::new(exploration), cancelled);
    ratatui::try_restore()?;
    done
}

fn run(
    terminal: &mut DefaultTerminal,
    mut state: State<'_>,
    cancelled: &dyn Fn() -> bool,
) -> io::Result<()> {
    loop {
        terminal.draw(|frame| draw::draw(frame, &mut state))?;
        while !event::poll(PATIENCE)? {
            if cancelled() {
                return Ok(());
            }
        }
        if let Event::Key(key) = event::read()?
            && key.kind == KeyEventKind::Press
            && state.press(key) == Step::Leave
        {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
