//! The terminal view to walk in.

mod draw;
mod rows;
mod state;

use std::io;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use whit_core::explore::Exploration;

use state::{State, Step};

/// Shows the view until the user leaves it.
pub fn walk(exploration: &Exploration) -> io::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let done = run(&mut terminal, State::new(exploration));
    ratatui::try_restore()?;
    done
}

fn run(terminal: &mut DefaultTerminal, mut state: State<'_>) -> io::Result<()> {
    loop {
        terminal.draw(|frame| draw::draw(frame, &mut state))?;
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
