//! All that a process started, and what that started (proc_pid_stat(5)).
//!
//! A process group is not enough: Podman's and Buildah's containers have
//! sessions of their own, and are not stopped when their builder is.

use std::collections::{BTreeMap, BTreeSet};

use rustix::process::{Pid, Signal, kill_process};

/// Processes by their number, with the moment of their start: a number is
/// given again.
#[derive(Debug, Default)]
pub(super) struct Offspring {
    started: BTreeMap<i32, String>,
    /// Those that left their ancestor's process group.
    outside: BTreeSet<i32>,
}

struct Stat {
    parent: i32,
    group: i32,
    start: String,
    zombie: bool,
}

impl Offspring {
    /// Adds what descends from `ancestor` now, the leader of its group.
    pub fn look(&mut self, ancestor: i32) {
        let all: BTreeMap<i32, Stat> = std::fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter_map(|id| Some((id, stat(id)?)))
            .collect();
        let mut found = vec![ancestor];
        let mut at = 0;
        while let Some(parent) = found.get(at).copied() {
            at += 1;
            for (id, stat) in &all {
                if stat.parent == parent && !found.contains(id) {
                    found.push(*id);
                    self.started.insert(*id, stat.start.clone());
                    if stat.group != ancestor {
                        self.outside.insert(*id);
                    }
                }
            }
        }
    }

    /// Kills those that left the group: the step that is on. The builder then
    /// clears up after it as after any step that fails. Tells whether there
    /// were such.
    pub fn kill_outside(&self) -> bool {
        let outside = |id: &&i32| self.outside.contains(*id);
        self.started
            .keys()
            .filter(outside)
            .for_each(|id| self.kill_one(*id));
        !self.outside.is_empty()
    }

    /// Kills all that are still there.
    pub fn kill(&self) {
        self.started.keys().for_each(|id| self.kill_one(*id));
    }

    fn kill_one(&self, id: i32) {
        let there =
            stat(id).is_some_and(|stat| self.started.get(&id) == Some(&stat.start) && !stat.zombie);
        if let Some(id) = Pid::from_raw(id).filter(|_| there) {
            // It may end by itself in this moment.
            let _ = kill_process(id, Signal::KILL);
        }
    }
}

fn stat(id: i32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may have any character.
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(Stat {
        zombie: *fields.first()? == "Z",
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        start: (*fields.get(19)?).to_owned(),
    })
}
