//! The view on the screen.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Cell, Paragraph, Row as TableRow, Table, Wrap};
use whit_core::explore::{Exploration, FileLine};

use super::rows::{Row, Tab, What};
use super::state::State;
use crate::ui::bytes;

const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const KEY: Style = Style::new().fg(Color::Cyan);
const WASTED: Style = Style::new().fg(Color::Yellow);
const SELECTED: Style = Style::new().add_modifier(Modifier::REVERSED);

/// Width of a size: `999.9 MB`.
const SIZE: u16 = 9;
/// From so many columns on there is room for bars.
const WIDE: u16 = 96;
const BAR: u16 = 14;
/// Lines about what is selected.
const ABOUT: u16 = 4;

pub fn draw(frame: &mut Frame, state: &mut State<'_>) {
    let [head, tabs, list, about, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(2),
        Constraint::Min(3),
        Constraint::Length(ABOUT + 1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(title(state.exploration), head);
    frame.render_widget(tab_line(state), tabs);
    // The list's header takes a line.
    state.page = usize::from(list.height.saturating_sub(2)).max(1);
    draw_list(frame, state, list);
    draw_about(frame, state, about);
    frame.render_widget(key_line(state), keys);
}

fn title(exploration: &Exploration) -> Line<'_> {
    let totals = &exploration.totals;
    let about = if totals.wire_estimated { "~" } else { "" };
    let unpacked = match &exploration.before {
        Some(before) => format!("{} → {}", bytes(before.bytes), bytes(totals.bytes)),
        None => bytes(totals.bytes),
    };
    Line::from(vec![
        Span::styled(exploration.image.as_str(), BOLD),
        Span::raw(format!(
            "  {unpacked} unpacked  {about}{} on the wire  ",
            bytes(totals.wire)
        )),
        Span::styled(format!("{} wasted", bytes(totals.wasted)), WASTED),
    ])
}

fn tab_line<'a>(state: &State<'a>) -> Line<'a> {
    let mut spans = Vec::new();
    for (i, tab) in Tab::ALL.into_iter().enumerate() {
        let style = if tab == state.tab { SELECTED } else { DIM };
        spans.push(Span::styled(format!(" {} {} ", i + 1, tab.name()), style));
        spans.push(Span::raw(" "));
    }
    if let Some(name) = only(state) {
        spans.push(Span::styled(format!(" only {name} "), WASTED));
    }
    if state.typing || !state.filter.is_empty() {
        let cursor = if state.typing { "▏" } else { "" };
        spans.push(Span::styled(format!(" /{}{cursor}", state.filter), KEY));
    }
    Line::from(spans)
}

fn only(state: &State<'_>) -> Option<String> {
    let exploration = state.exploration;
    Some(match state.only? {
        What::Node(_) => return None,
        What::Package(i) => exploration.packages[i].name.clone(),
        What::Type(i) => exploration.types[i].name.clone(),
        What::Layer(i) => format!("layer {}", i + 1),
        What::Waste(i) => exploration.wasted[i].name.to_owned(),
    })
}

fn draw_list(frame: &mut Frame, state: &mut State<'_>, area: Rect) {
    let wide = area.width >= WIDE;
    let shrunk = state.shrunk();
    let whole = match state.exploration.before.as_ref().filter(|_| shrunk) {
        Some(before) => before.bytes.max(state.exploration.totals.bytes),
        None => state.exploration.totals.bytes,
    };
    let mut widths = vec![Constraint::Min(10)];
    let mut heads = vec![Cell::from(state.tab.name())];
    let size = if shrunk { "now" } else { "size" };
    let names = [(shrunk, "before"), (true, size), (true, "wire")];
    for (_, name) in names.iter().filter(|(shown, _)| *shown) {
        widths.push(Constraint::Length(SIZE));
        heads.push(Cell::from(Text::from(*name).alignment(Alignment::Right)));
    }
    if wide {
        widths.push(Constraint::Length(5));
        widths.push(Constraint::Length(BAR));
        heads.push(Cell::default());
        heads.push(Cell::default());
    }
    let rows: Vec<TableRow> = state
        .rows
        .iter()
        .map(|row| table_row(row, shrunk, wide, whole))
        .collect();
    if rows.is_empty() {
        frame.render_widget(
            Paragraph::new("nothing matches; Esc shows all").style(DIM),
            area,
        );
        return;
    }
    let table = Table::new(rows, widths)
        .header(TableRow::new(heads).style(DIM))
        .column_spacing(1)
        .row_highlight_style(SELECTED);
    frame.render_stateful_widget(table, area, &mut state.table);
}

fn table_row<'a>(row: &'a Row, shrunk: bool, wide: bool, whole: u64) -> TableRow<'a> {
    let mark = match row.open {
        Some(true) => "▾ ",
        Some(false) => "▸ ",
        None if matches!(row.what, What::Node(_)) => "  ",
        None => "",
    };
    let slash = if row.open.is_some() { "/" } else { "" };
    let gone = if row.dropped { "− " } else { "" };
    let name = format!("{}{mark}{gone}{}{slash}", "  ".repeat(row.depth), row.name);
    let right = |text: String| Cell::from(Text::from(text).alignment(Alignment::Right));
    let mut cells = vec![Cell::from(name)];
    if shrunk {
        cells.push(right(if row.before > 0 {
            bytes(row.before)
        } else {
            String::new()
        }));
    }
    cells.push(right(if row.dropped {
        "dropped".to_owned()
    } else {
        bytes(row.bytes)
    }));
    cells.push(right(match row.wire {
        _ if row.dropped => String::new(),
        Some(wire) => bytes(wire),
        None => "–".to_owned(),
    }));
    if wide {
        let part = row.bytes.max(if shrunk { row.before } else { 0 });
        cells.push(right(share(part, whole)));
        cells.push(Cell::from(bar(part, whole)).style(Style::new().fg(Color::Blue)));
    }
    TableRow::new(cells).style(match row {
        row if row.dropped => DIM,
        row if row.wasted => WASTED,
        _ => Style::new(),
    })
}

