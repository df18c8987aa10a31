//! The terminal view to walk in.

mod draw;
mod rows;
mod state;

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use whit_core::explore::Exploration;

use state::{State, Step};

/// How long, in milliseconds, a signal may go unnoticed.
const PATIENCE: u8 = 200;

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
        while !event::poll(Duration::ZERO)? {
            if cancelled() || hung_up()? {
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

/// Waits for the keyboard, a moment at most. True if the terminal is gone:
/// crossterm would read its end for ever.
fn hung_up() -> io::Result<bool> {
    let stdin = io::stdin();
    let mut keyboard = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    match poll(&mut keyboard, PollTimeout::from(PATIENCE)) {
        // A resize, or what `cancelled` tells.
        Err(nix::errno::Errno::EINTR) => return Ok(false),
        result => result?,
    };
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    Ok(keyboard[0]
        .revents()
        .is_some_and(|events| events.intersects(gone)))
}

#[cfg(test)]
mod tests;
