//! Which names the reached code mentions, and what waits for one.
//!
//! Code in a function can run only after something named the function, as a
//! variable, an attribute or a string. So a function's imports wait until its
//! name is seen in code that can run itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use super::binary::within;
use super::imports::is_identifier;
use crate::index::FileId;

/// What is woken by a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sleeper {
    /// A scope of a file.
    Scope { file: FileId, scope: u32 },
    /// An import that a table adds to a file: its position in the table.
    Hidden { file: FileId, row: usize },
    /// A reference that a table holds back.
    Cut { file: FileId, reference: usize },
    /// Zones of the distribution of a file that the system has too.
    Zones { file: FileId },
}

/// The names mentioned so far.
#[derive(Debug, Default)]
pub struct Names {
    /// The first file that mentions a name, and whether another one does.
    seen: HashMap<Box<str>, (FileId, bool)>,
    prefixes: BTreeSet<Box<str>>,
    suffixes: BTreeSet<Box<str>>,
    /// Text of compiled modules without borders between its names.
    glued: Vec<Vec<u8>>,
    /// Names that were not looked for in glued text.
    unchecked: Vec<Box<str>>,
    /// Woken by any mention.
    asleep: BTreeMap<Box<str>, Vec<Sleeper>>,
    /// Woken by a mention in another file.
    elsewhere: HashMap<Box<str>, Vec<(FileId, Sleeper)>>,
}

impl Names {
    /// Notes a mention; returns what it wakes.
    pub fn mention(&mut self, name: &str, by: FileId) -> Vec<Sleeper> {
        let mut woken = Vec::new();
        match self.seen.get_mut(name) {
            None => {
                self.seen.insert(name.into(), (by, false));
                woken = self.asleep.remove(name).unwrap_or_default();
            }
            Some((first, several)) => {
                if *first == by || *several {
                    return woken;
                }
                *several = true;
            }
        }
        woken.extend(self.wake_elsewhere(name, by));
        woken
    }

    /// A star import makes names of a module visible without mentioning them:
    /// enough for a module's lazy attributes only.
    pub fn star(&mut self, name: &str, by: FileId) -> Vec<Sleeper> {
        self.wake_elsewhere(name, by)
    }

    fn wake_elsewhere(&mut self, name: &str, by: FileId) -> Vec<Sleeper> {
        let Some(waiting) = self.elsewhere.get_mut(name) else {
            return Vec::new();
        };
        let (woken, stay) = std::mem::take(waiting)
            .into_iter()
            .partition(|(owner, _)| *owner != by);
        *waiting = stay;
        let woken: Vec<(FileId, Sleeper)> = woken;
        woken.into_iter().map(|(_, sleeper)| sleeper).collect()
    }

    /// Notes the beginning of a computed name.
    pub fn prefix(&mut self, prefix: &str) -> Vec<Sleeper> {
        if !self.prefixes.insert(prefix.into()) {
            return Vec::new();
        }
        let keys: Vec<Box<str>> = self
            .asleep
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(prefix))
            .map(|(name, _)| name.clone())
            .collect();
        self.wake(keys)
    }

    /// Notes the end of a computed name.
    pub fn suffix(&mut self, suffix: &str) -> Vec<Sleeper> {
        if !self.suffixes.insert(suffix.into()) {
            return Vec::new();
        }
        let keys: Vec<Box<str>> = self
            .asleep
            .keys()
            .filter(|name| name.ends_with(suffix))
            .cloned()
            .collect();
        self.wake(keys)
    }

    /// Notes text in which names are glued together: each one that occurs
    /// anywhere in it counts as mentioned, once [`Names::unglue`] looked.
    pub fn glue(&mut self, text: Vec<u8>) {
        if !text.is_empty() {
            self.glued.push(text);
            self.unchecked = self.asleep.keys().cloned().collect();
        }
    }

    /// Wakes those whose name occurs in glued text. One search for many names
    /// is far cheaper than many searches.
    pub fn unglue(&mut self) -> Vec<Sleeper> {
        let unchecked = std::mem::take(&mut self.unchecked);
        // `module.name` and `name()` are this room's own notation.
        let names: Vec<&str> = unchecked
            .iter()
            .map(|name| &**name)
            .filter(|name| is_identifier(name) && self.asleep.contains_key(*name))
            .collect();
        if names.is_empty() || self.glued.is_empty() {
            return Vec::new();
        }
        let found = within(&self.glued.join(&0), &names)
            .into_iter()
            .map(Box::from)
            .collect();
        self.wake(found)
    }

    fn wake(&mut self, names: Vec<Box<str>>) -> Vec<Sleeper> {
        names
            .iter()
            .filter_map(|name| self.asleep.remove(name))
            .flatten()
            .collect()
    }

    /// True if the name was mentioned; else `sleeper` waits for it.
    pub fn wait(&mut self, name: &str, sleeper: Sleeper) -> bool {
        if self.seen.contains_key(name) || self.is_computed(name) {
            return true;
        }
        self.asleep.entry(name.into()).or_default().push(sleeper);
        if !self.glued.is_empty() {
            self.unchecked.push(name.into());
        }
        false
    }

    /// Like [`Names::wait`], but mentions in `owner` don't count.
    pub fn wait_elsewhere(&mut self, name: &str, owner: FileId, sleeper: Sleeper) -> bool {
        if let Some((first, several)) = self.seen.get(name)
            && (*first != owner || *several)
        {
            return true;
        }
        self.elsewhere
            .entry(name.into())
            .or_default()
            .push((owner, sleeper));
        false
    }

    fn is_computed(&self, name: &str) -> bool {
        (1..=name.len()).any(|end| {
            name.get(..end)
                .is_some_and(|head| self.prefixes.contains(head))
        }) || (0..name.len()).any(|from| {
            name.get(from..)
                .is_some_and(|tail| self.suffixes.contains(tail))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: FileId = FileId(1);
    const B: FileId = FileId(2);

    fn scope(scope: u32) -> Sleeper {
        Sleeper::Scope { file: A, scope }
    }

    #[test]
    fn names_wake_those_who_wait() {
        let mut names = Names::default();
        assert!(!names.wait("f", scope(1)));
        assert!(!names.wait("visit_x", scope(2)));
        assert!(!names.wait("ftp_open", scope(3)));
        assert_eq!(names.mention("f", B), [scope(1)]);
        assert!(names.mention("f", A).is_empty());
        assert!(names.wait("f", scope(4)));
        assert_eq!(names.prefix("visit_"), [scope(2)]);
        assert_eq!(names.suffix("_open"), [scope(3)]);
        assert!(names.wait("visit_y", scope(5)));
    }

    #[test]
    fn names_in_glued_text() {
        let mut names = Names::default();
        assert!(!names.wait("before", scope(1)));
        names.glue(b"onebeforeafterlast".to_vec());
        assert!(!names.wait("after", scope(2)));
        assert!(!names.wait("other", scope(3)));
        let mut woken = names.unglue();
        woken.sort();
        assert_eq!(woken, [scope(1), scope(2)]);
        assert!(names.unglue().is_empty());
    }

    #[test]
    fn own_mentions_do_not_count_for_lazy_attributes() {
        let mut names = Names::default();
        names.mention("lazy", A);
        assert!(!names.wait_elsewhere("lazy", A, scope(1)));
        assert!(names.mention("lazy", A).is_empty());
        assert_eq!(names.mention("lazy", B), [scope(1)]);
        assert!(names.wait_elsewhere("lazy", A, scope(2)));
        assert!(!names.wait_elsewhere("other", A, scope(3)));
        assert_eq!(names.star("other", B), [scope(3)]);
    }
}
