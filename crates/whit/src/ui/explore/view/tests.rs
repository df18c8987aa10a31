use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::super::samples::{sample, shrunk};
use super::*;

fn screen(state: &mut State<'_>, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw::draw(frame, state)).unwrap();
    let buffer = terminal.backend().buffer();
    let lines = buffer.content.chunks(usize::from(width)).map(|cells| {
        let line: String = cells.iter().map(|cell| cell.symbol()).collect();
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn press(state: &mut State<'_>, keys: &str) {
    for key in keys.chars() {
        let code = match key {
            '>' => KeyCode::Right,
            '<' => KeyCode::Left,
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '!' => KeyCode::Esc,
            key => KeyCode::Char(key),
        };
        assert_eq!(
            state.press(KeyEvent::new(code, KeyModifiers::NONE)),
            Step::Stay
        );
    }
}

fn names(state: &State<'_>) -> Vec<String> {
    state.rows.iter().map(|row| row.name.clone()).collect()
}

#[test]
fn a_narrow_screen() {
    let exploration = sample();
    let mut state = State::new(&exploration);
    // Into /usr/lib.
    press(&mut state, "j>jj>j");
    insta::assert_snapshot!(screen(&mut state, 80, 24));
}

#[test]
fn a_wide_screen_of_a_small_image() {
    let exploration = shrunk();
    let mut state = State::new(&exploration);
    press(&mut state, "/PERL\nj");
    press(&mut state, "j");
    insta::assert_snapshot!(screen(&mut state, 120, 20));
}

#[test]
fn a_tiny_screen_and_an_empty_list() {
    let exploration = sample();
    let mut state = State::new(&exploration);
    press(&mut state, "/nothing is called so");
    for (width, height) in [(1, 1), (5, 3), (30, 6)] {
        screen(&mut state, width, height);
    }
    assert_eq!(names(&state), Vec::<String>::new());
    press(&mut state, "!");
    assert_eq!(names(&state), ["var", "usr", "app"]);
}

#[test]
fn filters_open_folders_and_leave_nothing_else() {
    let exploration = sample();
    let mut state = State::new(&exploration);
    press(&mut state, "/ssl\n");
    assert_eq!(names(&state), ["usr", "lib", "libssl.so.3"]);
    press(&mut state, "!");
    assert_eq!(names(&state), ["var", "usr", "app"]);
}

#[test]
fn orders() {
    let exploration = sample();
    let mut state = State::new(&exploration);
    press(&mut state, "ss");
    assert_eq!(names(&state), ["app", "usr", "var"]);
}

#[test]
fn a_package_leads_to_its_files() {
    let exploration = sample();
    let mut state = State::new(&exploration);
    press(&mut state, "\tj");
    assert_eq!(names(&state), ["python3.11", "libssl3", "no package"]);
    press(&mut state, "\n");
    assert_eq!(names(&state), ["usr", "lib", "libssl.so.3"]);
    press(&mut state, "2G\n");
    assert_eq!(names(&state), ["app", "main.py"]);
    // And waste to what is wasted.
    press(&mut state, "5\n");
    assert_eq!(names(&state), ["var", "lib", "apt", "lists", "main"]);
}

#[test]
fn folders_close_and_lead_back() {
    let exploration = sample();
    let mut state = State::new(&exploration);
    press(&mut state, "j>j>j");
    assert_eq!(
        names(&state),
        ["var", "usr", "bin", "python3.11", "lib", "app"]
    );
    press(&mut state, "<<<");
    assert_eq!(names(&state), ["var", "usr", "bin", "lib", "app"]);
    press(&mut state, "<");
    assert_eq!(names(&state), ["var", "usr", "app"]);
}
