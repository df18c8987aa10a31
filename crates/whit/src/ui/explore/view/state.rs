//! Where the user is, and what keys do.

use std::collections::HashSet;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::widgets::TableState;
use whit_core::explore::{Exploration, FileLine, Forest};

use super::rows::{self, Order, Row, Tab, What};

/// Whether the view goes on.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    Stay,
    Leave,
}

pub struct State<'a> {
    pub exploration: &'a Exploration,
    pub forest: Forest,
    pub tab: Tab,
    pub order: Order,
    /// Lower-case text that paths or packages must contain.
    pub filter: String,
    /// Keys go into the filter.
    pub typing: bool,
    /// Only files of a package, a type, a layer or a cause are shown.
    pub only: Option<What>,
    pub rows: Vec<Row>,
    pub table: TableState,
    /// Lines of the list that fit the screen, known since it was drawn.
    pub page: usize,
    open: HashSet<usize>,
}

impl<'a> State<'a> {
    pub fn new(exploration: &'a Exploration) -> Self {
        let mut state = Self {
            exploration,
            forest: Forest::grow(&exploration.files),
            tab: Tab::Folders,
            order: if exploration.before.is_some() {
                Order::Before
            } else {
                Order::Size
            },
            filter: String::new(),
            typing: false,
            only: None,
            rows: Vec::new(),
            table: TableState::default(),
            page: 1,
            open: HashSet::new(),
        };
        state.list();
        state
    }

    pub fn shrunk(&self) -> bool {
        self.exploration.before.is_some()
    }

    pub fn selected(&self) -> Option<&Row> {
        self.rows.get(self.table.selected()?)
    }

    /// The line of the selected file.
    pub fn file(&self) -> Option<&FileLine> {
        let What::Node(id) = self.selected()?.what else {
            return None;
        };
        self.exploration.files.get(self.forest.nodes[id].file?)
    }