fn share(part: u64, whole: u64) -> String {
    match part as f64 * 100.0 / whole.max(1) as f64 {
        share if share < 1.0 => String::new(),
        share => format!("{share:.0} %"),
    }
}

/// In eighths of a column.
fn bar(part: u64, whole: u64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let share = (part as f64 / whole.max(1) as f64).clamp(0.0, 1.0);
    let eighths = (share * f64::from(BAR) * 8.0) as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

fn draw_about(frame: &mut Frame, state: &State<'_>, area: Rect) {
    let [rule, text] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    let line = "─".repeat(usize::from(rule.width));
    frame.render_widget(Paragraph::new(line).style(DIM), rule);
    let about = Paragraph::new(about(state)).wrap(Wrap { trim: false });
    frame.render_widget(about, text);
}

/// What is known of the selected line.
fn about(state: &State<'_>) -> Vec<Line<'static>> {
    let Some(row) = state.selected() else {
        return Vec::new();
    };
    let exploration = state.exploration;
    match row.what {
        What::Node(id) => {
            let path = Line::styled(state.forest.path(id), BOLD);
            let node = &state.forest.nodes[id];
            match state.file() {
                Some(file) => [vec![path], about_file(file, exploration)].concat(),
                None => vec![
                    path,
                    Line::raw(format!(
                        "{}, {} wasted",
                        files(node.files),
                        bytes(node.wasted)
                    )),
                ],
            }
        }
        What::Package(i) | What::Type(i) => {
            let group = match row.what {
                What::Package(_) => &exploration.packages[i],
                _ => &exploration.types[i],
            };
            let kind = group.kind.map(|kind| format!("{kind:?} ").to_lowercase());
            vec![
                Line::styled(group.name.clone(), BOLD),
                Line::raw(format!(
                    "{}{} {}",
                    kind.unwrap_or_default(),
                    group.version.clone().unwrap_or_default(),
                    files(group.files)
                )),
            ]
        }
        What::Layer(i) => {
            let layer = &exploration.layers[i];
            vec![
                Line::styled(layer.digest.clone(), BOLD),
                Line::raw(format!(
                    "{}, {} hidden by later layers",
                    files(layer.files),
                    bytes(layer.hidden)
                )),
                Line::raw(layer.created_by.clone()),
            ]
        }
        What::Waste(i) => {
            let line = &exploration.wasted[i];
            vec![
                Line::styled(line.name, BOLD),
                Line::raw(format!(
                    "{}, such as {}",
                    files(line.files),
                    line.examples.first().cloned().unwrap_or_default()
                )),
                Line::styled(line.mend, WASTED),
            ]
        }
    }
}

fn about_file(file: &FileLine, exploration: &Exploration) -> Vec<Line<'static>> {
    let mut facts = Vec::new();
    facts.extend(file.package.clone());
    facts.extend(file.file_type.map(|file_type| file_type.name().to_owned()));
    facts.extend(file.layer.map(|layer| format!("layer {}", layer + 1)));
    facts.extend(file.link.as_ref().map(|link| format!("→ {link}")));
    let mut lines = vec![Line::raw(facts.join(", "))];
    if let Some(fate) = &file.fate {
        let verdict = if fate.kept { "kept: " } else { "dropped: " };
        let from = fate.from.as_ref().map(|from| format!(", by {from}"));
        lines.push(Line::from(vec![
            Span::styled(verdict, BOLD),
            Span::raw(format!("{}{}", fate.why, from.unwrap_or_default())),
        ]));
    }
    if let Some(wasted) = &file.wasted {
        let by = wasted.by.map(|by| format!(" by layer {}", by + 1));
        let line = exploration
            .wasted
            .iter()
            .find(|line| line.cause == wasted.cause);
        let mend = line.map(|line| format!(": {}", line.mend));
        lines.push(Line::styled(
            format!(
                "{} wasted, {}{}{}",
                bytes(wasted.bytes),
                wasted.cause.name(),
                by.unwrap_or_default(),
                mend.unwrap_or_default()
            ),
            WASTED,
        ));
    }
    lines
}

fn files(count: u64) -> String {
    match count {
        1 => "1 file".to_owned(),
        count => format!("{count} files"),
    }
}

fn key_line(state: &State<'_>) -> Line<'static> {
    if state.typing {
        return Line::from(vec![
            Span::styled("Enter", KEY),
            Span::styled(" done  ", DIM),
            Span::styled("Esc", KEY),
            Span::styled(" all again", DIM),
        ]);
    }
    let order = format!(" sort: {}", state.order.name());
    let right = match state.tab {
        Tab::Folders => ("→←", " open, close"),
        _ => ("→", " its files"),
    };
    let keys = [
        ("↑↓", " move"),
        right,
        ("/", " filter"),
        ("s", order.as_str()),
        ("Tab", " next"),
        ("Esc", " all"),
        ("q", " quit"),
    ];
    let spans = keys.iter().flat_map(|(key, words)| {
        [
            Span::styled((*key).to_owned(), KEY),
            Span::styled(format!("{words}  "), DIM),
        ]
    });
    Line::from(spans.collect::<Vec<_>>())
}