    pub fn press(&mut self, key: KeyEvent) -> Step {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return Step::Leave,
            _ if self.typing => self.type_filter(key.code),
            KeyCode::Char('q') => return Step::Leave,
            code => self.command(code),
        }
        Step::Stay
    }

    fn type_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter | KeyCode::Down => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(character) => self.filter.extend(character.to_lowercase()),
            _ => return,
        }
        self.list();
    }

    fn command(&mut self, code: KeyCode) {
        match code {
            KeyCode::Down | KeyCode::Char('j') => self.step(1),
            KeyCode::Up | KeyCode::Char('k') => self.step(-1),
            KeyCode::PageDown | KeyCode::Char(' ') => self.step(self.page.cast_signed()),
            KeyCode::PageUp => self.step(-self.page.cast_signed()),
            KeyCode::Home | KeyCode::Char('g') => self.step(isize::MIN),
            KeyCode::End | KeyCode::Char('G') => self.step(isize::MAX),
            KeyCode::Right | KeyCode::Char('l') | KeyCode::Enter => self.enter(),
            KeyCode::Left | KeyCode::Char('h') => self.leave(),
            KeyCode::Esc => {
                self.filter.clear();
                self.only = None;
                self.list();
            }
            KeyCode::Char('/') => self.typing = true,
            KeyCode::Char('s') => {
                self.order = self.order.next(self.shrunk());
                self.list();
            }
            KeyCode::Tab => self.turn(1),
            KeyCode::BackTab => self.turn(Tab::ALL.len() - 1),
            KeyCode::Char(digit @ '1'..='5') => {
                let number = digit.to_digit(10).unwrap_or(1) as usize;
                self.show(Tab::ALL[number - 1]);
            }
            _ => {}
        }
    }

    fn step(&mut self, by: isize) {
        let last = self.rows.len().saturating_sub(1);
        let here = self.table.selected().unwrap_or(0);
        self.table
            .select(Some(here.saturating_add_signed(by).min(last)));
    }

    fn turn(&mut self, by: usize) {
        let here = Tab::ALL.iter().position(|tab| *tab == self.tab);
        self.show(Tab::ALL[(here.unwrap_or(0) + by) % Tab::ALL.len()]);
    }

    fn show(&mut self, tab: Tab) {
        self.tab = tab;
        self.only = None;
        self.table = TableState::default();
        self.list();
    }

    /// Into a folder, or to the files of a package, a layer and so on.
    fn enter(&mut self) {
        let Some(row) = self.selected() else { return };
        match (row.what, row.open) {
            (What::Node(id), Some(false)) => {
                self.open.insert(id);
                self.list();
            }
            (What::Node(_), Some(true)) => self.step(1),
            (What::Node(_), None) => {}
            (group, _) => {
                self.tab = Tab::Folders;
                self.filter.clear();
                self.only = Some(group);
                self.table = TableState::default();
                self.list();
            }
        }
    }

    /// Closes a folder, or goes to the one that this is in.
    fn leave(&mut self) {
        let Some((what, open)) = self.selected().map(|row| (row.what, row.open)) else {
            return;
        };
        let What::Node(id) = what else { return };
        if open == Some(true) && self.open.remove(&id) && !self.filtering() {
            self.list();
            return;
        }
        let parent = self.forest.nodes[id].parent.map(What::Node);
        if let Some(at) = self.rows.iter().position(|row| Some(row.what) == parent) {
            self.table.select(Some(at));
        }
    }

    fn filtering(&self) -> bool {
        self.only.is_some() || !self.filter.is_empty()
    }

    /// Lists anew; what was selected stays so if it is still there.
    fn list(&mut self) {
        let selected = self.selected().map(|row| row.what);
        self.rows = match self.tab {
            Tab::Folders => {
                let shown = self.filtering().then(|| self.shown());
                let is_open = |id| self.open.contains(&id);
                rows::tree(
                    &self.forest,
                    &self.exploration.files,
                    is_open,
                    shown.as_deref(),
                    self.order,
                )
            }
            tab => rows::flat(self.exploration, tab, &self.filter, self.order),
        };
        let at = self.rows.iter().position(|row| Some(row.what) == selected);
        let first = (!self.rows.is_empty()).then_some(0);
        self.table.select(at.or(first));
    }

    /// For every node, whether it is, or holds, what the filter wants.
    fn shown(&self) -> Vec<bool> {
        let nodes = &self.forest.nodes;
        let mut shown: Vec<bool> = (0..nodes.len()).map(|id| self.wanted(id)).collect();
        for id in (1..nodes.len()).rev() {
            if let (true, Some(parent)) = (shown[id], nodes[id].parent) {
                shown[parent] = true;
            }
        }
        shown
    }

    fn wanted(&self, id: usize) -> bool {
        let file = self.forest.nodes[id].file;
        let Some(file) = file.and_then(|file| self.exploration.files.get(file)) else {
            return false;
        };
        let there = file.layer.is_some();
        let in_group = match self.only {
            None | Some(What::Node(_)) => true,
            Some(What::Package(i)) => {
                let group = &self.exploration.packages[i];
                let nobodys = file.package.is_none() && group.kind.is_none();
                !file.is_hidden() && (nobodys || file.package.as_ref() == Some(&group.name))
            }
            Some(What::Type(i)) => {
                let name = file.file_type.map(|file_type| file_type.name());
                there && name == Some(self.exploration.types[i].name.as_str())
            }
            Some(What::Layer(i)) => file.layer.map(usize::from) == Some(i),
            Some(What::Waste(i)) => {
                let cause = self.exploration.wasted[i].cause;
                file.wasted.is_some_and(|wasted| wasted.cause == cause)
            }
        };
        let has = |text: &str| text.to_lowercase().contains(&self.filter);
        in_group
            && (self.filter.is_empty()
                || has(&file.path)
                || file.package.as_deref().is_some_and(has))
    }
}
